"""Binary cross entropy of probabilities and of logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import AnyArray, kernel, unwrap

from tinytorch_losses.arguments import element_weight, first_element, matching_target
from tinytorch_losses.reduction import check_reduction, reduce_losses, reduce_rule

Array = Any

# As in PyTorch: the smallest logarithm, and the smallest p (1 − p) that the derivative divides by.
_MIN_LOG = -100.0
_MIN_DIVISOR = 1e-12

# How far a target may be outside 0 to 1 because of rounding, in any floating dtype.
_ROUNDING = 1e-3


def binary_cross_entropy(
    input: AnyArray, target: Any, weight: Any = None, reduction: str = "mean"
) -> AnyArray:
    """Return −w (y log p + (1 − y) log(1 − p)) for each probability p, reduced.

    As in PyTorch, the logarithms are at least −100, so that the loss is finite at p = 0 and p = 1,
    and the derivative w (p − y) / (p (1 − p)) divides by at least 1e-12.

    Args:
        input: p, probabilities: a Tensor or array of any floating dtype and shape.
        target: y, from 0 to 1: a Tensor, array or list of the same shape.
        weight: w, a constant that broadcasts to the shape of the input; None for 1.
        reduction: "mean", "sum" or "none". The mean divides by the number of elements.

    Returns:
        A scalar, or with "none" one loss for each element; a Tensor if either argument is one.

    Raises:
        ValueError: an input or a target is outside 0 to 1, the shapes differ, the weight does not
            broadcast or requires grad, or the reduction is unknown.
        TypeError: the input is not floating.

    >>> round(binary_cross_entropy(np.array([0.9, 0.2]), [1, 0]).item(), 4)
    0.1643
    """
    name = "binary_cross_entropy"
    check_reduction(name, reduction)
    target = matching_target(name, input, target)
    _check_probabilities(unwrap(input))
    check_targets(name, unwrap(target))
    weight = element_weight(name, "weight", weight, input.shape, input.dtype)
    return bce_forward(input, target, weight, reduction)


# The bits of 1.0 in each floating dtype, as an unsigned integer of the same size.
_ONE = {2: (np.uint16, 0x3C00), 4: (np.uint32, 0x3F800000), 8: (np.uint64, 0x3FF0000000000000)}


@kernel("x")
def _from_zero_to_one(x: Array, tolerance: float) -> bool:
    """Return whether no value is NaN or farther than `tolerance` outside 0 to 1.

    True for an array of another library, whose values may not be known yet.
    """
    if not isinstance(x, (np.ndarray, np.generic)) or not x.size:
        return True
    unsigned, one = _ONE.get(x.dtype.itemsize, (None, 0))
    # As unsigned integers, negative numbers and NaN are large, so one comparison checks all.
    if unsigned and x.view(unsigned).max() <= one:
        return True
    # NaN compares false, so this also rejects NaN.
    return bool(x.min() >= -tolerance and x.max() <= 1 + tolerance)


def _check_probabilities(p: Array) -> None:
    if not _from_zero_to_one(p, 0.0):
        invalid = ~((p >= 0) & (p <= 1))
        raise ValueError(
            "binary_cross_entropy takes probabilities from 0 to 1, but "
            f"{first_element('input', p, invalid)}; "
            "apply a sigmoid first, or use binary_cross_entropy_with_logits"
        )


def check_targets(loss: str, y: Array) -> None:
    """Raise ValueError if a target is outside 0 to 1, except for rounding errors."""
    if not _from_zero_to_one(y, _ROUNDING):
        invalid = ~((y >= -_ROUNDING) & (y <= 1 + _ROUNDING))
        raise ValueError(
            f"{loss} takes targets from 0 to 1, but {first_element('target', y, invalid)}; "
            "scale or correct the targets"
        )


@op("binary_cross_entropy")
def bce_forward(
    input: Array, target: Array, weight: Array = None, reduction: str = "mean"
) -> Array:
    """Return the binary cross entropy of each probability, reduced."""
    log_p, log_q = _logs(input)
    losses = (target - 1) * log_q - target * log_p
    return reduce_losses(_weighted(losses, weight), reduction)


def _weighted(values: Array, weight: Array) -> Array:
    return values if weight is None else values * weight


def _logs(p: Array) -> tuple[Array, Array]:
    """Return log p and log(1 − p), each at least −100; the derivative is 0 where it is limited."""
    zero, one = p == 0, p == 1
    # Adding the masks avoids log(0), without changing other values.
    log_p = np.where(zero, _MIN_LOG, np.log(p + zero))
    log_q = np.where(one, _MIN_LOG, np.log1p(one - p))
    # 1 − p is 0 or at least the precision of the dtype, so only log p can be below −100.
    return np.maximum(log_p, _MIN_LOG), log_q


def bce_input_rule(
    grad: Array, input: Array, target: Array, weight: Array, reduction: str
) -> Array:
    """d/dp = w (p − y) / (p (1 − p))."""
    grad = reduce_rule(grad, reduction, input.size)
    slope = (input - target) / np.maximum(input * (1 - input), _MIN_DIVISOR)
    return _weighted(grad * slope, weight)


def bce_target_rule(grad: Array, input: Array, weight: Array, reduction: str) -> Array:
    """d/dy = w (log(1 − p) − log p)."""
    log_p, log_q = _logs(input)
    grad = reduce_rule(grad, reduction, input.size)
    return _weighted(grad * (log_q - log_p), weight)


def binary_cross_entropy_with_logits(
    input: AnyArray,
    target: Any,
    weight: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> AnyArray:
    """Return the binary cross entropy of sigmoid(x) for each logit x, reduced.

    The loss is w (y v log(1 + exp(−x)) + (1 − y) log(1 + exp(x))), computed so that it is accurate
    and finite for logits of any size.

    Args:
        input: x, logits: a Tensor or array of any floating dtype and shape.
        target: y, from 0 to 1: a Tensor, array or list of the same shape.
        weight: w, a constant that broadcasts to the shape of the input; None for 1.
        reduction: "mean", "sum" or "none". The mean divides by the number of elements.
        pos_weight: v, the weight of positive examples, a constant that broadcasts to the shape
            of the input, for example one number for each column; None for 1.

    Returns:
        A scalar, or with "none" one loss for each element; a Tensor if either argument is one.

    Raises:
        ValueError: a target is outside 0 to 1, the shapes differ, a weight does not broadcast or
            requires grad, or the reduction is unknown.
        TypeError: the input is not floating.

    >>> binary_cross_entropy_with_logits(np.array([1000.0, -1000.0]), [0, 0], reduction="none")
    array([1000.,    0.])
    """
    name = "binary_cross_entropy_with_logits"
    check_reduction(name, reduction)
    target = matching_target(name, input, target)
    check_targets(name, unwrap(target))
    weight = element_weight(name, "weight", weight, input.shape, input.dtype)
    pos_weight = element_weight(name, "pos_weight", pos_weight, input.shape, input.dtype)
    return bce_logits_forward(input, target, weight, reduction, pos_weight)


@op("binary_cross_entropy_with_logits")
def bce_logits_forward(
    input: Array,
    target: Array,
    weight: Array = None,
    reduction: str = "mean",
    pos_weight: Array = None,
) -> Array:
    """Return the binary cross entropy of each logit, reduced."""
    # For targets from 0 to 1 no term is negative, so large terms do not cancel.
    common = np.log1p(np.exp(-abs(input)))
    if pos_weight is None:
        losses = input * ((input > 0) - target) + common
    else:
        positive = target * (np.maximum(-input, 0) + common) * pos_weight
        losses = positive + (1 - target) * (np.maximum(input, 0) + common)
    return reduce_losses(_weighted(losses, weight), reduction)


def bce_logits_input_rule(
    grad: Array, input: Array, target: Array, weight: Array, reduction: str, pos_weight: Array
) -> Array:
    """d/dx = w ((1 − y) sigmoid(x) − y v sigmoid(−x))."""
    p, q = sigmoids(input)
    if pos_weight is not None:
        q = q * pos_weight
    grad = reduce_rule(grad, reduction, input.size)
    slope = (1 - target) * p - target * q
    return _weighted(grad * slope, weight)


def bce_logits_target_rule(
    grad: Array, input: Array, weight: Array, reduction: str, pos_weight: Array
) -> Array:
    """d/dy = w (v log(1 + exp(−x)) − log(1 + exp(x))), which is −w x if v = 1."""
    if pos_weight is None:
        slope = -input
    else:
        slope = pos_weight * np.logaddexp(0, -input) - np.logaddexp(0, input)
    grad = reduce_rule(grad, reduction, input.size)
    return _weighted(grad * slope, weight)


def sigmoids(x: Array) -> tuple[Array, Array]:
    """Return sigmoid(x) and sigmoid(−x), each accurate where it is close to 0."""
    positive = x >= 0
    # Not exp(−|x|), because |x| is not differentiable at 0.
    small = np.exp(np.where(positive, -x, x))
    total = 1 + small
    return np.where(positive, 1, small) / total, np.where(positive, small, 1) / total
