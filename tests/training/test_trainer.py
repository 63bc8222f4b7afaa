"""The Trainer: training, reporting, early stopping, checkpoints and errors."""

from __future__ import annotations

import copy
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
    AdamW,
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
    run_state,
    save_checkpoint,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = (X.sum(axis=1) > 0).astype(np.int64)
DATA = TensorDataset(X, Y, dtype=np.float64)


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
    data = TensorDataset(X[:size], X[:size, :1], dtype=np.float64)
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
    data = TensorDataset(X[:37], X[:37, :1], dtype=np.float64)
    whole = run.evaluate(DataLoader(data, 37))["loss"]
    assert run.evaluate(DataLoader(data, 8))["loss"] == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("epochs", [(1, 1, 1), (2, 1), (0, 3, 0)])
def test_each_call_of_fit_trains_further_epochs(epochs) -> None:
    whole, run = trainer(early_stopping=None), trainer(early_stopping=None)
    whole.fit(loader(), 3)
    batches = loader()
    for each in epochs:
        run.fit(batches, each)
    assert_same(whole, run)


def float32_trainer(**options) -> Trainer:
    model = Linear(3, 2, generator=0)
    return Trainer(model, CrossEntropyLoss(), SGD(model.parameters(), lr=0.1), **options)


def test_data_are_converted_to_the_dtype_of_the_model_with_one_warning() -> None:
    class Pair(Linear):
        def forward(self, x):
            seen.append((x["a"].dtype, x["n"].dtype))
            return super().forward(x["a"])

    seen: list = []
    model, twin = Pair(3, 2, generator=0), Linear(3, 2, generator=0)
    run = Trainer(model, CrossEntropyLoss(), SGD(model.parameters(), lr=0.1))
    batches = [({"a": X, "n": np.arange(40)}, Y)]
    with pytest.warns(UserWarning, match="converts data of float64 to float32") as warned:
        run.fit(batches, 2, batches)
    assert [w.filename for w in warned] == [__file__]
    assert set(seen) == {(np.dtype(np.float32), np.dtype(np.int64))}
    Trainer(twin, CrossEntropyLoss(), SGD(twin.parameters(), lr=0.1)).fit(
        [(X.astype(np.float32), Y)], 2
    )
    np.testing.assert_equal(model.state_dict(), twin.state_dict())


def test_evaluate_and_predict_convert_data() -> None:
    run = float32_trainer(metrics={"bytes": lambda output, y: output.dtype.itemsize})
    with pytest.warns(UserWarning, match="converts data of float64"):
        assert run.predict(X).dtype == np.float32
    assert run.evaluate([(X, Y)])["bytes"] == 4


def test_targets_are_converted() -> None:
    model = Linear(3, 1, generator=0)
    run = Trainer(model, lambda y, t: ((y - t) ** 2).mean(), SGD(model.parameters()))
    run.metrics = {"bytes": lambda output, target: target.dtype.itemsize}
    with pytest.warns(UserWarning, match="converts data of float64"):
        run.fit([(X.astype(np.float32), X[:, :1])], 1)
    assert run.history["bytes"] == [4]


def test_float64_model_trains_in_float64() -> None:
    run = trainer(early_stopping=None, metrics={"bytes": lambda output, y: output.dtype.itemsize})
    run.fit([(X, Y), (X.astype(np.float32), Y)], 1)
    assert run.history["bytes"] == [8]
    assert run.predict(X).dtype == np.float64


def test_metrics_get_detached_tensors() -> None:
    class Two(Linear):
        def forward(self, x):
            out = super().forward(x)
            return out, {"again": [out]}

    def metric(output, target):
        first, others = output
        seen.append([t.requires_grad for t in (first, *others["again"], target)])
        return 0.0

    seen: list = []
    model = Two(3, 1, dtype=np.float64, generator=0)
    loss = lambda output, target: ((output[0] - target) ** 2).mean()  # noqa: E731
    run = Trainer(model, loss, SGD(model.parameters()), metrics={"metric": metric})
    run.fit([(Tensor(X), Tensor(X[:, :1], requires_grad=True))], 1)
    assert seen == [[False, False, False]]


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
        ([np.nan, 3, 2, 4], {}, (4, 3, 3)),
        ([np.nan, 3, 2, 4], {"mode": "max"}, (4, 4, 4)),
        ([3, np.nan, 2, np.nan], {}, (4, 3, 3)),
        ([np.nan, np.nan, 1], {}, (2, 0, 2)),
    ],
)
def test_early_stopping_without_improvement(losses, options, expected) -> None:
    assert stopping_run(losses, **options) == expected


def test_fit_after_early_stopping_warns_and_a_new_condition_continues() -> None:
    run = trainer(early_stopping=EarlyStopping(patience=1, min_delta=9.0))
    run.fit(loader(), 8, loader())
    assert run.epoch == 2
    with pytest.warns(UserWarning, match="has ended this run after epoch 2.* a new EarlyStopping"):
        run.fit(loader(), 3, loader())
    assert run.epoch == 2
    run.early_stopping = None
    run.fit(loader(), 3, loader())
    assert run.epoch == 5


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


@pytest.mark.parametrize("interrupted_at", [1, 5, 8, 12])
def test_interrupted_program_with_several_calls_of_fit_is_resumed(tmp_path, interrupted_at) -> None:
    """The calls of fit have different data, and each call must get its own epochs."""
    other = TensorDataset(X[::-1], Y[::-1], dtype=np.float64)

    def program(run, file):
        options = {"checkpoint": file, "checkpoint_every": 1, "resume": True}
        run.fit(loader(), 2, loader(), **options)
        run.fit(DataLoader(other, 8), 1, loader(), **options)
        return run

    class Interrupted(Exception):
        pass

    def interrupting_accuracy(output, target):
        if len(calls) == interrupted_at:
            raise Interrupted
        calls.append(1)
        return accuracy(output, target)

    calls: list[int] = []
    options = {"early_stopping": None}
    whole = program(trainer(**options), tmp_path / "whole")
    file = tmp_path / "run"
    first = trainer(metrics={"accuracy": interrupting_accuracy}, **options)
    with pytest.raises(Interrupted):
        program(first, file)
    assert_same(whole, program(trainer(**options), file))


def test_resuming_in_the_same_process_ends_at_the_same_epoch(tmp_path) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(output, target):
        if run.step == 7 and not interrupted:
            interrupted.append(1)
            raise Interrupted
        return 0.0

    interrupted: list[int] = []
    run = trainer(early_stopping=None, metrics={"none": interrupt})
    options = {"checkpoint": tmp_path / "run", "checkpoint_every": 1, "resume": True}
    with pytest.raises(Interrupted):
        run.fit(loader(), 3, **options)
    run.fit(loader(), 3, **options)
    assert run.epoch == 3
    run.load(tmp_path / "run")
    run.fit(loader(), 2)
    assert run.epoch == 5


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


def with_adamw() -> Trainer:
    run = trainer()
    run.optimizer = AdamW(run.model.parameters())
    return run


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (narrower, "its parts are .*early_stopping.*, but those of this run are model, optimizer"),
        (lambda: trainer(scheduler=None), "its parts are .*scheduler"),
        (with_sgd, "does not belong to SGD: it was saved by Adam"),
        (with_adamw, "does not belong to AdamW: it was saved by Adam"),
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


def odd(**changes):
    """Return a function that changes values in the state of a run; dots separate the keys."""

    def change(state: dict) -> None:
        for path, value in changes.items():
            *parents, key = path.split("__")
            part = state
            for name in parents:
                part = part[int(name) if isinstance(part, list) else name]
            if value is None:
                del part[key]
            else:
                part[key] = value

    return change


def poison(*keys):
    """Return a function that writes NaN into an array of the state."""

    def change(state: dict) -> None:
        for key in keys:
            state = state[key]
        state.flat[0] = np.nan

    return change


ODD = {
    "a negative epoch": (odd(progress__epoch=-5), "epoch of the checkpoint must be 0 or more"),
    "half an epoch": (odd(progress__epoch=1.5), "epoch of the checkpoint must be an integer"),
    "a step of text": (odd(progress__step="3"), "step of the checkpoint must be an integer"),
    "no step": (odd(progress__step=None), "its state has no 'step'"),
    "a list as progress": (odd(progress=[1]), "TypeError"),
    "a history of text": (odd(progress__history={"loss": ["a"]}), "history of 'loss' contains"),
    "no history": (odd(progress__history=3), "AttributeError"),
    "no weights": (odd(model={}), "0.weight is missing"),
    "text as the optimizer": (odd(optimizer="SGD"), "TypeError"),
    "no state of the optimizer": (odd(optimizer__state=[]), "this state has 1 groups"),
    "a missing moment": (
        odd(optimizer__state__1__exp_avg_sq=None),
        "the state of parameter 1 does not contain 'exp_avg_sq', which Adam needs",
    ),
    "a negative step": (odd(optimizer__state__1__step=-3), "step of parameter 1 of Adam must be 0"),
    "patience": (odd(early_stopping__waited=-1), "waited of EarlyStopping must be 0 or more"),
    "no best value": (odd(early_stopping__best=[1]), "best of EarlyStopping must be a number"),
    "averages of text": (odd(averages__sums={"loss": "a"}), "sums of Averages must be numbers"),
    "examples": (odd(averages__examples=-1), "examples of Averages must be 0 or more"),
    "a late batch": (odd(data__position=99), "this state is for batch 99 of an epoch, but"),
    "a negative batch": (odd(data__position=-1), "position of DataLoader must be 0 or more"),
    "no generator": (odd(data__generator={}), "belongs to a None generator"),
    "a bad epoch start": (odd(data__began={"bit_generator": "PCG64"}), "its state has no 'state'"),
    "NaN weights": (poison("model", "0.weight"), "contains NaN in 0.weight, so training cannot"),
    "NaN moments": (
        poison("optimizer", "state", 1, "exp_avg"),
        "contains NaN in exp_avg of the optimizer's parameter 1, so",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_state_raises_and_changes_nothing(tmp_path, case) -> None:
    file = tmp_path / "run.safetensors"
    change, message = ODD[case]
    run = trainer()
    run.fit(loader(), 1, loader(), checkpoint=file)
    state = load_checkpoint(file)
    change(state)
    save_checkpoint(file, state)
    expected = copy.deepcopy(run_state.state_of(run))
    with pytest.raises(CheckpointError, match=message):
        run.load(file)
    np.testing.assert_equal(run_state.state_of(run), expected)


def test_buffers_may_contain_nan(tmp_path) -> None:
    first, second = trainer(), trainer()
    first.model[1].running_mean[0] = np.nan
    first.save(tmp_path / "c")
    second.load(tmp_path / "c")
    np.testing.assert_equal(second.model.state_dict(), first.model.state_dict())


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
        run.fit(DataLoader(TensorDataset(data, Y, dtype=np.float64), 8), 2)
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
        run.fit(DataLoader(TensorDataset(data, Y, dtype=np.float64), 8), 1)
    history = run.fit(DataLoader(DATA, 40), 1)
    fresh = network(0.0)
    with no_grad():
        expected = CrossEntropyLoss()(fresh(Tensor(X)), Y).item()
    assert history["loss"] == [expected]


# Progress bar and plots.


@pytest.fixture
def terminal(capsys, monkeypatch):
    """Have bars shown, as on a terminal and in a notebook."""
    monkeypatch.setattr("tinytorch_training.progress._in_notebook", lambda: True)
    return capsys


def test_without_a_terminal_each_epoch_is_a_line(capsys) -> None:
    trainer(progress=True).fit(loader(), 2, loader())
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("epoch 1/2: loss 0.")
    assert second.startswith("epoch 2/2: ")
    assert ", val_accuracy 0." in second
    trainer().fit(loader(), 1, loader())
    assert capsys.readouterr().err == ""


def test_progress_bar_shows_the_epoch_and_the_values(terminal) -> None:
    capsys = terminal
    trainer(progress=True).fit(loader(), 2, loader())
    shown = capsys.readouterr().err
    assert "epoch 2/2: 100%" in shown
    assert "10/10" in shown
    assert "val_accuracy" in shown


def test_progress_bar_of_a_resumed_run_counts_the_completed_batches(tmp_path, terminal) -> None:
    capsys = terminal

    class Interrupted(Exception):
        pass

    def interrupt(output, target):
        raise Interrupted

    options = {"checkpoint": tmp_path / "run", "checkpoint_every": 1, "resume": True}
    run = trainer(early_stopping=None)
    run.fit(loader(), 1, **options)
    run.metrics = {"accuracy": lambda output, y: interrupt(output, y) if run.step == 7 else 0.0}
    with pytest.raises(Interrupted):
        run.fit(loader(), 1, **options)
    capsys.readouterr()
    # A new process repeats both calls: the first is complete, the second continues after batch 7.
    resumed = trainer(early_stopping=None, progress=True)
    batches = loader()
    resumed.fit(batches, 1, **options)
    resumed.fit(batches, 1, **options)
    shown = capsys.readouterr().err
    assert "7/10 [00:00<?" in shown
    assert "epoch 2/2: 100%" in shown
    assert "10/10" in shown


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
    "epochs of True": (lambda: trainer().fit(loader(), True), TypeError, "an integer, not True"),
    "resume": (
        lambda: trainer(early_stopping=None).fit(loader(), 1, resume="no"),
        TypeError,
        r"resume of fit\(\) must be True or False, not 'no'",
    ),
    "progress": (lambda: trainer(progress="no"), TypeError, "progress of Trainer must be True or"),
    "a metric named loss": (
        lambda: trainer(metrics={"loss": accuracy}),
        ValueError,
        "a metric of Trainer cannot have the name 'loss': the history uses",
    ),
    "a metric named lr": (lambda: trainer(metrics={"lr": accuracy}), ValueError, "name 'lr'"),
    "a metric named like one of validation": (
        lambda: trainer(metrics={"val_accuracy": accuracy}),
        ValueError,
        "name 'val_accuracy'.*'val_' itself",
    ),
    "a metric without a name": (
        lambda: trainer(metrics={3: accuracy}),
        TypeError,
        "names of the metrics of Trainer must be strings, not 3",
    ),
    "a seed as generator": (
        lambda: trainer(generators={"noise": 3}),
        TypeError,
        r"generators\['noise'\] of Trainer must be a numpy.random.Generator, not 3",
    ),
    "monitor": (lambda: EarlyStopping(3), TypeError, "monitor of EarlyStopping must be a name"),
    "patience of True": (lambda: EarlyStopping(patience=True), TypeError, "an integer, not True"),
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
    "inputs and targets without epochs": (
        lambda: trainer(early_stopping=None).fit(X, np.zeros(len(X), int)),
        TypeError,
        r"fit\(\) requires the number of epochs: fit\(data, epochs=10\)",
    ),
    "a generator for two epochs": (
        lambda: trainer(early_stopping=None).fit(iter(loader()), 2),
        TypeError,
        "is empty after the first epoch; pass a DataLoader or a list",
    ),
    "a class as model": (
        lambda: Trainer(Sequential, CrossEntropyLoss(), SGD(Linear(2, 2).parameters())),
        TypeError,
        r"model of Trainer is the class Sequential; pass an instance of it, Sequential\(\.\.\.\)",
    ),
    "one tensor": (
        lambda: trainer(early_stopping=None).fit([Tensor(X)], 1),
        TypeError,
        "a batch must be a tuple of the model's inputs and, last, the target, or a dict, not T",
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


def test_an_empty_batch_counts_nothing() -> None:
    x = np.ones((4, 2), np.float32)
    histories = []
    for batches in ([(x, x[:, :1])], [(x, x[:, :1]), (x[:0], x[:0, :1])]):
        model = Linear(2, 1, generator=0)
        parts = model, lambda y, t: ((y - t) ** 2).mean(), SGD(model.parameters(), 0.1)
        trainer = Trainer(*parts, metrics={"first": lambda y, t: y.data[0, 0]}, accumulate=2)
        histories.append((trainer.fit(batches, 2), model.weight.tolist()))
    assert histories[0] == histories[1]
