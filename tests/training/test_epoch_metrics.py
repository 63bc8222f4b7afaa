"""Metrics over a whole epoch."""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
import pytest

from tinytorch_layers import Linear
from tinytorch_losses import CrossEntropyLoss, MSELoss
from tinytorch_training import (
    SGD,
    Callback,
    DataLoader,
    JSONLogger,
    TensorDataset,
    Trainer,
    confusion_matrix,
    f1_score,
    mean_absolute_error,
    over_epoch,
    plot_history,
    precision,
    r2_score,
    recall,
    roc_auc,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3))
Y = (X[:, 0] + 0.5 * RNG.normal(size=50) > 0.7).astype(int)
KINDS = (X[:, :2] + 0.5 * RNG.normal(size=(50, 2)) > 0).sum(axis=1)


def trainer(classes: int, metrics: dict, **options) -> Trainer:
    model = Linear(3, classes, dtype=np.float64, generator=0)
    loss = MSELoss() if classes == 1 else CrossEntropyLoss()
    return Trainer(model, loss, SGD(model.parameters(), lr=0.1), metrics=metrics, **options)


@pytest.mark.parametrize("compile", [False, True])
def test_metrics_are_those_of_scikit_learn_over_the_epoch(compile: bool) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    metrics = {
        "f1": f1_score,
        "weighted": partial(f1_score, average="weighted"),
        "precision": precision,
        "recall": recall,
        "matrix": confusion_matrix,
    }
    for target, classes in ((Y, 2), (KINDS, 3)):
        run = trainer(classes, metrics, compile=compile)
        history = run.fit(X, target, 3, (X, target), batch_size=8)
        predicted = run.predict(X).argmax(axis=1)
        average = "binary" if classes == 2 else "macro"
        expected = {
            "f1": sklearn.f1_score(target, predicted, average=average),
            "weighted": sklearn.f1_score(target, predicted, average="weighted"),
            "precision": sklearn.precision_score(target, predicted, average=average),
            "recall": sklearn.recall_score(target, predicted, average=average),
        }
        found = {name: history[f"val_{name}"][-1] for name in metrics}
        assert found.pop("matrix") == sklearn.confusion_matrix(target, predicted).tolist()
        assert found == pytest.approx(expected, rel=1e-12)


def test_one_score_for_an_example_is_compared_with_a_threshold() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    scores, target = np.array([[-2.0], [0.2], [0.7], [3.0]]), np.array([0, 1, 0, 1])
    assert recall(scores, target) == 0.5
    assert recall(scores, target, threshold=0.0) == 1.0
    assert precision(scores[:, 0], target[:, None]) == 0.5
    assert confusion_matrix(scores, target) == [[1, 1], [1, 1]]
    assert f1_score(scores, np.zeros(4)) == 0.0


def test_roc_auc() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    scores = RNG.normal(size=(50, 3))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert roc_auc(p, KINDS) == pytest.approx(
        sklearn.roc_auc_score(KINDS, p, multi_class="ovr"), rel=1e-12
    )
    both = sklearn.roc_auc_score(Y, scores[:, 1] - scores[:, 0])
    assert roc_auc(scores[:, :2], Y) == pytest.approx(both, rel=1e-12)
    one = sklearn.roc_auc_score(Y, scores[:, 0])
    assert roc_auc(scores[:, :1], Y) == pytest.approx(one, rel=1e-12)
    assert np.isnan(roc_auc(scores[:, 0], np.ones(50)))


def test_regression() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    target = X.sum(axis=1, keepdims=True)
    run = trainer(1, {"r2": r2_score, "mae": mean_absolute_error})
    run.fit(X, target, 2, batch_size=8)
    found = run.evaluate(X, target, batch_size=7)
    predicted = run.predict(X)
    expected = {
        "r2": sklearn.r2_score(target, predicted),
        "mae": sklearn.mean_absolute_error(target, predicted),
    }
    # Batches of seven and of fifty rows may differ in the last bit of a product.
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)


class Interrupted(Exception):
    pass


class Interrupting(Callback):
    def on_step_end(self, trainer, batches) -> None:
        if trainer.step == 10:
            raise Interrupted


@over_epoch
def spread(output, target) -> float:
    return (output.max(axis=0) - output.min(axis=0)).sum() + target.mean()


def test_a_resumed_epoch_includes_its_first_batches(tmp_path) -> None:
    def loader():
        return DataLoader(
            TensorDataset(X, Y, dtype=np.float64), 8, shuffle=True, generator=3, drop_last=True
        )

    options = {"checkpoint": tmp_path / "run", "checkpoint_every": 2, "resume": True}
    whole, second = (trainer(2, {"spread": spread}) for _ in range(2))
    whole.fit(loader(), 3)
    with pytest.raises(Interrupted):
        trainer(2, {"spread": spread}, callbacks=[Interrupting()]).fit(loader(), 3, **options)
    second.fit(loader(), 3, **options)
    assert second.history == whole.history


def test_a_matrix_is_saved_logged_and_not_plotted(tmp_path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    log = JSONLogger(tmp_path / "log")
    run = trainer(2, {"matrix": confusion_matrix}, callbacks=[log], progress=True)
    run.fit(X, Y, 2, checkpoint=tmp_path / "run")
    again = trainer(2, {"matrix": confusion_matrix}, callbacks=[JSONLogger(tmp_path / "other")])
    again.load(tmp_path / "run")
    assert again.history == run.history
    assert '"matrix": [[' in (tmp_path / "log").read_text()
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    assert [axes.get_title() for axes in plot_history(run.history).axes] == ["loss"]


def test_trainer_has_a_readable_text() -> None:
    run = trainer(2, {})
    assert repr(run) == "Trainer(Linear, CrossEntropyLoss, SGD: 8 parameters, 0 epochs)"
    run.fit(X, Y, 1)
    assert repr(run).startswith("Trainer(Linear, CrossEntropyLoss, SGD: 8 parameters, 1 epoch, los")
    run.fit(X, Y, 1)
    assert repr(run).startswith("Trainer(Linear, CrossEntropyLoss, SGD: 8 parameters, 2 epochs, lo")


WRONG = {
    "shapes": (lambda: f1_score(X, X), ValueError, r"f1_score expects scores .*not \(50, 3\) and"),
    "shapes of roc_auc": (lambda: roc_auc(X, X), ValueError, "roc_auc expects scores of shape"),
    "classes of other numbers": (
        lambda: confusion_matrix(X[:, 0], 2 * Y - 1),
        ValueError,
        r"confusion_matrix expects classes from 0 to 1 for scores of shape \(50,\), .* contain -1",
    ),
    "too many classes": (lambda: roc_auc(X, KINDS + 1), ValueError, "from 0 to 2 .* contain 3"),
    "fractions": (lambda: f1_score(X[:, :1], Y / 2), ValueError, "from 0 to 1 .* contain 0.5"),
    "different shapes": (
        lambda: r2_score(X, X[:, :1]),
        ValueError,
        r"r2_score expects outputs and targets of the same shape, not \(50, 3\) and \(50, 1\)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_raises(case: str) -> None:
    make, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        make()


def test_outputs_in_a_dict_cannot_be_collected() -> None:
    class Named(Linear):
        def forward(self, x):
            return {"y": super().forward(x)}

    model = Named(3, 1, dtype=np.float64)
    run = Trainer(
        model, lambda y, t: y["y"].mean(), SGD(model.parameters()), metrics={"spread": spread}
    )
    with pytest.raises(TypeError, match="needs an array as output, not dict"):
        run.fit(X, Y, 1)


@pytest.mark.parametrize("metric", [f1_score, roc_auc, r2_score])
def test_without_scikit_learn_the_requirement_is_named(monkeypatch, metric) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .tinytorch-training\[metrics\]"):
        metric(X[:, 0], Y)
