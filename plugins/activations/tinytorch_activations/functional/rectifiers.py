"""Activations that pass positive values unchanged: relu, leaky_relu, elu. With their rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op

from tinytorch_activations.arguments import floating, number

Array = Any


@op("relu")
def relu(x: Array) -> Array:
    """The positive part max(x, 0) of each element; the derivative at 0 is 0.

    Args:
        x: a Tensor or array of any shape. Integers stay integers.

    Returns:
        The same shape and dtype.

    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return np.maximum(x, 0)


def relu_rule(grad: Array, out: Array) -> Array:
    """d relu / dx = 1 where x > 0, and 0 elsewhere."""
    # What relu left is nonzero just where x > 0. Converting takes a third less than comparing.
    return grad * out.astype(bool)


@op("leaky_relu")
def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """Each x > 0 as it is, any other times `negative_slope`, which is the derivative at 0 too.

    Maas, Hannun & Ng, "Rectifier nonlinearities improve neural network acoustic models", 2013.

    Args:
        x: a Tensor or array of any shape.
        negative_slope: a number, a constant to which no gradient is computed.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        TypeError, ValueError: `negative_slope` is no number, or NaN.

    >>> leaky_relu(np.array([-1.0, 0.0, 2.0]), negative_slope=0.1)
    array([-0.1,  0. ,  2. ])
    """
    x = floating(x)
    return np.where(x > 0, x, number("negative_slope", negative_slope) * x)


def leaky_relu_rule(grad: Array, x: Array, negative_slope: float) -> Array:
    """d leaky_relu / dx = 1 where x > 0, and negative_slope elsewhere."""
    return np.where(x > 0, grad, float(negative_slope) * grad)


@op("elu")
def elu(x: Array, alpha: float = 1.0) -> Array:
    """Each x > 0 as it is, and alpha (exp(x) - 1) for any other.

    The derivatives at 0 are those from below, the first one so `alpha`. Clevert, Unterthiner &
    Hochreiter, "Fast and accurate deep network learning by exponential linear units", 2016,
    arXiv:1511.07289.

    Args:
        x: a Tensor or array of any shape.
        alpha: a number, a constant to which no gradient is computed.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        TypeError, ValueError: `alpha` is no number, or NaN.

    >>> elu(np.array([-1000.0, 0.0, 2.0]), alpha=0.5)
    array([-0.5,  0. ,  2. ])
    """
    x = floating(x)
    return np.where(x > 0, x, number("alpha", alpha) * np.expm1(np.minimum(x, 0)))


def elu_rule(grad: Array, x: Array, alpha: float) -> Array:
    """d elu / dx = 1 where x > 0, and alpha exp(x) elsewhere."""
    # The exponential could overflow only where it is not taken; there it is given 0.
    positive = x > 0
    return grad * np.where(positive, 1, float(alpha) * np.exp(np.where(positive, 0, x)))
