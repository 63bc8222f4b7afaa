"""Binary cross entropy, of probabilities and of logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import unwrap

from tinytorch_losses.arguments import broadcast_constant, matched
from tinytorch_losses.reduction import check_reduction, reduced, spread

Array = Any

# Both from PyTorch: the bound of the logarithms, and that of p (1 − p) as a divisor.
_LOWEST_LOG = -100.0
_LOWEST_DIVISOR = 1e-12


def binary_cross_entropy(
    input: Array, target: Any, weight: Any = None, reduction: str = "mean"
) -> Array:
    """−w (y log p + (1 − y) log(1 − p)) for each probability p, reduced.

    The logarithms are taken as at least −100, as in PyTorch, so that the loss is finite at p = 0
    and p = 1. There p (1 − p) counts as 1e-12 where the derivative, w (p − y) / (p (1 − p)),
    divides by it.

    Args:
        input: p: a Tensor or array of a floating dtype and any shape.
        target: y, usually 0 or 1: a Tensor, array or list of the same shape.
        weight: w, a constant that broadcasts to the shape of the input; None for 1.
        reduction: "mean", "sum" or "none". The mean divides by the number of elements.

    Returns:
        A number, or with "none" the losses in the shape of the input; a Tensor if one was given.

    Raises:
        ValueError: an input lies outside of 0 to 1, the shapes differ, the weight does not fit or
            is tracked, or there is no such reduction.
        TypeError: the input is not floating.

    >>> round(binary_cross_entropy(np.array([0.9, 0.2]), [1, 0]).item(), 4)
    0.1643
    """
    name = "binary_cross_entropy"
    check_reduction(name, reduction)
    target = matched(name, input, target)
    _check_probabilities(unwrap(input))
    weight = broadcast_constant(name, "weight", weight, input.shape, input.dtype)
    return bce_forward(input, target, weight, reduction)


def _check_probabilities(p: Array) -> None:
    # Written so that NaN, which compares false, is found as well.
    if not p.size or (p.min() >= 0 and p.max() <= 1):
        return
    position = tuple(int(i) for i in np.argwhere(~((p >= 0) & (p <= 1)))[0])
    where = f"[{', '.join(map(str, position))}]" if position else ""
    raise ValueError(
        f"binary_cross_entropy takes probabilities from 0 to 1, and input{where} is {p[position]}; "
        "apply a sigmoid first, or use binary_cross_entropy_with_logits"
    )


@op("binary_cross_entropy")
def bce_forward(
    input: Array, target: Array, weight: Array = None, reduction: str = "mean"
) -> Array:
    """The binary cross entropy of each probability, reduced."""
    log_p, log_q = _logs(input)
    losses = (target - 1) * log_q - target * log_p
    return reduced(losses if weight is None else losses * weight, reduction)


def _logs(p: Array) -> tuple[Array, Array]:
    """Log p and log(1 − p), at least −100; the derivative is 0 where that bound is in force."""
    zero, one = p == 0, p == 1
    log_p = np.where(zero, _LOWEST_LOG, np.log(np.where(zero, 1, p)))
    log_q = np.where(one, _LOWEST_LOG, np.log1p(np.where(one, 0, -p)))
    return np.maximum(log_p, _LOWEST_LOG), np.maximum(log_q, _LOWEST_LOG)


def bce_input(grad: Array, input: Array, target: Array, weight: Array, reduction: str) -> Array:
    """d/dp = w (p − y) / (p (1 − p))."""
    grad = spread(grad, reduction, input.size)
    slope = (input - target) / np.maximum(input * (1 - input), _LOWEST_DIVISOR)
    return grad * slope if weight is None else grad * slope * weight


def bce_target(grad: Array, input: Array, weight: Array, reduction: str) -> Array:
    """d/dy = w (log(1 − p) − log p)."""
    log_p, log_q = _logs(input)
    grad = spread(grad, reduction, input.size)
    return grad * (log_q - log_p) if weight is None else grad * (log_q - log_p) * weight


def binary_cross_entropy_with_logits(
    input: Array,
    target: Any,
    weight: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Array:
    """The binary cross entropy of sigmoid(x) for each logit x, reduced.

    w (y v log(1 + exp(−x)) + (1 − y) log(1 + exp(x))), exact and finite for logits of any size.

    Args:
        input: x: a Tensor or array of a floating dtype and any shape.
        target: y, usually 0 or 1: a Tensor, array or list of the same shape.
        weight: w, a constant that broadcasts to the shape of the input; None for 1.
        reduction: "mean", "sum" or "none". The mean divides by the number of elements.
        pos_weight: v, the weight of the positive examples, a constant that broadcasts to the
            shape of the input, such as one number for each column; None for 1.

    Returns:
        A number, or with "none" the losses in the shape of the input; a Tensor if one was given.

    Raises:
        ValueError: the shapes differ, a weight does not fit or is tracked, or there is no such
            reduction.
        TypeError: the input is not floating.

    >>> binary_cross_entropy_with_logits(np.array([1000.0, -1000.0]), [0, 0], reduction="none")
    array([1000.,    0.])
    """
    name = "binary_cross_entropy_with_logits"
    check_reduction(name, reduction)
    target = matched(name, input, target)
    weight = broadcast_constant(name, "weight", weight, input.shape, input.dtype)
    pos_weight = broadcast_constant(name, "pos_weight", pos_weight, input.shape, input.dtype)
    return bce_logits_forward(input, target, weight, reduction, pos_weight)


@op("binary_cross_entropy_with_logits")
def bce_logits_forward(
    input: Array,
    target: Array,
    weight: Array = None,
    reduction: str = "mean",
    pos_weight: Array = None,
) -> Array:
    """The binary cross entropy of each logit, reduced."""
    # No term is the difference of two large ones: all are positive for targets from 0 to 1.
    common = np.log1p(np.exp(-abs(input)))
    positive = target * (np.maximum(-input, 0) + common)
    negative = (1 - target) * (np.maximum(input, 0) + common)
    losses = (positive if pos_weight is None else positive * pos_weight) + negative
    return reduced(losses if weight is None else losses * weight, reduction)


def bce_logits_input(
    grad: Array, input: Array, target: Array, weight: Array, reduction: str, pos_weight: Array
) -> Array:
    """d/dx = w ((1 − y) sigmoid(x) − y v sigmoid(−x))."""
    p, q = _sigmoids(input)
    if pos_weight is not None:
        q = q * pos_weight
    grad = spread(grad, reduction, input.size)
    slope = (1 - target) * p - target * q
    return grad * slope if weight is None else grad * slope * weight


def bce_logits_target(
    grad: Array, input: Array, weight: Array, reduction: str, pos_weight: Array
) -> Array:
    """d/dy = w (v log(1 + exp(−x)) − log(1 + exp(x))), which is −w x for v = 1."""
    if pos_weight is None:
        slope = -input
    else:
        slope = pos_weight * np.logaddexp(0, -input) - np.logaddexp(0, input)
    grad = spread(grad, reduction, input.size)
    return grad * slope if weight is None else grad * slope * weight


def _sigmoids(x: Array) -> tuple[Array, Array]:
    """Sigmoid(x) and sigmoid(−x), each exact in its tail."""
    positive = x >= 0
    # Not exp(−|x|), whose derivative at 0 would be that of |x|: none.
    small = np.exp(np.where(positive, -x, x))
    total = 1 + small
    return np.where(positive, 1, small) / total, np.where(positive, small, 1) / total
