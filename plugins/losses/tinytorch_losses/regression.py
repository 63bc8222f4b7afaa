"""Losses of predicted numbers: mean squared error, absolute error, Huber's."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op

from tinytorch_losses.arguments import matched
from tinytorch_losses.reduction import check_reduction, reduced, spread

Array = Any


def mse_loss(input: Array, target: Any, reduction: str = "mean") -> Array:
    """The squared error (x − y)² of each element, reduced.

    Args:
        input: x, the predictions: a Tensor or array of a floating dtype and any shape.
        target: y: a Tensor, array or list of the same shape. It is converted to the input's dtype.
        reduction: "mean", "sum" or "none".

    Returns:
        A number, or with "none" the losses in the shape of the input; a Tensor if one was given.
        The mean of no elements is NaN.

    Raises:
        ValueError: the shapes differ, or there is no such reduction.
        TypeError: the input is not floating.

    >>> mse_loss(np.array([1.0, 2.0]), [0.0, 4.0]).item()
    2.5
    """
    check_reduction("mse_loss", reduction)
    return mse_forward(input, matched("mse_loss", input, target), reduction)


@op("mse_loss")
def mse_forward(input: Array, target: Array, reduction: str = "mean") -> Array:
    """The squared error of each element, reduced."""
    error = input - target
    return reduced(error * error, reduction)


def mse_input(grad: Array, input: Array, target: Array, reduction: str) -> Array:
    """d/dx = 2 (x − y)."""
    return (input - target) * (2 * spread(grad, reduction, input.size))


def mse_target(grad: Array, input: Array, target: Array, reduction: str) -> Array:
    """d/dy = 2 (y − x)."""
    return mse_input(grad, target, input, reduction)


def l1_loss(input: Array, target: Any, reduction: str = "mean") -> Array:
    """The absolute error |x − y| of each element, reduced. Where it is 0, so is its derivative.

    Args and errors are those of `mse_loss`.

    >>> l1_loss(np.array([1.0, 2.0]), [0.0, 4.0], reduction="none")
    array([1., 2.])
    """
    check_reduction("l1_loss", reduction)
    return l1_forward(input, matched("l1_loss", input, target), reduction)


@op("l1_loss")
def l1_forward(input: Array, target: Array, reduction: str = "mean") -> Array:
    """The absolute error of each element, reduced."""
    return reduced(abs(input - target), reduction)


def l1_input(grad: Array, input: Array, target: Array, reduction: str) -> Array:
    """d/dx = sign(x − y)."""
    return np.sign(input - target) * spread(grad, reduction, input.size)


def l1_target(grad: Array, input: Array, target: Array, reduction: str) -> Array:
    """d/dy = sign(y − x)."""
    return l1_input(grad, target, input, reduction)


def huber_loss(input: Array, target: Any, reduction: str = "mean", delta: float = 1.0) -> Array:
    """Quadratic for small errors e = x − y, linear for large ones, reduced.

    ½ e² where |e| ≤ delta, and delta (|e| − ½ delta) elsewhere: P. J. Huber, "Robust Estimation
    of a Location Parameter", 1964.

    Args:
        input, target, reduction: as for `mse_loss`.
        delta: where the two pieces meet; positive.

    Raises:
        ValueError: delta is not positive, the shapes differ, or there is no such reduction.
        TypeError: the input is not floating.

    >>> huber_loss(np.array([0.5, 3.0]), [0.0, 0.0], reduction="none")
    array([0.125, 2.5  ])
    """
    check_reduction("huber_loss", reduction)
    delta = check_delta(delta)
    return huber_forward(input, matched("huber_loss", input, target), reduction, delta)


def check_delta(delta: float) -> float:
    """`delta` as a Python number, which adapts to the dtype of arrays.

    Raises:
        ValueError: it is not positive.
    """
    if not delta > 0:
        raise ValueError(f"huber_loss takes a positive delta, not {delta!r}")
    return float(delta)


@op("huber_loss")
def huber_forward(
    input: Array, target: Array, reduction: str = "mean", delta: float = 1.0
) -> Array:
    """Huber's loss of each element, reduced."""
    error = input - target
    inner = error.clip(-delta, delta)
    # With c = inner this is ½ e² where c = e, and delta (|e| − ½ delta) where c = ±delta.
    return reduced(inner * (error - 0.5 * inner), reduction)


def huber_input(grad: Array, input: Array, target: Array, reduction: str, delta: float) -> Array:
    """d/dx = x − y, but at most delta in size."""
    return (input - target).clip(-delta, delta) * spread(grad, reduction, input.size)


def huber_target(grad: Array, input: Array, target: Array, reduction: str, delta: float) -> Array:
    """d/dy = y − x, but at most delta in size."""
    return huber_input(grad, target, input, reduction, delta)
