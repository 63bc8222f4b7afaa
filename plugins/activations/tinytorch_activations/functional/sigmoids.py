"""Activations made of the logistic function: sigmoid, silu, softplus, tanh. With their rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op

from tinytorch_activations.arguments import floating, nonzero, number

Array = Any


@op("sigmoid")
def sigmoid(x: Array) -> Array:
    """The logistic function 1 / (1 + exp(-x)); exactly 0 at -1000 and 1 at 1000.

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; float64 for integers.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    return _logistic(floating(x))


# Where exp(-x) overflows, 1 / inf is the right answer. As a decorator errstate costs half as much
# as in a with statement.
@np.errstate(over="ignore")
def _logistic(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def sigmoid_rule(grad: Array, out: Array) -> Array:
    """d s / dx = s (1 - s)."""
    return grad * (out * (1 - out))


@op("silu")
def silu(x: Array) -> Array:
    """The sigmoid linear unit x sigmoid(x), also called swish.

    Elfwing, Uchibe & Doya, "Sigmoid-weighted linear units", 2018, arXiv:1702.03118.

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; float64 for integers.

    >>> silu(np.array([-1000.0, 0.0, 1000.0]))
    array([  -0.,    0., 1000.])
    """
    return x * sigmoid(x)


def silu_rule(grad: Array, out: Array, x: Array) -> Array:
    """d silu / dx = s + x s (1 - s) = s + silu(x) (1 - s), with s = sigmoid(x)."""
    s = sigmoid(x)
    return grad * (s + out * (1 - s))


@op("softplus")
def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """The smooth relu log(1 + exp(beta x)) / beta; x itself where beta x > threshold.

    The function from which it is computed, max(z, 0) + log(1 + exp(-|z|)), never overflows; the
    threshold is PyTorch's. With beta=-1 it is the logarithm of the sigmoid.

    Args:
        x: a Tensor or array of any shape.
        beta, threshold: numbers, constants to which no gradient is computed; beta is not 0.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        TypeError, ValueError: `beta` or `threshold` is no number, or NaN, or beta is 0.

    >>> softplus(np.array([-1000.0, 0.0, 2.0]))
    array([0.        , 0.69314718, 2.12692801])
    """
    x = floating(x)
    beta = nonzero("beta", beta)
    z = beta * x
    smooth = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return np.where(z > number("threshold", threshold), x, smooth / beta)


def softplus_rule(grad: Array, x: Array, beta: float, threshold: float) -> Array:
    """d softplus / dx = sigmoid(beta x), and 1 where beta x > threshold."""
    z = float(beta) * x
    return grad * np.where(z > float(threshold), 1, sigmoid(z))


@op("tanh")
def tanh(x: Array) -> Array:
    """Return the hyperbolic tangent of each element.

    It is an op of the core: `x.tanh()` and `np.tanh(x)` work without this plugin too.

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; for integers the dtype that np.tanh gives.

    >>> tanh(np.array([-1000.0, 0.0, 1000.0]))
    array([-1.,  0.,  1.])
    """
    return np.tanh(x)
