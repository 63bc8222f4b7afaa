"""The Trainer: training, the history, the dtype of data, and errors."""

from __future__ import annotations

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import no_grad
from tinytorch_layers import Linear, Sequential
from tinytorch_losses import CrossEntropyLoss, MSELoss
from tinytorch_training import (
    SGD,
    DataLoader,
    EarlyStopping,
    LinearLR,
    NonFiniteError,
    StepLR,
    TensorDataset,
    Trainer,
    accuracy,
    plot_history,
)

from .runs import DATA, X, Y, assert_same, linear_model, loader, network, trainer


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


@pytest.mark.parametrize(
    "target",
    [
        lambda first, second: (first, second),
        lambda first, second: [first, second],
        lambda first, second: {"first": first, "second": second},
        lambda first, second: ({"first": first}, second),
    ],
)
def test_a_batch_with_several_targets_counts_as_many_examples_as_they_have(target) -> None:
    def loss(output, parts):
        found = list(parts.values()) if isinstance(parts, dict) else list(parts)
        first = found[0]["first"] if isinstance(found[0], dict) else found[0]
        return ((output - first) ** 2 + (output - found[1]) ** 2).mean()

    x = np.arange(5.0)[:, None]
    examples = [(a, target(2 * a, a + 1)) for a in x]
    model = Linear(1, 1, dtype=np.float64)
    run = Trainer(model, loss, SGD(model.parameters()))
    whole = run.evaluate(DataLoader(examples, 5))["loss"]
    assert run.evaluate(DataLoader(examples, 4))["loss"] == pytest.approx(whole, rel=1e-12)


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


# Wrong input.

M = linear_model()
W = M.weight

WRONG = {
    "interval": (lambda: trainer(scheduler_interval="week"), ValueError, "must be 'epoch' or"),
    "a schedule of another optimizer": (
        lambda: trainer(scheduler=StepLR(SGD([W]), 1)),
        ValueError,
        "sets the learning rates of a different optimizer",
    ),
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
    "a metric of several numbers": (
        lambda: trainer(metrics={"errors": lambda o, y: [1.0, 2.0]}).fit(loader(), 1, loader()),
        TypeError,
        r"the metric 'errors' must return a number, or a list if .*, not \[1.0, 2.0\]",
    ),
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


def test_history_has_a_number_for_each_epoch(tmp_path) -> None:
    run = trainer(early_stopping=None)
    run.fit(loader(), 2)
    run.fit(loader(), 1, loader())
    run.fit(loader(), 1, checkpoint=tmp_path / "run")
    found = run.history["val_loss"]
    assert np.isnan(found).tolist() == [True, True, False, True]
    assert {len(values) for values in run.history.values()} == {4}
    other = trainer(early_stopping=None)
    other.load(tmp_path / "run")
    np.testing.assert_equal(other.history, run.history)


def test_history_records_the_learning_rate_of_a_warm_up() -> None:
    model = linear_model()
    optimizer = SGD(model.parameters(), lr=0.3)
    warm_up = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    run = Trainer(model, lambda output, y: (output**2).mean(), optimizer, scheduler=warm_up)
    run.fit(loader(), 4)
    assert run.history["lr"] == pytest.approx([0.15, 0.225, 0.3, 0.3])


@pytest.mark.parametrize("targets", [1, 2])
def test_an_empty_batch_counts_nothing(targets) -> None:
    def loss(output, target):
        first = target if targets == 1 else target[0]
        return ((output - first) ** 2).mean()

    def batch(rows):
        target = x[:rows, :1]
        return x[:rows], target if targets == 1 else (target,) * targets

    x = np.ones((4, 2), np.float32)
    histories = []
    for batches in ([batch(4)], [batch(4), batch(0)]):
        model = Linear(2, 1, generator=0)
        parts = model, loss, SGD(model.parameters(), 0.1)
        trainer = Trainer(*parts, metrics={"first": lambda y, t: y.data[0, 0]}, accumulate=2)
        histories.append((trainer.fit(batches, 2), model.weight.tolist()))
    assert histories[0] == histories[1]
