"""The Kullback-Leibler divergence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import AnyArray

from tinytorch_losses.arguments import matching_target
from tinytorch_losses.reduction import REDUCTIONS, check_reduction, reduce_losses, reduce_rule

Array = Any

KL_REDUCTIONS = ("batchmean", *REDUCTIONS)


def kl_div(
    input: AnyArray, target: Any, reduction: str = "mean", log_target: bool = False
) -> AnyArray:
    """Return t (log t − x) for each element, reduced; 0 where t is 0.

    With x = log q the sum is the Kullback-Leibler divergence of q from t. S. Kullback, R. A.
    Leibler, "On Information and Sufficiency", 1951.

    Args:
        input: x, logarithms of probabilities: a Tensor or array of any floating dtype
            and shape.
        target: t, probabilities: a Tensor, array or list of the same shape. The derivative of
            t log t at t = 0 is defined as 0.
        reduction: "batchmean", "mean", "sum" or "none". "batchmean" divides the sum by the length
            of the first axis, which gives the mean divergence of a batch; "mean" divides it by
            the number of elements.
        log_target: True if the target holds log t.

    Returns:
        A scalar, or with "none" one loss for each element; a Tensor if either argument is one.

    Raises:
        ValueError: the shapes differ, or the reduction is unknown.
        TypeError: the input is not floating, or `log_target` is not a bool.

    >>> kl_div(np.log([0.5, 0.5]), [0.0, 1.0], reduction="none").round(4) + 0
    array([0.    , 0.6931])
    """
    check_reduction("kl_div", reduction, KL_REDUCTIONS)
    if not isinstance(log_target, (bool, np.bool_)):
        raise TypeError(f"log_target of kl_div must be True or False, not {log_target!r:.60}")
    return kl_forward(input, matching_target("kl_div", input, target), reduction, bool(log_target))


@op("kl_div")
def kl_forward(
    input: Array, target: Array, reduction: str = "mean", log_target: bool = False
) -> Array:
    """Return the divergence of each element, reduced."""
    if log_target:
        losses = np.exp(target) * (target - input)
    else:
        losses = target * (_log_or_zero(target) - input)
    return reduce_losses(losses, reduction, _divisor(input.shape, reduction))


def _log_or_zero(t: Array) -> Array:
    return np.log(np.where(t == 0, 1, t))


def _divisor(shape: tuple[int, ...], reduction: str) -> int:
    if reduction == "batchmean":
        return shape[0] if shape else 1
    return math.prod(shape)


def kl_input_rule(
    grad: Array, input_shape: tuple[int, ...], target: Array, reduction: str, log_target: bool
) -> Array:
    """d/dx = −t."""
    probability = np.exp(target) if log_target else target
    return -probability * reduce_rule(grad, reduction, _divisor(input_shape, reduction))


def kl_target_rule(
    grad: Array, input: Array, target: Array, reduction: str, log_target: bool
) -> Array:
    """d/dt = log t + 1 − x, or with log_target, where t = exp(s), d/ds = t (s + 1 − x)."""
    grad = reduce_rule(grad, reduction, _divisor(input.shape, reduction))
    if log_target:
        return grad * np.exp(target) * (target + 1 - input)
    return grad * (np.where(target == 0, 0, _log_or_zero(target) + 1) - input)
