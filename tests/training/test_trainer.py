"""The Trainer: training, reporting, early stopping, checkpoints and errors."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import no_grad
from tinytorch_layers import BatchNorm1d, Dropout, Linear, Sequential
from tinytorch_losses import CrossEntropyLoss, MSELoss
from tinytorch_training import (
    SGD,
    Adam,
    CheckpointError,
    CosineAnnealingLR,
    DataLoader,
    EarlyStopping,
    LinearLR,
    NonFiniteError,
    StepLR,
    TensorDataset,
    Trainer,
    accuracy,
    load_checkpoint,
    plot_history,
    save_checkpoint,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = (X.sum(axis=1) > 0).astype(np.int64)
DATA = TensorDataset(X, Y)


def network(p: float = 0.3) -> Sequential:
    first = Linear(3, 8, dtype=np.float64, generator=0)
    return Sequential(
        first,
        BatchNorm1d(8, dtype=np.float64),
        np.tanh,
        Dropout(p, generator=7),
        Linear(8, 2, dtype=np.float64, generator=1),
    )


def loader(**options) -> DataLoader:
    return DataLoader(DATA, **{"batch_size": 8, "shuffle": True, "generator": 3} | options)


def trainer(**options) -> Trainer:
    """Return a Trainer with every kind of part that has a state."""
    model = network()
    optimizer = Adam(model.parameters(), lr=0.01)
    defaults = {
        "scheduler": CosineAnnealingLR(optimizer, 8),
        "metrics": {"accuracy": accuracy},
        "early_stopping": EarlyStopping("val_loss", patience=50),
    }
    return Trainer(model, CrossEntropyLoss(), optimizer, **defaults | options)


def assert_same(one: Trainer, other: Trainer) -> None:
    """Check that two runs are equal, bit for bit."""
    np.testing.assert_equal(other.model.state_dict(), one.model.state_dict())
    np.testing.assert_equal(other.optimizer.state_dict(), one.optimizer.state_dict())
    assert other.history == one.history
    assert (other.epoch, other.step) == (one.epoch, one.step)


def test_fit_trains_the_network_and_records_the_history() -> None:
    run = trainer()
    history = run.fit(loader(), 8, validation=loader(shuffle=False))
    assert history is run.history
    assert list(history) == ["loss", "accuracy", "lr", "val_loss", "val_accuracy"]
    assert {len(values) for values in history.values()} == {8}
    assert history["val_loss"][-1] < history["val_loss"][0]
    assert history["lr"][0] == 0.01 > history["lr"][-1]
    assert (run.epoch, run.step) == (8, 40)
    found = run.evaluate(loader())
    assert found["accuracy"] == history["val_accuracy"][-1]
    scores = run.predict(X, batch_size=7)
    assert scores.shape == (40, 2)
    assert (scores.argmax(axis=1) == Y).mean() == pytest.approx(found["accuracy"])
    assert run.model.training


def test_a_metric_may_return_a_tensor_that_requires_grad() -> None:
    model = network()
    metrics = {"weight": lambda output, target: model[0].weight.abs().max()}
    run = Trainer(model, CrossEntropyLoss(), SGD(model.parameters()), metrics=metrics)
    history = run.fit(loader(), 1)
    assert type(history["weight"][0]) is float


def test_fit_sets_training_mode() -> None:
    model, twin = network().eval(), network()
    for each in (model, twin):
        Trainer(each, CrossEntropyLoss(), SGD(each.parameters())).fit(loader(), 1)
    np.testing.assert_equal(model.state_dict(), twin.state_dict())


def test_fit_equals_a_handwritten_loop() -> None:
    model, twin = network(0.0), network(0.0)
    Trainer(model, CrossEntropyLoss(), SGD(model.parameters(), lr=0.1)).fit(loader(), 2)
    optimizer = SGD(twin.parameters(), lr=0.1)
    batches = loader()
    for _ in range(2):
        for x, y in batches:
            twin.zero_grad()
            CrossEntropyLoss()(twin(x), y).backward()
            optimizer.step()
    np.testing.assert_equal(model.state_dict(), twin.state_dict())


def linear_model() -> Linear:
    return Linear(3, 1, dtype=np.float64, generator=0)


@pytest.mark.parametrize("size", [36, 30, 37])
def test_accumulated_batches_equal_one_large_batch(size: int) -> None:
    data = TensorDataset(X[:size], X[:size, :1])
    models = linear_model(), linear_model()
    for model, (batch, accumulate) in zip(models, ((12, 1), (4, 3)), strict=True):
        run = Trainer(model, MSELoss(), SGD(model.parameters(), lr=0.1), accumulate=accumulate)
        run.fit(DataLoader(data, batch), 3)
        assert run.step == 3 * -(-size // 12)
    for one, other in zip(*(m.state_dict().values() for m in models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_gradients_are_clipped() -> None:
    model = linear_model()
    before = model.state_dict()
    run = Trainer(model, MSELoss(), SGD(model.parameters(), lr=1.0), max_grad_norm=1e-3)
    run.fit([(Tensor(X), Tensor(100 * X[:, :1]))], 1)
    moved = [after - before[name] for name, after in model.state_dict().items()]
    assert np.sqrt(sum((m**2).sum() for m in moved)) == pytest.approx(1e-3, rel=1e-6)


@pytest.mark.parametrize(("interval", "lr"), [("epoch", 0.25), ("step", 2.0**-15)])
def test_schedule_advances_by_epochs_or_steps(interval: str, lr: float) -> None:
    model = linear_model()
    optimizer = SGD(model.parameters(), lr=1.0)
    schedule = StepLR(optimizer, 1, gamma=0.5)
    loss = lambda output, target: (output * 0).mean()  # noqa: E731
    run = Trainer(model, loss, optimizer, scheduler=schedule, scheduler_interval=interval)
    run.fit(loader(), 3)
    assert schedule.last_epoch == (3 if interval == "epoch" else 15)
    assert optimizer.param_groups[0]["lr"] == (0.125 if interval == "epoch" else lr)


def test_averages_give_every_example_the_same_weight() -> None:
    model = linear_model()
    run = Trainer(model, MSELoss(), SGD(model.parameters()))
    data = TensorDataset(X[:37], X[:37, :1])
    whole = run.evaluate(DataLoader(data, 37))["loss"]
    assert run.evaluate(DataLoader(data, 8))["loss"] == pytest.approx(whole, rel=1e-12)


# Early stopping.


def stopping_run(losses: list[float], **options):
    """Run with the given validation losses and a model whose bias counts the epochs."""
    model = linear_model()
    model.bias.data[:] = 0.0
    rest = iter(losses)

    class Counting(SGD):
        def step(self) -> None:
            model.bias.data += 1

    def loss(output, target):
        return (output * 0).sum() + (1.0 if model.training else next(rest))

    stopping = EarlyStopping(**{"patience": 2} | options)
    run = Trainer(model, loss, Counting(model.parameters()), early_stopping=stopping)
    batch = [(Tensor(X), Tensor(X[:, :1]))]
    run.fit(batch, len(losses), batch)
    return run.epoch, stopping.best_epoch, model.bias.item()


@pytest.mark.parametrize(
    ("losses", "options", "expected"),
    [
        ([3, 2, 1, 2, 2, 0], {}, (5, 3, 3)),
        ([3, 2, 1, 2, 2, 0], {"restore_best": False}, (5, 3, 5)),
        ([3, 2, 1, 2, 0.5, 1], {}, (6, 5, 5)),
        ([3, 2.96, 2.94, 2.92], {"min_delta": 0.1}, (3, 1, 1)),
        ([1, 2, 1, 1], {"mode": "max"}, (4, 2, 2)),
        ([1, 2, 3], {}, (3, 1, 1)),
        ([1, 1, 1], {}, (3, 1, 1)),
    ],
)
def test_early_stopping_without_improvement(losses, options, expected) -> None:
    assert stopping_run(losses, **options) == expected


# Checkpoints.


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("interrupted_at", [1, 4, 5, 6, 11])
def test_resumed_run_equals_an_uninterrupted_one(
    tmp_path, interrupted_at: int, accumulate: int
) -> None:
    whole = trainer(accumulate=accumulate)
    whole.fit(loader(), 4, validation=loader())

    class Interrupted(Exception):
        pass

    def interrupting_accuracy(output, target):
        calls.append(1)
        if len(calls) > interrupted_at:
            raise Interrupted
        return accuracy(output, target)

    calls: list[int] = []
    file = tmp_path / "run.safetensors"
    options = {"checkpoint": file, "checkpoint_every": 1, "resume": True}
    first = trainer(accumulate=accumulate, metrics={"accuracy": interrupting_accuracy})
    with pytest.raises(Interrupted):
        first.fit(loader(), 4, loader(), **options)

    second = trainer(accumulate=accumulate)
    # If the file exists, all random state comes from it, so the seeds must not matter.
    seed = 99 if file.exists() else 3
    second.fit(loader(generator=seed), 4, loader(generator=seed), **options)
    assert_same(whole, second)


def test_resuming_a_completed_run_changes_nothing(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    first, second = trainer(), trainer()
    first.fit(loader(), 3, loader(), checkpoint=file)
    second.fit(loader(), 3, loader(), checkpoint=file, resume=True)
    assert_same(first, second)
    first.fit(loader(), 2, loader())
    assert_same(first, second)


def test_resuming_a_stopped_run_does_not_continue(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    runs = [trainer(early_stopping=EarlyStopping(patience=2, min_delta=9.0)) for _ in range(2)]
    for run in runs:
        run.fit(loader(), 8, loader(), checkpoint=file, resume=True)
        assert run.epoch == 3
    assert_same(*runs)


def test_completed_run_can_be_continued_with_more_epochs(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    whole, first, second = trainer(), trainer(), trainer()
    for run in (whole, first, second):
        run.early_stopping.restore_best = False
    whole.fit(loader(), 5, loader())
    first.fit(loader(), 3, loader(), checkpoint=file)
    second.fit(loader(), 5, loader(), checkpoint=file, resume=True)
    assert_same(whole, second)


def test_run_without_resume_ignores_the_checkpoint(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    first, second = trainer(), trainer()
    first.fit(loader(), 2, loader(), checkpoint=file)
    second.fit(loader(), 2, loader(), checkpoint=file)
    assert_same(first, second)


def test_save_and_load_work_without_fit(tmp_path) -> None:
    first, second = trainer(), trainer()
    first.fit(loader(), 2, loader())
    first.save(tmp_path / "run.safetensors")
    second.load(tmp_path / "run.safetensors")
    assert_same(first, second)
    np.testing.assert_array_equal(first.predict(X), second.predict(X))


def test_user_generators_are_saved(tmp_path) -> None:
    noise, other = np.random.default_rng(5), np.random.default_rng(6)
    first, second = trainer(generators={"noise": noise}), trainer(generators={"noise": other})
    noise.random(3)
    first.save(tmp_path / "c")
    second.load(tmp_path / "c")
    assert noise.random() == other.random()


def narrower() -> Trainer:
    model = Sequential(Linear(3, 4, dtype=np.float64), Linear(4, 2, dtype=np.float64))
    return Trainer(model, CrossEntropyLoss(), Adam(model.parameters()))


def with_sgd() -> Trainer:
    run = trainer()
    run.optimizer = SGD(run.model.parameters())
    return run


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (narrower, "its parts are .*early_stopping.*, but those of this run are model, optimizer"),
        (lambda: trainer(scheduler=None), "its parts are .*scheduler"),
        (with_sgd, "does not belong to SGD"),
        (lambda: trainer(generators={"a": np.random.default_rng(0)}), "its generators are 3.gen"),
    ],
)
def test_checkpoint_of_a_different_run_is_rejected_and_changes_nothing(
    tmp_path, make, message
) -> None:
    file = tmp_path / "run.safetensors"
    other = trainer()
    other.fit(loader(), 2, loader(), checkpoint=file)
    run = make()
    before = run.model.state_dict()
    with pytest.raises(
        CheckpointError, match=f"run.safetensors belongs to a different run: .*{message}"
    ):
        run.load(file)
    np.testing.assert_equal(run.model.state_dict(), before)
    assert (run.epoch, run.history) == (0, {})


def test_checkpoint_of_a_different_network_is_rejected(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    trainer().save(file)
    run = trainer()
    run.model = Sequential(Linear(3, 4, dtype=np.float64), Dropout())
    run.generators = {"3.generator": np.random.default_rng(0)}
    before = run.model.state_dict()
    with pytest.raises(CheckpointError, match="belongs to a different run"):
        run.load(file)
    np.testing.assert_equal(run.model.state_dict(), before)


def test_file_with_only_weights_is_rejected(tmp_path) -> None:
    save_checkpoint(tmp_path / "weights", network().state_dict())
    with pytest.raises(CheckpointError, match=r"not saved by a Trainer; its keys are 0\.bias"):
        trainer().load(tmp_path / "weights")


def test_resuming_from_a_damaged_checkpoint_raises(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    trainer().fit(loader(), 1, loader(), checkpoint=file)
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match="damaged"):
        trainer().fit(loader(), 2, loader(), checkpoint=file, resume=True)


def test_load_checkpoint_reads_the_parts_of_a_run(tmp_path) -> None:
    run = trainer()
    run.fit(loader(), 1, loader(), checkpoint=tmp_path / "c")
    state = load_checkpoint(tmp_path / "c")
    np.testing.assert_equal(state["model"], run.model.state_dict())
    assert state["progress"]["epoch"] == 1


# Numbers that are not finite.


def test_nan_loss_stops_the_run_and_names_the_arrays() -> None:
    data = X.copy()
    data[20, 1] = np.nan
    model = Sequential(Linear(3, 4, dtype=np.float64), Linear(4, 2, dtype=np.float64))
    run = Trainer(model, CrossEntropyLoss(), SGD(model.parameters(), lr=0.1))
    expected = (
        r"the loss is nan at step 8, in epoch 2\. Not finite among the gradients: "
        r"0\.weight \(12 of 12\), 0\.bias \(4 of 4\), 1\.weight \(8 of 8\), 1\.bias \(2 of 2\)\. "
        r"Not finite among the parameters: none\. Not finite among the data in the batch: "
        r"item 0 \(1 of 24\)\. The parameters are those after step 7\."
    )
    run.fit(DataLoader(DATA, 8), 1)
    before = model.state_dict()
    with pytest.raises(NonFiniteError, match=expected):
        run.fit(DataLoader(TensorDataset(data, Y), 8), 2)
    after = model.state_dict()
    assert all(np.isfinite(a).all() for a in after.values())
    assert any((after[name] != before[name]).any() for name in after)


def test_infinite_gradient_of_a_finite_loss_stops_the_run() -> None:
    model = linear_model()
    run = Trainer(model, lambda output, y: (output * 0).sum().sqrt(), SGD(model.parameters()))
    before = model.state_dict()
    with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match="gradient is not finite"):
        run.fit(loader(), 1)
    np.testing.assert_equal(model.state_dict(), before)


def test_text_in_a_batch_does_not_hide_a_nan_loss() -> None:
    model = linear_model()
    run = Trainer(model, lambda output, names: output.sum() * np.nan, SGD(model.parameters()))
    batches = [(X[:8], np.array(["name"] * 8))]
    with pytest.raises(NonFiniteError, match=r"data in the batch: none"):
        run.fit(batches, 1)


def test_averages_are_reset_after_an_error_within_an_epoch() -> None:
    data = X.copy()
    data[20, 1] = np.nan
    model = network(0.0)
    run = Trainer(model, CrossEntropyLoss(), SGD(model.parameters(), lr=0.0))
    with pytest.raises(NonFiniteError):
        run.fit(DataLoader(TensorDataset(data, Y), 8), 1)
    history = run.fit(DataLoader(DATA, 40), 1)
    fresh = network(0.0)
    with no_grad():
        expected = CrossEntropyLoss()(fresh(Tensor(X)), Y).item()
    assert history["loss"] == [expected]


# Progress bar and plots.


def test_progress_bar_shows_the_epoch_and_the_values(capsys) -> None:
    trainer(progress=True).fit(loader(), 2, loader())
    shown = capsys.readouterr().err
    assert "epoch 2/2: 100%" in shown
    assert "10/10" in shown
    assert "val_accuracy" in shown


@pytest.mark.parametrize("progress", [None, False])
def test_progress_bar_is_hidden_outside_of_terminals(capsys, progress) -> None:
    trainer(progress=progress).fit(loader(), 2, loader())
    assert capsys.readouterr().err == ""


def test_plot_history_draws_training_and_validation(tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    run = trainer()
    run.fit(loader(), 3, loader())
    figure = plot_history(run.history, tmp_path / "curves.png")
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    for axes, name in zip(figure.axes, ["loss", "accuracy"], strict=True):
        training, validation = axes.get_lines()
        assert training.get_ydata().tolist() == run.history[name]
        assert validation.get_ydata().tolist() == run.history[f"val_{name}"]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_plot_history_without_matplotlib_names_the_requirement(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .tinytorch-training\[plot\]"):
        plot_history({"loss": [1.0]})


# Wrong input.

M = linear_model()
W = M.weight

WRONG = {
    "interval": (lambda: trainer(scheduler_interval="week"), ValueError, "must be 'epoch' or"),
    "accumulate": (lambda: trainer(accumulate=0), ValueError, "accumulate of Trainer.*1 or more"),
    "norm": (lambda: trainer(max_grad_norm=-1.0), ValueError, "max_grad_norm of Trainer"),
    "epochs": (lambda: trainer().fit(loader(), -1), ValueError, r"epochs of fit\(\).*0 or more"),
    "no validation": (
        lambda: trainer().fit(loader(), 1),
        ValueError,
        "monitors 'val_loss', which this training does not compute",
    ),
    "misspelt": (
        lambda: trainer(early_stopping=EarlyStopping("val_acuracy")).fit(loader(), 1, loader()),
        ValueError,
        "Did you mean 'val_accuracy'",
    ),
    "no batches": (
        lambda: trainer(early_stopping=None).fit(loader(batch_size=99, drop_last=True), 1),
        ValueError,
        "the data contain no batches",
    ),
    "one tensor": (
        lambda: trainer(early_stopping=None).fit([Tensor(X)], 1),
        TypeError,
        "a batch must be a tuple of the model's inputs and, last, the target, not Tensor",
    ),
    "a list cannot be resumed": (
        lambda: trainer(early_stopping=None).fit([], 1, checkpoint="c"),
        TypeError,
        "data of a run with checkpoints must be a DataLoader.*not list",
    ),
    "resume what": (
        lambda: trainer(early_stopping=None).fit(loader(), 1, resume=True),
        ValueError,
        "resume=True requires a checkpoint",
    ),
    "no validation batches": (
        lambda: trainer().fit(loader(), 1, []),
        ValueError,
        "the data contain no batches",
    ),
    "a number as loss": (
        lambda: Trainer(M, lambda output, y: 0.5, SGD(M.parameters())).fit(loader(), 1),
        TypeError,
        "the loss must be a Tensor of one element, not 0.5",
    ),
    "a class as loss": (
        lambda: Trainer(M, MSELoss, SGD(M.parameters())),
        TypeError,
        r"loss of Trainer must be a function, not the class MSELoss; create an instance: MSELoss\(",
    ),
    "a name as loss": (
        lambda: Trainer(M, "mse", SGD(M.parameters())),
        TypeError,
        "loss of Trainer must be a function, not 'mse'",
    ),
    "a class as optimizer": (
        lambda: Trainer(M, MSELoss(), SGD),
        TypeError,
        "optimizer of Trainer must be an optimizer, such as",
    ),
    "a number as scheduler": (
        lambda: trainer(scheduler=3),
        TypeError,
        r"scheduler of Trainer must be an LRScheduler, but 3 has no method step\(\)",
    ),
    "a class as early stopping": (
        lambda: trainer(early_stopping=EarlyStopping),
        TypeError,
        r"early_stopping of Trainer must be an EarlyStopping, not the class EarlyStopping; create",
    ),
    "a list of metrics": (
        lambda: trainer(metrics=[accuracy]),
        TypeError,
        "metrics of Trainer must be a dict from names to functions",
    ),
    "a number as metric": (
        lambda: trainer(metrics={"count": 3}),
        TypeError,
        r"metrics\['count'\] of Trainer must be a function, not 3",
    ),
    "no data": (lambda: trainer().fit(None, 1), TypeError, r"data of fit\(\).*not NoneType"),
    "no validation data": (
        lambda: trainer().fit(loader(), 1, 3),
        TypeError,
        r"validation of fit\(\).*not int",
    ),
    "nothing to evaluate": (
        lambda: trainer().evaluate(3),
        TypeError,
        r"data of evaluate\(\).*not int",
    ),
    "no module": (
        lambda: Trainer(np.tanh, MSELoss(), SGD([W])),
        TypeError,
        "ufunc has no named_parameters, named_modules, train, eval",
    ),
    "another model's parameters": (
        lambda: Trainer(network(), MSELoss(), SGD(network().parameters())),
        ValueError,
        "the SGD passed to Trainer has no parameter of the model",
    ),
    "patience": (lambda: EarlyStopping(patience=0), ValueError, "patience of EarlyStopping"),
    "mode": (lambda: EarlyStopping(mode="up"), ValueError, "'min' or 'max', not 'up'"),
    "no history": (lambda: plot_history({}), ValueError, "the history is empty"),
    "regression": (
        lambda: accuracy(Tensor([1.0]), Tensor([1.0])),
        ValueError,
        r"scores of shape \(N, C\).*not \(1,\) and \(1,\)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_raises(case: str) -> None:
    make, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        make()


def test_history_records_the_learning_rate_of_a_warm_up() -> None:
    model = linear_model()
    optimizer = SGD(model.parameters(), lr=0.3)
    warm_up = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    run = Trainer(model, lambda output, y: (output**2).mean(), optimizer, scheduler=warm_up)
    run.fit(loader(), 4)
    assert run.history["lr"] == pytest.approx([0.15, 0.225, 0.3, 0.3])
