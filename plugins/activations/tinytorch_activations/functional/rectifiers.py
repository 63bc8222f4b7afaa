"""Activations that return positive elements unchanged: relu, leaky_relu and elu, with rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import AnyArray

from tinytorch_activations.arguments import as_float_array, check_number

Array = Any


@op("relu")
def relu(x: AnyArray) -> AnyArray:
    """Return max(x, 0) for each element. The derivative at 0 is 0.

    Args:
        x: a Tensor or array of any shape. Integers stay integers.

    Returns:
        The same shape and dtype.

    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return np.maximum(x, 0)


def relu_rule(grad: Array, out: Array) -> Array:
    """d relu/dx = 1 where x > 0, and 0 elsewhere."""
    # The output is nonzero exactly where x > 0. Converting it takes less time than comparing it,
    # and multiplying by a mask of the same dtype less than by booleans.
    return grad * out.astype(bool).astype(out.dtype)


@op("leaky_relu")
def leaky_relu(x: AnyArray, negative_slope: float = 0.01) -> AnyArray:
    """Return x where x > 0, and negative_slope x elsewhere.

    The derivative at 0 is `negative_slope`. Maas, Hannun & Ng, "Rectifier nonlinearities improve
    neural network acoustic models", 2013.

    Args:
        x: a Tensor or array of any shape.
        negative_slope: a number. It is a constant and gets no gradient.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        TypeError: `negative_slope` is not a number.
        ValueError: `negative_slope` is NaN.

    >>> leaky_relu(np.array([-1.0, 0.0, 2.0]), negative_slope=0.1)
    array([-0.1,  0. ,  2. ])
    """
    x = as_float_array(x)
    out: Array = np.where(x > 0, x, check_number("negative_slope", negative_slope) * x)
    return out


def leaky_relu_rule(grad: Array, x: Array, negative_slope: float) -> Array:
    """d leaky_relu/dx = 1 where x > 0, and negative_slope elsewhere."""
    return np.where(x > 0, grad, float(negative_slope) * grad)


@op("elu")
def elu(x: AnyArray, alpha: float = 1.0) -> AnyArray:
    """Return x where x > 0, and alpha (exp(x) - 1) elsewhere.

    At 0, derivatives of every order are those from the left, so the first is `alpha`. Clevert,
    Unterthiner & Hochreiter, "Fast and accurate deep network learning by exponential linear
    units", 2016, arXiv:1511.07289.

    Args:
        x: a Tensor or array of any shape.
        alpha: a number. It is a constant and gets no gradient.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        TypeError: `alpha` is not a number.
        ValueError: `alpha` is NaN.

    >>> elu(np.array([-1000.0, 0.0, 2.0]), alpha=0.5)
    array([-0.5,  0. ,  2. ])
    """
    x = as_float_array(x)
    return np.where(x > 0, x, check_number("alpha", alpha) * np.expm1(np.minimum(x, 0)))


def elu_rule(grad: Array, x: Array, alpha: float) -> Array:
    """d elu/dx = 1 where x > 0, and alpha exp(x) elsewhere."""
    # exp is evaluated at 0 where x > 0: its value there is unused and could overflow.
    positive = x > 0
    return grad * np.where(positive, 1, float(alpha) * np.exp(np.where(positive, 0, x)))
