"""Activations built on the sigmoid: sigmoid, silu and softplus, with their rules; and tanh."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import AnyArray

from tinytorch_activations.arguments import as_float_array, check_nonzero, check_number

Array = Any


@op("sigmoid")
def sigmoid(x: AnyArray) -> AnyArray:
    """Return 1 / (1 + exp(-x)) for each element. It does not overflow.

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; float64 for integers.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    return _logistic(as_float_array(x))


# If exp(-x) overflows to inf, 1 / (1 + inf) = 0 is the correct result. A decorator, because a with
# statement would cost twice as much.
@np.errstate(over="ignore")
def _logistic(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def sigmoid_rule(grad: Array, out: Array) -> Array:
    """ds/dx = s (1 - s), with s = sigmoid(x)."""
    return grad * (out * (1 - out))


@op("silu")
def silu(x: AnyArray) -> AnyArray:
    """Return x sigmoid(x) for each element: the sigmoid linear unit, also called swish.

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
    """d silu/dx = s + x s (1 - s) = s + silu(x) (1 - s), with s = sigmoid(x)."""
    s = sigmoid(x)
    return grad * (s + out * (1 - s))


@op("softplus")
def softplus(x: AnyArray, beta: float = 1.0, threshold: float = 20.0) -> AnyArray:
    """Return log(1 + exp(beta x)) / beta for each element, or x where beta x > threshold.

    It is a smooth approximation of relu. With z = beta x it is computed as
    (max(z, 0) + log(1 + exp(-|z|))) / beta, which does not overflow. The threshold exists for
    compatibility with PyTorch. With beta=-1 it is log(sigmoid(x)).

    Args:
        x: a Tensor or array of any shape.
        beta: a number other than 0. It is a constant and gets no gradient.
        threshold: a number. It is a constant and gets no gradient.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        TypeError: `x` is complex, or `beta` or `threshold` is not a number.
        ValueError: `beta` or `threshold` is NaN, or `beta` is 0.

    >>> softplus(np.array([-1000.0, 0.0, 2.0]))
    array([0.        , 0.69314718, 2.12692801])
    """
    x = as_float_array(x)
    if x.dtype.kind == "c":
        raise TypeError(
            f"softplus takes real numbers, not {x.dtype}, because it compares them with a "
            "threshold; use np.log1p(np.exp(x))"
        )
    beta = check_nonzero("beta", beta)
    z = beta * x
    smooth = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return np.where(z > check_number("threshold", threshold), x, smooth / beta)


def softplus_rule(grad: Array, x: Array, beta: float, threshold: float) -> Array:
    """d softplus/dx = sigmoid(beta x), or 1 where beta x > threshold."""
    z = float(beta) * x
    return grad * np.where(z > float(threshold), 1, sigmoid(z))


@op("tanh")
def tanh(x: AnyArray) -> AnyArray:
    """Return the hyperbolic tangent of each element.

    This is an op of the core: `x.tanh()` and `np.tanh(x)` also work without this plugin.

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; for integers the dtype that np.tanh returns.

    >>> tanh(np.array([-1000.0, 0.0, 1000.0]))
    array([-1.,  0.,  1.])
    """
    return np.tanh(x)
