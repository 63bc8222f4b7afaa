"""Classification losses: negative log likelihood and cross entropy.

Internally the class axis comes first, so that arrays with one number for each prediction, such as
the losses, broadcast against arrays with one number for each class of each prediction.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tinytorch_core import Tensor, op
from tinytorch_core.extend import AnyArray, are_ndarrays, kernel, unwrap

from tinytorch_losses.arguments import (
    as_array,
    check_constant,
    check_floating,
    class_count,
    class_target,
    class_weight,
    matching_target,
)
from tinytorch_losses.reduction import check_reduction, reduce_losses, reduce_rule
from tinytorch_losses.softmax import shifted_exponentials

Array = Any
Shape = tuple[int, ...]

# Below this number of classes a copy with the class axis first is faster, because NumPy reduces
# short rows slowly.
_COPY_BELOW = 64


def nll_loss(
    input: AnyArray,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> AnyArray:
    """Return −w[t] x[t], the negative log likelihood of the target class t, reduced.

    Args:
        input: x, logarithms of probabilities: a Tensor or array of any floating dtype and of
            shape (C,), (N, C) or (N, C, d1, ...).
        target: t, class numbers from 0 to C − 1: a Tensor, array or list of whole numbers, of
            shape (), (N,) or (N, d1, ...).
        weight: w, a constant weight for each class, of shape (C,); None for 1.
        ignore_index: targets of this value do not contribute to the loss or to the divisor of the
            mean. It may be outside 0 to C − 1.
        reduction: "mean", "sum" or "none". The mean divides by the sum of the targets' weights.

    Returns:
        A scalar, or with "none" one loss for each target; a Tensor if the input is one. If all
        targets are ignored, the mean is NaN and its gradient 0, as in PyTorch.

    Raises:
        IndexError: a target is outside 0 to C − 1.
        TypeError: the input is not floating, or the target does not hold numbers.
        ValueError: a target is not whole, the shapes or the number of weights do not fit, the
            weights or class numbers require grad, or the reduction is unknown.

    >>> nll_loss(np.log([[0.25, 0.75], [0.5, 0.5]]), [1, 0], reduction="none").round(4)
    array([0.2877, 0.6931])
    """
    check_reduction("nll_loss", reduction)
    dtype = check_floating("nll_loss", input)
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
    """Return the negative log likelihood of each target class, reduced.

    The target holds valid class numbers or `ignore_index`, which is None if no target equals it.
    """
    classes, weights = _classes_and_weights(target, weight, ignore_index, input.dtype)
    x = _classes_first(input)
    return _reduce_weighted(-_chosen(x, classes), weights, reduction)


def nll_input_rule(
    grad: Array,
    input_shape: Shape,
    input_dtype: Any,
    target: Array,
    weight: Array,
    ignore_index: int | None,
    reduction: str,
) -> Array:
    """d/dx = −w[t] at the target class, 0 elsewhere."""
    classes, weights = _classes_and_weights(target, weight, ignore_index, input_dtype)
    slope = _at_classes(
        classes,
        class_count("nll_loss", input_shape),
        -1 if weights is None else -weights,
        input_dtype,
    )
    return _classes_first(slope * reduce_rule(grad, reduction, _mean_divisor(target, weights)))


def cross_entropy(
    input: AnyArray,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> AnyArray:
    """Return −Σ q[c] log softmax(x)[c], summed over the classes c, reduced.

    For a class number t, q is w[t] at t and 0 elsewhere. For probabilities y of all classes, q is
    w y. Label smoothing by s replaces y by (1 − s) y + s / C, before the weights are applied:
    C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016,
    section 7.

    Args:
        input: x, logits: a Tensor or array of any floating dtype and of shape (C,), (N, C) or
            (N, C, d1, ...).
        target: class numbers from 0 to C − 1 of shape (), (N,) or (N, d1, ...), as a Tensor,
            array or list of whole numbers; or probabilities in the shape of the input, floating.
        weight: w, a constant weight for each class, of shape (C,); None for 1.
        ignore_index: class numbers of this value do not contribute to the loss or to the divisor
            of the mean. It may be outside 0 to C − 1; with probabilities it must be negative.
        reduction: "mean", "sum" or "none". The mean divides by the sum of the targets' weights,
            or for probabilities by the number of predictions.
        label_smoothing: s, from 0 to 1.

    Returns:
        A scalar, or with "none" one loss for each prediction; a Tensor if one argument is one. If
        all targets are ignored, the mean is NaN and its gradient 0, as in PyTorch.

    Raises:
        IndexError: a target is outside 0 to C − 1.
        TypeError: the input is not floating, or the target holds neither class numbers nor
            probabilities.
        ValueError: a class number is not whole, the shapes or the number of weights do not fit,
            the weights or class numbers require grad, the label smoothing is outside 0 to 1, or
            the reduction is unknown.

    >>> logits = np.log([[0.25, 0.75], [0.5, 0.5]])
    >>> cross_entropy(logits, [1, 0], reduction="none").round(4)
    array([0.2877, 0.6931])
    >>> cross_entropy(logits, [[0.0, 1.0], [1.0, 0.0]], reduction="none").round(4)
    array([0.2877, 0.6931])
    """
    name = "cross_entropy"
    check_reduction(name, reduction)
    smoothing = check_smoothing(label_smoothing)
    dtype = check_floating(name, input)
    shape = input.shape
    target = as_array(target)
    if target.dtype.kind == "f" and target.shape == shape:
        target, ignored = _probabilities(input, target, ignore_index), None
    else:
        _check_not_probabilities(target, shape)
        alternative = " or probabilities of the shape of the input"
        target, ignored = class_target(name, target, shape, ignore_index, alternative)
    weight = class_weight(name, weight, shape, dtype)
    cache: list[Array] = []
    return cross_entropy_forward(input, target, weight, ignored, reduction, smoothing, cache)


def check_smoothing(label_smoothing: float) -> float:
    """Return the smoothing as a Python float, which does not change the dtype of arrays.

    Raises:
        TypeError: the smoothing requires grad.
        ValueError: the smoothing is outside 0 to 1.
    """
    check_constant("cross_entropy", "label_smoothing", label_smoothing)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(
            f"cross_entropy takes a label_smoothing from 0 to 1, not {label_smoothing!r}"
        )
    return float(label_smoothing)


def _probabilities(input: Array, target: Array, ignore_index: int) -> Array:
    class_count("cross_entropy", input.shape)
    if ignore_index >= 0:
        raise ValueError(
            f"cross_entropy cannot ignore class {ignore_index} if the target holds "
            "probabilities; leave out ignore_index"
        )
    return matching_target("cross_entropy", input, target)


def _check_not_probabilities(target: Array, shape: Shape) -> None:
    if target.shape == shape and shape:
        raise TypeError(
            f"cross_entropy: the target has the shape of the input, {shape}, but dtype "
            f"{target.dtype}; for probabilities convert it to a floating dtype, and for class "
            "numbers remove the class axis"
        )


@op("cross_entropy")
def cross_entropy_forward(
    input: Array,
    target: Array,
    weight: Array = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    cache: list[Array] | None = None,
) -> Array:
    """Return the cross entropy of each prediction, reduced.

    Args:
        input, weight, reduction, label_smoothing: as for `cross_entropy`, checked.
        target: probabilities, or class numbers that are valid or equal to `ignore_index`.
        ignore_index: None if no target equals it.
        cache: a list that is filled with exp(x − max(x)), its sum over the classes and the
            index of each prediction's class, so that the backward pass does not compute them again.
    """
    x = _classes_first(input)
    if x.ndim == 2 and len(x) < _COPY_BELOW:
        x = x.copy()
    z, powers, sums = shifted_exponentials(x, axis=0)
    logs = np.log(sums)
    classes, weights = _classes_and_weights_or_none(target, weight, ignore_index, input.dtype)
    index = None if classes is None else _index_of(classes, z)
    if cache is not None:
        cache[:] = powers, sums, index
    if classes is not None and not label_smoothing:
        chosen = _chosen(z, classes) if index is None else _taken(z, index)
        return _reduce_weighted(logs - chosen, weights, reduction)
    q = _class_targets(target, weight, ignore_index, label_smoothing, input)
    surprises = logs - z
    if ignore_index is not None:
        # An ignored prediction may be infinite.
        surprises = np.where(target == ignore_index, 0, surprises)
    losses = (q * surprises).sum(axis=0)
    return reduce_losses(losses, reduction, _mean_divisor(losses, weights))


def cross_entropy_input_rule(
    grad: Array,
    input: Array,
    target: Array,
    weight: Array,
    ignore_index: int | None,
    reduction: str,
    label_smoothing: float,
    cache: list[Array] | None,
) -> Array:
    """d/dx = softmax(x) Σ q − q."""
    classes, weights = _classes_and_weights_or_none(target, weight, ignore_index, input.dtype)
    divisor = _prediction_count(input) if weights is None else weights.sum()
    grad = reduce_rule(grad, reduction, divisor)
    if not cache or isinstance(input, Tensor):
        _, powers, sums = shifted_exponentials(_classes_first(input), axis=0)
    else:
        powers, sums, index = cache
        if index is not None and weights is None and not label_smoothing:
            # The common case: q is 1 at one class and 0 elsewhere.
            slope = _minus_at(powers * (grad / sums), index, grad)
            return _classes_first(slope)
    q = _class_targets(target, weight, ignore_index, label_smoothing, input)
    plain = classes is not None and weight is None and not label_smoothing
    if plain and _index_of(unwrap(classes), unwrap(powers)) is None:
        # An array of another library: as in the common case of ndarrays, with the same rounding.
        return _classes_first(powers * (q.sum(axis=0) * grad / sums) - q * grad)
    return _classes_first((powers * (q.sum(axis=0) / sums) - q) * grad)


def cross_entropy_target_rule(
    grad: Array,
    input: Array,
    target_shape: Shape,
    weight: Array,
    reduction: str,
    label_smoothing: float,
) -> Array:
    """d/dy = −(1 − s) w log softmax(x), for a target of probabilities."""
    z, _, sums = shifted_exponentials(_classes_first(input), axis=0)
    grad = reduce_rule(grad, reduction, _prediction_count(input))
    slope = (1 - label_smoothing) * (np.log(sums) - z) * grad
    return _classes_first(slope if weight is None else slope * _column(weight, target_shape))


def _prediction_count(input: Array) -> int:
    return int(input.size // max(1, class_count("cross_entropy", input.shape)))


def _classes_first(x: Array) -> Array:
    """Return `x` with axes 0 and 1 swapped, which moves the class axis to or from the front.

    An array with one axis is returned unchanged.
    """
    if x.ndim == 2:
        return x.T
    return x if x.ndim == 1 else np.swapaxes(x, 0, 1)


def _column(weight: Array, shape: Shape) -> Array:
    """Return the class weights with the class axis first and 1 for each other axis of `shape`."""
    return weight.reshape(-1, *(1,) * (len(shape) - 1))


@kernel("classes", "x", fixed=True)
def _index_of(classes: Array, x: Array) -> Any:
    """Return `_prediction_index`, or None for the arrays of other libraries."""
    return _prediction_index(classes, x) if classes.__class__ is x.__class__ is np.ndarray else None


@kernel("x")
def _taken(x: Array, index: Any) -> Array:
    """Return what an index of `_index_of` selects."""
    return _elements(x)[index]


@kernel("x", writes=True)
def _minus_at(x: Array, index: Any, value: Array) -> Array:
    """Return x with `value` subtracted from what an index of `_index_of` selects."""
    _elements(x)[index] -= value
    return x


def _chosen(x: Array, classes: Array) -> Array:
    """Return the element of each prediction's class, for the class axis first."""
    if are_ndarrays(x, classes):
        return _elements(x)[_prediction_index(classes, x)]
    if _is_dask(x) or _is_dask(classes):
        return np.where(_is_class(classes, len(x)), x, 0).sum(axis=0)
    return np.take_along_axis(x, classes[None], axis=0)[0]


def _is_class(classes: Array, count: int) -> Array:
    """Return whether each class, along the first axis, is the class of each prediction."""
    return np.arange(count).reshape((count, *(1,) * classes.ndim)) == classes


def _is_dask(array: Array) -> bool:
    """Return whether an array belongs to Dask, which does not implement np.take_along_axis."""
    return hasattr(array, "__dask_graph__")


def _at_classes(classes: Array, count: int, value: Array, dtype: Any) -> Array:
    """Return an array with `value` at each prediction's class and 0 elsewhere, classes first."""
    if not isinstance(classes, np.ndarray):
        return np.where(_is_class(classes, count), value, 0).astype(dtype)
    out = np.zeros((count, *classes.shape), dtype)
    _elements(out)[_prediction_index(classes, out)] = value
    return out


def _elements(x: Array) -> Array:
    """Return what `_prediction_index` selects from: a plain matrix becomes a view with one axis."""
    return x.ravel("K") if _has_positions(x) else x


def _prediction_index(classes: Array, x: Array) -> Any:
    """Return the index of each prediction's class in `_elements(x)`, for the class axis first."""
    if _has_positions(x):
        # Positions in the order of memory: one index takes half the time of two.
        rows, columns = x.strides
        starts = classes.astype(np.intp, copy=False) * (rows // x.itemsize)
        return starts + _multiples(columns // x.itemsize, x.shape[1])
    if classes.ndim == 1:
        return classes, np.arange(len(classes))
    return (classes, *np.indices(classes.shape, sparse=True))


@functools.lru_cache(maxsize=8)
def _multiples(step: int, count: int) -> Array:
    return np.arange(count) * step


def _has_positions(x: Array) -> bool:
    return x.__class__ is np.ndarray and x.ndim == 2 and x.flags.forc


def _classes_and_weights_or_none(
    target: Array, weight: Array, ignore_index: int | None, dtype: Any
) -> tuple[Array, Array]:
    """Return `_classes_and_weights` for class numbers, or (None, None) for probabilities."""
    if target.dtype.kind == "f":
        return None, None
    return _classes_and_weights(target, weight, ignore_index, dtype)


def _classes_and_weights(
    target: Array, weight: Array, ignore_index: int | None, dtype: Any
) -> tuple[Array, Array]:
    """Return class numbers that are all valid, and the weight of each; None if all are 1.

    Ignored targets become class 0 with weight 0.
    """
    if ignore_index is None:
        return target, None if weight is None else _weight_of(target, weight)
    used = target != ignore_index
    classes = np.where(used, target, 0)
    return classes, used.astype(dtype) if weight is None else used * _weight_of(classes, weight)


def _weight_of(classes: Array, weight: Array) -> Array:
    """Return the weight of each prediction's class."""
    if are_ndarrays(classes):
        return weight[classes]
    if _is_dask(classes):
        weights = weight.reshape(-1, *(1,) * classes.ndim)
        return np.where(_is_class(classes, len(weight)), weights, 0).sum(axis=0)
    # Unlike indexing, this NumPy function accepts indices of another library for an ndarray.
    return np.take_along_axis(weight, classes.reshape(-1), 0).reshape(classes.shape)


def _class_targets(
    target: Array, weight: Array, ignore_index: int | None, label_smoothing: float, input: Array
) -> Array:
    """Return q, the weighted and smoothed target of each class, with the class axis first."""
    classes, _ = _classes_and_weights_or_none(target, weight, ignore_index, input.dtype)
    count = class_count("cross_entropy", input.shape)
    q = _classes_first(target) if classes is None else _at_classes(classes, count, 1, input.dtype)
    if label_smoothing:
        q = q * (1 - label_smoothing) + label_smoothing / count
    if weight is not None:
        q = q * _column(weight, input.shape)
    return q if ignore_index is None else q * (target != ignore_index)


def _mean_divisor(losses: Array, weights: Array) -> Any:
    """Return what the mean divides by."""
    return losses.size if weights is None else weights.sum()


def _reduce_weighted(losses: Array, weights: Array, reduction: str) -> Array:
    """Return the weighted losses, reduced. An infinite loss of weight 0 counts as 0."""
    if weights is not None:
        losses = np.where(weights == 0, 0, losses) * weights
    return reduce_losses(losses, reduction, _mean_divisor(losses, weights))
