"""Losses of class scores: negative log likelihood and cross entropy.

Inside, the axis of the classes comes first: then what there is once for each prediction, such as
its loss or the gradient of that, broadcasts against what there is for each of its classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import Tensor, op

from tinytorch_losses.arguments import (
    class_count,
    class_target,
    class_weight,
    floating,
    matched,
)
from tinytorch_losses.reduction import check_reduction, reduced, spread
from tinytorch_losses.softmax import shifted_exponentials

Array = Any
Shape = tuple[int, ...]

# With fewer classes than this, copying them to the front pays: NumPy reduces short rows slowly.
_FEW = 64


def nll_loss(
    input: Array,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """−w[t] x[t], the negative log likelihood of the target class t, reduced.

    Args:
        input: x, logarithms of probabilities: a Tensor or array of a floating dtype and shape
            (C,), (N, C) or (N, C, d1, ...).
        target: t, class numbers from 0 to C − 1: an integer Tensor or array, or a list, of
            shape (), (N,) or (N, d1, ...).
        weight: w, a weight for each class, of shape (C,); None for 1. A constant.
        ignore_index: a target of this value counts for nothing, neither in the loss nor in the
            mean. It need not be a class number.
        reduction: "mean", "sum" or "none". The mean divides by the sum of the targets' weights.

    Returns:
        A number, or with "none" the losses in the shape of the target; a Tensor if one was given.
        The mean is NaN where all targets are ignored, and its gradient 0, as in PyTorch.

    Raises:
        IndexError: a target is no class number.
        TypeError: the input is not floating, or the target does not hold integers.
        ValueError: the shapes or the number of weights do not fit, the weights are tracked, or
            there is no such reduction.

    >>> nll_loss(np.log([[0.25, 0.75], [0.5, 0.5]]), [1, 0], reduction="none").round(4)
    array([0.2877, 0.6931])
    """
    check_reduction("nll_loss", reduction)
    dtype = floating("nll_loss", input)
    target, ignored = class_target("nll_loss", target, input.shape, ignore_index)
    weight = class_weight("nll_loss", weight, input.shape, dtype)
    return nll_forward(input, target, weight, ignored, reduction)


@op("nll_loss")
def nll_forward(
    input: Array,
    target: Array,
    weight: Array = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> Array:
    """The negative log likelihood of each target class, reduced. None ignores nothing."""
    classes, weights = _chosen(target, weight, ignore_index, input.dtype)
    return _reduced(-_classes_first(input)[_at(classes)], weights, reduction)


def nll_input(
    grad: Array,
    input_shape: Shape,
    input_dtype: Any,
    target: Array,
    weight: Array,
    ignore_index: int | None,
    reduction: str,
) -> Array:
    """d/dx = −w[t] at the target class, 0 elsewhere."""
    classes, weights = _chosen(target, weight, ignore_index, input_dtype)
    hits = np.zeros((class_count("nll_loss", input_shape), *target.shape), dtype=input_dtype)
    hits[_at(classes)] = -1 if weights is None else -weights
    return _classes_first(hits * spread(grad, reduction, _total(target, weights)))


def cross_entropy(
    input: Array,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """−Σ q[c] log softmax(x)[c] over the classes c, reduced.

    For a class number t, q is w[t] at t and 0 elsewhere. For probabilities y of all classes, q is
    w y. Smoothing by s makes the target (1 − s) y + s / C before the weights: C. Szegedy et al.,
    "Rethinking the Inception Architecture for Computer Vision", 2016, section 7.

    Args:
        input: x, logits: a Tensor or array of a floating dtype and shape (C,), (N, C) or
            (N, C, d1, ...).
        target: class numbers from 0 to C − 1 of shape (), (N,) or (N, d1, ...), as an integer
            Tensor or array, or a list; or probabilities in the shape of the input, floating.
        weight: w, a weight for each class, of shape (C,); None for 1. A constant.
        ignore_index: a class number of this value counts for nothing, neither in the loss nor in
            the mean. It need not be a class number; with probabilities it must be negative.
        reduction: "mean", "sum" or "none". The mean divides by the sum of the targets' weights,
            and for probabilities by the number of predictions.
        label_smoothing: s, from 0 to 1.

    Returns:
        A number, or with "none" one loss for each prediction; a Tensor if one was given. The mean
        is NaN where all targets are ignored, and its gradient 0, as in PyTorch.

    Raises:
        IndexError: a target is no class number.
        TypeError: the input is not floating, or the target holds neither class numbers nor
            probabilities.
        ValueError: the shapes or the number of weights do not fit, the weights are tracked, the
            smoothing lies outside of 0 to 1, or there is no such reduction.

    >>> logits = np.log([[0.25, 0.75], [0.5, 0.5]])
    >>> cross_entropy(logits, [1, 0], reduction="none").round(4)
    array([0.2877, 0.6931])
    >>> cross_entropy(logits, [[0.0, 1.0], [1.0, 0.0]], reduction="none").round(4)
    array([0.2877, 0.6931])
    """
    name = "cross_entropy"
    check_reduction(name, reduction)
    smoothing = check_smoothing(label_smoothing)
    dtype = floating(name, input)
    shape = input.shape
    if not hasattr(target, "dtype"):
        target = np.asarray(target)
    if target.dtype.kind == "f":
        target, ignored = _probabilities(input, target, ignore_index), None
    else:
        _refuse_integer_probabilities(target, shape)
        target, ignored = class_target(name, target, shape, ignore_index)
    weight = class_weight(name, weight, shape, dtype)
    kept: list[Array] = []
    return cross_entropy_forward(input, target, weight, ignored, reduction, smoothing, kept)


def check_smoothing(label_smoothing: float) -> float:
    """The smoothing as a Python number, which adapts to the dtype of arrays.

    Raises:
        ValueError: it lies outside of 0 to 1.
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(
            f"cross_entropy takes a label_smoothing from 0 to 1, not {label_smoothing!r}"
        )
    return float(label_smoothing)


def _probabilities(input: Array, target: Array, ignore_index: int) -> Array:
    class_count("cross_entropy", input.shape)
    if target.shape != input.shape:
        raise ValueError(
            f"cross_entropy: the target holds {target.dtype}, so probabilities of all classes, and "
            f"its shape is {target.shape} where that of the input is {input.shape}; for class "
            "numbers give a list, an integer array, or Tensor(data, dtype=np.int64)"
        )
    if ignore_index >= 0:
        raise ValueError(
            f"cross_entropy cannot ignore class {ignore_index} of a target that holds "
            "probabilities; leave ignore_index out"
        )
    return matched("cross_entropy", input, target)


def _refuse_integer_probabilities(target: Array, shape: Shape) -> None:
    if target.shape == shape and shape:
        raise TypeError(
            f"cross_entropy: the target has the shape of the input, {shape}, and holds "
            f"{target.dtype}; for probabilities convert it to a floating dtype, and for class "
            "numbers leave the axis of the classes out"
        )


@op("cross_entropy")
def cross_entropy_forward(
    input: Array,
    target: Array,
    weight: Array = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    kept: list[Array] | None = None,
) -> Array:
    """The cross entropy of each prediction, reduced. None ignores nothing.

    `kept` is an empty list to be filled with exp(x − max) and its sum over the classes, so that
    the backward pass need not compute them again.
    """
    x = _classes_first(input)
    if x.ndim == 2 and len(x) < _FEW:
        x = x.copy()
    z, powers, sums = shifted_exponentials(x)
    if kept is not None:
        kept[:] = powers, sums
    logs = np.log(sums)
    classes, weights = _numbered(target, weight, ignore_index, input.dtype)
    if classes is not None and not label_smoothing:
        return _reduced(logs - z[_at(classes)], weights, reduction)
    q = _strengths(target, weight, ignore_index, label_smoothing, input)
    losses = (q * (logs - z)).sum(axis=0)
    return reduced(losses, reduction, _total(losses, weights))


def cross_entropy_input(
    grad: Array,
    input: Array,
    target: Array,
    weight: Array,
    ignore_index: int | None,
    reduction: str,
    label_smoothing: float,
    kept: list[Array] | None,
) -> Array:
    """d/dx = softmax(x) Σ q − q."""
    classes, weights = _numbered(target, weight, ignore_index, input.dtype)
    count = input.size // max(1, class_count("cross_entropy", input.shape))
    grad = spread(grad, reduction, count if weights is None else weights.sum())
    if not kept or isinstance(input, Tensor):
        _, powers, sums = shifted_exponentials(_classes_first(input))
    else:
        powers, sums = kept
        if classes is not None and weights is None and not label_smoothing:
            # The common case, with q = 1 at one class.
            slope = powers * (grad / sums)
            slope[_at(classes)] -= grad
            return _classes_first(slope)
    q = _strengths(target, weight, ignore_index, label_smoothing, input)
    return _classes_first((powers * (q.sum(axis=0) / sums) - q) * grad)


def cross_entropy_target(
    grad: Array,
    input: Array,
    target_shape: Shape,
    weight: Array,
    reduction: str,
    label_smoothing: float,
) -> Array:
    """d/dy = −(1 − s) w log softmax(x), for a target of probabilities."""
    z, _, sums = shifted_exponentials(_classes_first(input))
    count = input.size // max(1, class_count("cross_entropy", target_shape))
    slope = (1 - label_smoothing) * (np.log(sums) - z) * spread(grad, reduction, count)
    return _classes_first(slope if weight is None else slope * _column(weight, target_shape))


def _classes_first(x: Array) -> Array:
    """The axis of the classes, the second unless it is the only one, as the first, or back."""
    if x.ndim == 2:
        return x.T
    return x if x.ndim == 1 else np.swapaxes(x, 0, 1)


def _column(weight: Array, shape: Shape) -> Array:
    """A number for each class, so that it broadcasts along the classes, which come first."""
    return weight.reshape(-1, *(1,) * (len(shape) - 1))


def _at(classes: Array) -> tuple[Array, ...]:
    """The index of each prediction's class, where classes come first."""
    if classes.ndim == 1:
        return classes, np.arange(len(classes))
    return (classes, *np.indices(classes.shape, sparse=True))


def _numbered(
    target: Array, weight: Array, ignore_index: int | None, dtype: Any
) -> tuple[Array, Array]:
    """What `_chosen` says of class numbers; None and None for probabilities."""
    if target.dtype.kind == "f":
        return None, None
    return _chosen(target, weight, ignore_index, dtype)


def _chosen(
    target: Array, weight: Array, ignore_index: int | None, dtype: Any
) -> tuple[Array, Array]:
    """Class numbers that are all valid, and the weight of each; None for 1 everywhere."""
    if ignore_index is None:
        return target, None if weight is None else weight[target]
    counts = target != ignore_index
    classes = np.where(counts, target, 0)
    return classes, counts.astype(dtype) if weight is None else counts * weight[classes]


def _strengths(
    target: Array, weight: Array, ignore_index: int | None, label_smoothing: float, input: Array
) -> Array:
    """q: how much each log probability counts, with the classes first."""
    classes, _ = _numbered(target, weight, ignore_index, input.dtype)
    count = class_count("cross_entropy", input.shape)
    if classes is None:
        q = _classes_first(target)
    else:
        q = np.zeros((count, *target.shape), dtype=input.dtype)
        q[_at(classes)] = 1
    if label_smoothing:
        q = q * (1 - label_smoothing) + label_smoothing / count
    if weight is not None:
        q = q * _column(weight, input.shape)
    return q if ignore_index is None else q * (target != ignore_index)


def _total(losses: Array, weights: Array) -> Any:
    """What the mean divides by."""
    return losses.size if weights is None else weights.sum()


def _reduced(losses: Array, weights: Array, reduction: str) -> Array:
    """The weighted losses, reduced; one of weight 0 counts for nothing even if it is infinite."""
    if weights is not None:
        losses = np.where(weights == 0, 0, losses) * weights
    return reduced(losses, reduction, _total(losses, weights))
