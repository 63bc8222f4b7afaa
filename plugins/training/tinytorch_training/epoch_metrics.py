"""Metrics that are computed from all outputs of an epoch, with scikit-learn.

They are not averages over batches: F1 of an epoch differs from the mean of F1 of its batches.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from tinytorch_core.extend import unwrap

Array = Any
F = TypeVar("F", bound=Callable[..., Any])


def over_epoch(metric: F) -> F:
    """Mark a metric, so that a Trainer calls it once with the outputs and targets of an epoch.

    >>> @over_epoch
    ... def worst(output, target):
    ...     return abs(output - target).max()
    >>> is_over_epoch(worst)
    True
    """
    metric.over_epoch = True  # type: ignore[attr-defined]
    return metric


def is_over_epoch(metric: Any) -> bool:
    """Return whether a metric, or the function of a `functools.partial`, was marked."""
    while isinstance(metric, functools.partial):
        metric = metric.func
    return bool(getattr(metric, "over_epoch", False))


def _sklearn() -> Any:
    try:
        import sklearn.metrics
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'this metric requires scikit-learn: pip install "tinytorch-training[metrics]"',
            name=error.name,
        ) from error
    return sklearn.metrics


def _scores(name: str, output: Any, target: Any) -> tuple[Array, Array]:
    """Return scores of shape (N,) or (N, C), and classes of shape (N,).

    Raises:
        ValueError: the shapes do not match, or a target is not the number of a class.
    """
    scores, classes = np.asarray(unwrap(output)), np.asarray(unwrap(target))
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    if classes.ndim == 2 and classes.shape[1] == 1:
        classes = classes[:, 0]
    if scores.ndim not in (1, 2) or classes.shape != scores.shape[:1]:
        raise ValueError(
            f"{name} expects scores of shape (N, C), (N, 1) or (N,) and classes of shape (N,), not "
            f"{np.shape(unwrap(output))} and {np.shape(unwrap(target))}"
        )
    number = scores.shape[1] if scores.ndim == 2 else 2
    wrong = classes[~((classes >= 0) & (classes < number) & (classes == np.floor(classes)))]
    if len(wrong):
        raise ValueError(
            f"{name} expects classes from 0 to {number - 1} for scores of shape "
            f"{np.shape(unwrap(output))}, but the targets contain {wrong[0]:g}"
        )
    return scores, classes.astype(int)


def _classes(name: str, output: Any, target: Any, threshold: float) -> tuple[Array, Array]:
    """Return the predicted and the true classes."""
    scores, classes = _scores(name, output, target)
    predicted = scores.argmax(axis=1) if scores.ndim == 2 else (scores > threshold).astype(int)
    return predicted, classes


def _average(output: Any, average: str | None) -> str:
    shape = np.shape(unwrap(output))
    return average or ("macro" if len(shape) == 2 and shape[1] > 2 else "binary")


def _classification(
    name: str, output: Any, target: Any, average: str | None, threshold: float
) -> float:
    predicted, classes = _classes(name, output, target, threshold)
    function = getattr(_sklearn(), name if name == "f1_score" else f"{name}_score")
    return float(function(classes, predicted, average=_average(output, average), zero_division=0))


@over_epoch
def f1_score(
    output: Array, target: Array, average: str | None = None, threshold: float = 0.5
) -> float:
    """Return the harmonic mean of precision and recall over an epoch.

    Args:
        output: scores of C classes for N examples, of shape (N, C); or of two classes, of shape
            (N, 1) or (N,).
        target: the target classes, of shape (N,).
        average: how scikit-learn averages over classes; by default "binary" with two classes and
            "macro" with more. Set it with `functools.partial(f1_score, average="weighted")`.
        threshold: the score above which the class is 1 if there is one score for an example; 0 for
            a model that returns logits.

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
        ValueError: the shapes do not match, or a target is not the number of a class.
    """
    return _classification("f1_score", output, target, average, threshold)


@over_epoch
def precision(
    output: Array, target: Array, average: str | None = None, threshold: float = 0.5
) -> float:
    """Return the fraction of the examples predicted as a class that are of it, over an epoch.

    Arguments and exceptions are those of `f1_score`.
    """
    return _classification("precision", output, target, average, threshold)


@over_epoch
def recall(
    output: Array, target: Array, average: str | None = None, threshold: float = 0.5
) -> float:
    """Return the fraction of the examples of a class that are predicted as it, over an epoch.

    Arguments and exceptions are those of `f1_score`.
    """
    return _classification("recall", output, target, average, threshold)


@over_epoch
def roc_auc(output: Array, target: Array) -> float:
    """Return the area under the ROC curve over an epoch; NaN if it has examples of one class only.

    With more than two classes, it is the mean over the classes, each against the others.

    Args:
        output: scores of shape (N, C), (N, 1) or (N,), as for `f1_score`. Probabilities and logits
            give the same result with two classes.
        target: the target classes, of shape (N,).

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
        ValueError: the shapes do not match, or a target is not the number of a class.
    """
    scores, classes = _scores("roc_auc", output, target)
    metrics = _sklearn()
    if scores.ndim == 1 or scores.shape[1] == 2:
        if len(np.unique(classes)) < 2:
            return float("nan")
        one = scores if scores.ndim == 1 else scores[:, 1] - scores[:, 0]
        return float(metrics.roc_auc_score(classes, one))
    found = [(classes == c) for c in range(scores.shape[1])]
    areas = [
        metrics.roc_auc_score(is_class, scores[:, c])
        for c, is_class in enumerate(found)
        if 0 < is_class.sum() < len(classes)
    ]
    return float(np.mean(areas)) if areas else float("nan")


@over_epoch
def confusion_matrix(output: Array, target: Array, threshold: float = 0.5) -> list[list[int]]:
    """Return the numbers of examples by true class (row) and predicted class (column).

    Arguments and exceptions are those of `f1_score`. The history contains the matrix as lists.
    """
    predicted, classes = _classes("confusion_matrix", output, target, threshold)
    shape = np.shape(unwrap(output))
    number = shape[1] if len(shape) == 2 and shape[1] > 1 else 2
    found = _sklearn().confusion_matrix(classes, predicted, labels=range(number))
    return found.tolist()


def _pair(name: str, output: Any, target: Any) -> tuple[Array, Array]:
    values, expected = np.asarray(unwrap(output)), np.asarray(unwrap(target))
    if values.shape != expected.shape:
        raise ValueError(
            f"{name} expects outputs and targets of the same shape, not {values.shape} and "
            f"{expected.shape}"
        )
    return values.reshape(len(values), -1), expected.reshape(len(values), -1)


@over_epoch
def r2_score(output: Array, target: Array) -> float:
    """Return the coefficient of determination over an epoch.

    Args:
        output: values of shape (N, ...).
        target: the target values, of the same shape.

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
        ValueError: the shapes differ.
    """
    values, expected = _pair("r2_score", output, target)
    return float(_sklearn().r2_score(expected, values))


@over_epoch
def mean_absolute_error(output: Array, target: Array) -> float:
    """Return the mean absolute error over an epoch.

    Arguments and exceptions are those of `r2_score`.
    """
    values, expected = _pair("mean_absolute_error", output, target)
    return float(_sklearn().mean_absolute_error(expected, values))
