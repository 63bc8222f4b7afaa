"""Regression losses: squared error, absolute error, Huber loss and smooth L1 loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import AnyArray

from tinytorch_losses.arguments import check_constant, matching_target
from tinytorch_losses.reduction import check_reduction, reduce_losses, reduce_rule

Array = Any


def mse_loss(input: AnyArray, target: Any, reduction: str = "mean") -> AnyArray:
    """Return the squared error (x − y)² of each element, reduced.

    Args:
        input: x, the predictions: a Tensor or array of any floating dtype and shape.
        target: y: a Tensor, array or list of the same shape, converted to the dtype of the input.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar, or with "none" one loss for each element; a Tensor if either argument is one.
        The mean of an empty input is NaN.

    Raises:
        ValueError: the shapes differ, or the reduction is unknown.
        TypeError: the input is not floating.

    >>> mse_loss(np.array([1.0, 2.0]), [0.0, 4.0]).item()
    2.5
    """
    check_reduction("mse_loss", reduction)
    return mse_forward(input, matching_target("mse_loss", input, target), reduction)


@op("mse_loss")
def mse_forward(input: Array, target: Array, reduction: str = "mean") -> Array:
    """Return the squared error of each element, reduced."""
    error = input - target
    return reduce_losses(error * error, reduction)


def mse_input_rule(grad: Array, input: Array, target: Array, reduction: str) -> Array:
    """d/dx = 2 (x − y)."""
    return (input - target) * (2 * reduce_rule(grad, reduction, input.size))


def mse_target_rule(grad: Array, input: Array, target: Array, reduction: str) -> Array:
    """d/dy = 2 (y − x)."""
    return mse_input_rule(grad, target, input, reduction)


def l1_loss(input: AnyArray, target: Any, reduction: str = "mean") -> AnyArray:
    """Return the absolute error |x − y| of each element, reduced.

    The derivative is 0 where x = y. Arguments and errors are those of `mse_loss`.

    >>> l1_loss(np.array([1.0, 2.0]), [0.0, 4.0], reduction="none")
    array([1., 2.])
    """
    check_reduction("l1_loss", reduction)
    return l1_forward(input, matching_target("l1_loss", input, target), reduction)


@op("l1_loss")
def l1_forward(input: Array, target: Array, reduction: str = "mean") -> Array:
    """Return the absolute error of each element, reduced."""
    return reduce_losses(abs(input - target), reduction)


def l1_input_rule(grad: Array, input: Array, target: Array, reduction: str) -> Array:
    """d/dx = sign(x − y)."""
    return np.sign(input - target) * reduce_rule(grad, reduction, input.size)


def l1_target_rule(grad: Array, input: Array, target: Array, reduction: str) -> Array:
    """d/dy = sign(y − x)."""
    return l1_input_rule(grad, target, input, reduction)


def huber_loss(
    input: AnyArray, target: Any, reduction: str = "mean", delta: float = 1.0
) -> AnyArray:
    """Return the Huber loss of each element, reduced: quadratic for small errors, else linear.

    With e = x − y it is ½ e² where |e| ≤ delta, and delta (|e| − ½ delta) elsewhere. P. J. Huber,
    "Robust Estimation of a Location Parameter", 1964.

    Args:
        input, target, reduction: as for `mse_loss`.
        delta: the error at which the loss becomes linear; positive.

    Raises:
        ValueError: delta is not positive, the shapes differ, or the reduction is unknown.
        TypeError: the input is not floating.

    >>> huber_loss(np.array([0.5, 3.0]), [0.0, 0.0], reduction="none")
    array([0.125, 2.5  ])
    """
    check_reduction("huber_loss", reduction)
    delta = check_delta(delta)
    return huber_forward(input, matching_target("huber_loss", input, target), reduction, delta)


def check_delta(delta: float) -> float:
    """Return `delta` as a Python float, which does not change the dtype of arrays.

    Raises:
        TypeError: `delta` requires grad.
        ValueError: `delta` is not positive.
    """
    check_constant("huber_loss", "delta", delta)
    if not delta > 0:
        raise ValueError(f"huber_loss takes a positive delta, not {delta!r}")
    return float(delta)


@op("huber_loss")
def huber_forward(
    input: Array, target: Array, reduction: str = "mean", delta: float = 1.0
) -> Array:
    """Return the Huber loss of each element, reduced."""
    error = input - target
    clipped = error.clip(-delta, delta)
    # This is ½ e² where clipped = e, and delta (|e| − ½ delta) where clipped = ±delta.
    return reduce_losses(clipped * (error - 0.5 * clipped), reduction)


def huber_input_rule(
    grad: Array, input: Array, target: Array, reduction: str, delta: float
) -> Array:
    """d/dx = x − y, clipped to ±delta."""
    return (input - target).clip(-delta, delta) * reduce_rule(grad, reduction, input.size)


def huber_target_rule(
    grad: Array, input: Array, target: Array, reduction: str, delta: float
) -> Array:
    """d/dy = y − x, clipped to ±delta."""
    return huber_input_rule(grad, target, input, reduction, delta)


def smooth_l1_loss(
    input: AnyArray, target: Any, reduction: str = "mean", beta: float = 1.0
) -> AnyArray:
    """Return the smooth L1 loss of each element, reduced: the Huber loss divided by its delta.

    With e = x − y it is ½ e² / beta where |e| ≤ beta, and |e| − ½ beta elsewhere. R. Girshick,
    "Fast R-CNN", 2015.

    Args:
        input, target, reduction: as for `mse_loss`.
        beta: the error at which the loss becomes linear, 0 or more; 0 gives `l1_loss`.

    Raises:
        ValueError: beta is negative, the shapes differ, or the reduction is unknown.
        TypeError: the input is not floating, or beta requires grad.

    >>> smooth_l1_loss(np.array([0.5, 3.0]), [0.0, 0.0], reduction="none", beta=2.0)
    array([0.0625, 2.    ])
    """
    check_reduction("smooth_l1_loss", reduction)
    beta = check_beta(beta)
    target = matching_target("smooth_l1_loss", input, target)
    if not beta:
        return l1_forward(input, target, reduction)
    return huber_forward(input, target, reduction, beta) / beta


def check_beta(beta: float) -> float:
    """Return `beta` as a Python float, which does not change the dtype of arrays.

    Raises:
        TypeError: `beta` requires grad.
        ValueError: `beta` is negative.
    """
    check_constant("smooth_l1_loss", "beta", beta)
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss takes a beta of 0 or more, not {beta!r}")
    return float(beta)
