"""The forms of data that the Trainer takes."""

from __future__ import annotations

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_layers import Linear, Module
from tinytorch_losses import CrossEntropyLoss, MSELoss
from tinytorch_training import SGD, DataLoader, TensorDataset, Trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
T = X.sum(axis=1, keepdims=True)
WEIGHTS = RNG.integers(0, 4, 40).astype(np.float64)


def trainer(model=None, loss=None, **options) -> Trainer:
    model = model or Linear(3, 1, dtype=np.float64, generator=0)
    return Trainer(model, loss or MSELoss(), SGD(model.parameters(), lr=0.1), **options)


def weights_of(run: Trainer) -> dict:
    return run.model.state_dict()


def loader(**options) -> DataLoader:
    return DataLoader(TensorDataset(X, T, dtype=np.float64), **{"batch_size": 8} | options)


FORMS = {
    "arrays": lambda run, **o: run.fit(X, T, 3, batch_size=8, **o),
    "arrays and names": lambda run, **o: run.fit(X, T, epochs=3, batch_size=8, **o),
    "tensors": lambda run, **o: run.fit(Tensor(X), Tensor(T), 3, batch_size=8, **o),
    "lists": lambda run, **o: run.fit((X,), T.tolist(), 3, batch_size=8, **o),
    "a NumPy number of epochs": lambda run, **o: run.fit(loader(**o), np.int64(3)),
    "a dataset": lambda run, **o: run.fit(loader().dataset, 3, batch_size=8, **o),
    "a loader": lambda run, **o: run.fit(loader(**o), 3),
    "a loader and names": lambda run, **o: run.fit(loader(**o), epochs=3),
}


@pytest.mark.filterwarnings("ignore:Trainer converts")
@pytest.mark.parametrize("form", FORMS)
def test_all_forms_give_the_same_run(form: str) -> None:
    whole, run = trainer(), trainer()
    whole.fit(loader(shuffle=True, generator=5), 3)
    FORMS[form](run, shuffle=True, generator=5)
    if form != "lists":  # lists hold numbers of float32
        np.testing.assert_equal(weights_of(run), weights_of(whole))
    assert run.history["loss"] == pytest.approx(whole.history["loss"], rel=1e-6)


def test_data_frames_are_arrays() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(X, columns=list("abc"))
    target = pandas.DataFrame({"t": T[:, 0]})
    whole, run = trainer(), trainer()
    whole.fit(X, T, 2, (X, T), shuffle=False)
    run.fit(frame, target, 2, (frame, target), shuffle=False)
    assert run.history == whole.history
    np.testing.assert_array_equal(run.predict(frame), run.predict(X))
    frame["text"] = "word"
    with pytest.raises(TypeError, match=r"DataFrame whose columns 'text' .* are not numbers"):
        run.fit(frame, target, 1)


class Two(Module):
    def __init__(self):
        self.first = Linear(3, 1, dtype=np.float64, generator=0)
        self.second = Linear(3, 1, dtype=np.float64, generator=1)

    def forward(self, a, b):
        return self.first(a) + self.second(b)


@pytest.mark.parametrize("inputs", [(X, -X), {"a": X, "b": -X}], ids=["tuple", "dict"])
@pytest.mark.parametrize("compile", [False, True])
def test_several_inputs(inputs, compile: bool) -> None:
    whole, run = trainer(Two()), trainer(Two(), compile=compile)
    whole.fit([(X[i : i + 8], -X[i : i + 8], T[i : i + 8]) for i in range(0, 40, 8)], 3)
    run.fit(inputs, T, 3, (inputs, T), batch_size=8, shuffle=False)
    np.testing.assert_equal(weights_of(run), weights_of(whole))
    expected = whole.model(X, -X).data
    np.testing.assert_array_equal(run.predict(inputs), expected)
    assert run.evaluate(inputs, T)["loss"] == run.history["val_loss"][-1]


def test_dict_batches_name_the_arguments_of_the_model() -> None:
    whole, run = trainer(Two()), trainer(Two())
    whole.fit([(X, -X, T)], 2)
    run.fit([{"b": -X, "target": T, "a": X}], 2)
    np.testing.assert_equal(weights_of(run), weights_of(whole))


@pytest.mark.parametrize("compile", [False, True])
def test_an_example_of_weight_two_counts_like_two_examples(compile: bool) -> None:
    weighted, repeated = trainer(compile=compile), trainer()
    again = WEIGHTS.astype(int)
    one = weighted.fit(X, T, 3, (X, T, WEIGHTS), batch_size=40, sample_weight=WEIGHTS)
    other = repeated.fit(X.repeat(again, 0), T.repeat(again, 0), 3, batch_size=200)
    assert one["loss"] == pytest.approx(other["loss"], rel=1e-12)
    assert one["val_loss"][-1] == pytest.approx(
        repeated.evaluate(X.repeat(again, 0), T.repeat(again, 0))["loss"], rel=1e-12
    )


def test_metrics_count_each_example_the_same() -> None:
    weights = np.where(np.arange(len(X)) < 14, 0, WEIGHTS)  # the first batches have no weight
    run = trainer(metrics={"mean": lambda _, target: float(target.data.mean())})
    found = run.evaluate(X, T, batch_size=7, sample_weight=weights)
    history = run.fit(X, T, 1, batch_size=7, sample_weight=weights)
    assert [found["mean"], *history["mean"]] == pytest.approx([T.mean()] * 2, rel=1e-12)
    assert found["loss"] == pytest.approx(trainer().evaluate(X, T, sample_weight=weights)["loss"])


@pytest.mark.parametrize("accumulate", [1, 2])
def test_weighted_batches_of_a_step_equal_one_batch(accumulate: int) -> None:
    one, other = trainer(), trainer(accumulate=accumulate)
    one.fit(X, T, 2, sample_weight=WEIGHTS, shuffle=False, batch_size=20)
    other.fit(X, T, 2, sample_weight=WEIGHTS, shuffle=False, batch_size=20 // accumulate)
    np.testing.assert_allclose(other.history["loss"], one.history["loss"], rtol=1e-12)


def test_losses_of_classes_and_functions_take_weights() -> None:
    y = (T[:, 0] > 0).astype(int)
    models = [Linear(3, 2, dtype=np.float64, generator=0) for _ in range(2)]
    run = trainer(models[0], CrossEntropyLoss())

    def loss(output, target, weight):
        each = CrossEntropyLoss(reduction="none")(output, target)
        return (each * weight).sum() / weight.sum()

    other = trainer(models[1], loss)
    for each in (run, other):
        each.fit(X, y, 2, sample_weight=WEIGHTS, shuffle=False)
    assert run.history == other.history


def test_a_fraction_holds_out_the_same_examples_in_every_call() -> None:
    runs = []
    for _ in range(2):
        seen: list = []
        run = trainer(metrics={"first": lambda output, y, s=seen: s.extend(y.data[:, 0]) or 0.0})
        run.fit(X, T, 1, 0.25, batch_size=4, generator=1)
        runs.append(seen)
    assert runs[0] == runs[1]
    training, held_out = runs[0][:30], runs[0][30:]
    assert sorted(training + held_out) == sorted(T[:, 0].tolist())


def test_arrays_are_resumed(tmp_path) -> None:
    options = {"batch_size": 8, "checkpoint": tmp_path / "run", "resume": True}
    whole, first, second = trainer(), trainer(), trainer()
    whole.fit(X, T, 4, 0.2, batch_size=8, generator=1)
    first.fit(X, T, 2, 0.2, generator=1, **options)
    second.fit(X, T, 4, 0.2, generator=9, **options)
    assert second.history == whole.history


def test_predict_takes_loaders_and_keeps_the_structure_of_outputs() -> None:
    class Pair(Linear):
        def forward(self, x):
            return {"y": super().forward(x), "parts": (x,)}

    run = trainer(Pair(3, 1, dtype=np.float64, generator=0))
    found = run.predict(loader())
    np.testing.assert_array_equal(found["parts"][0], X)
    np.testing.assert_array_equal(found["y"], run.predict(X)["y"])
    np.testing.assert_array_equal(run.predict(loader().dataset)["y"], found["y"])


def test_evaluation_takes_lists() -> None:
    run = trainer()
    expected = run.evaluate(X, T)
    assert run.evaluate(X.tolist(), T.tolist()) == expected
    history = run.fit(X, T, 1, (X.tolist(), T.tolist()))
    assert history["val_loss"] == pytest.approx([run.evaluate(X, T)["loss"]])


@pytest.mark.parametrize("accumulate", [1, 2])
def test_batches_of_weight_zero_count_nothing(accumulate: int) -> None:
    weights = np.repeat([0.0, 2.0, 0.0, 0.0, 1.0], 8)
    run, other = trainer(accumulate=accumulate), trainer()
    run.fit(X, T, 1, (X, T, weights), sample_weight=weights, shuffle=False, batch_size=8)
    for part in (slice(8, 16), slice(32, 40)):
        other.fit(X[part], T[part], 1)
    np.testing.assert_allclose(run.model.weight.data, other.model.weight.data, rtol=1e-12)
    expected = np.average(other.history["loss"], weights=[2, 1])
    assert run.history["loss"] == pytest.approx([expected], rel=1e-12)


WRONG = {
    "weights in a column": (
        lambda: trainer().fit(X, T, 1, sample_weight=WEIGHTS[:, None]),
        ValueError,
        r"sample_weight of fit\(\) must have one number for each example, not the shape \(40, 1\)",
    ),
    "weights of a batch in a column": (
        lambda: trainer().fit([{"inputs": X, "target": T, "weight": WEIGHTS[:, None]}], 1),
        ValueError,
        r"weights of a batch must have the shape \(40,\), .* not \(40, 1\)",
    ),
    "only weights of zero": (
        lambda: trainer().fit(X, T, 1, sample_weight=0 * WEIGHTS),
        ValueError,
        "no batches, or only examples of weight 0",
    ),
    "nothing to evaluate": (lambda: trainer().evaluate(None), TypeError, "not NoneType"),
    "evaluation without targets": (
        lambda: trainer().evaluate(X),
        TypeError,
        r"is an array without targets; pass evaluate\(inputs, targets",
    ),
    "validation without targets": (
        lambda: trainer().fit(X, T, 1, X),
        TypeError,
        r"validation of fit\(\) is an array without targets; pass inputs and targets",
    ),
    "weights for evaluating a loader": (
        lambda: trainer().evaluate(loader(), sample_weight=WEIGHTS),
        TypeError,
        r"evaluate\(\) takes sample_weight only with arrays",
    ),
    "batch size": (lambda: trainer().predict(X, "8"), TypeError, r"batch_size of predict\(\)"),
    "nothing to predict": (lambda: trainer().predict(X[:0]), ValueError, "the data are empty"),
    "lengths": (
        lambda: trainer().fit(X, T[:9], 1),
        ValueError,
        r"numbers of examples differ: data of fit\(\): 40, target of fit\(\): 9",
    ),
    "no targets": (
        lambda: trainer().fit(X, epochs=1),
        TypeError,
        r"is an array without targets; pass fit\(inputs, targets",
    ),
    "text": (lambda: trainer().fit(X.astype(str), T, 1), TypeError, r"data of fit\(\) must be an"),
    "one number": (lambda: trainer().fit((3.0,), T, 1), ValueError, "must have an axis of exam"),
    "a negative weight": (
        lambda: trainer().fit(X, T, 1, sample_weight=-WEIGHTS),
        ValueError,
        r"sample_weight of fit\(\) must be 0 or more",
    ),
    "a weight for a loader": (
        lambda: trainer().fit(loader(), 1, sample_weight=WEIGHTS),
        TypeError,
        "takes sample_weight only with arrays of inputs and targets, not with DataLoader",
    ),
    "a fraction of a loader": (
        lambda: trainer().fit(loader(), 1, 0.5),
        TypeError,
        "takes a fraction as validation only with arrays",
    ),
    "a fraction that is too large": (
        lambda: trainer().fit(X, T, 1, 1.5),
        ValueError,
        "must be a fraction between 0 and 1 that leaves examples for both parts, but is 1.5 of 40",
    ),
    "a loss that sums": (
        lambda: trainer(loss=MSELoss(reduction="sum")).fit(X, T, 1, sample_weight=WEIGHTS),
        ValueError,
        "sample weights need a loss with reduction='mean', not 'sum'",
    ),
    "a dict without target": (
        lambda: trainer().fit([{"x": X}], 1),
        TypeError,
        "must have the inputs and 'target', but its keys are 'x'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_raises(case: str) -> None:
    make, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        make()
