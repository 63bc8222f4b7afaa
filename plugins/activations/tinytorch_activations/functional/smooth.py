"""Smooth activations composed of other activations and of NumPy functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray

from tinytorch_activations.arguments import as_float_array, check_axis, check_nonzero
from tinytorch_activations.functional.rectifiers import elu
from tinytorch_activations.functional.sigmoids import sigmoid, softplus
from tinytorch_activations.functional.softmaxes import softmax

Array = Any

# The constants of Klambauer et al., to all digits that they give.
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def logsigmoid(x: AnyArray) -> AnyArray:
    """Return log(sigmoid(x)), which is finite even where the sigmoid underflows to 0.

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        TypeError: `x` is complex.

    >>> logsigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([-1.00000000e+03, -6.93147181e-01, -0.00000000e+00])
    """
    return softplus(x, -1.0, math.inf)


def mish(x: AnyArray) -> AnyArray:
    """Return x tanh(softplus(x)).

    Misra, "Mish: a self regularized non-monotonic activation function", 2019, arXiv:1908.08681.

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        TypeError: `x` is complex.

    >>> mish(np.array([-1000.0, 1.0, 1000.0]))
    array([-0.00000000e+00,  8.65098388e-01,  1.00000000e+03])
    """
    x = as_float_array(x)
    return x * np.tanh(softplus(x))


def selu(x: AnyArray) -> AnyArray:
    """Return scale * elu(x, alpha), with constants that keep the mean 0 and the variance 1.

    The constants are alpha = 1.67326... and scale = 1.05070.... At 0, derivatives are those from
    the left, so the first is scale * alpha. Klambauer, Unterthiner, Mayr & Hochreiter,
    "Self-normalizing neural networks", 2017, arXiv:1706.02515.

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; float64 for integers.

    >>> selu(np.array([-1000.0, 0.0, 1.0]))
    array([-1.75809934,  0.        ,  1.05070099])
    """
    return elu(x, _SELU_ALPHA) * _SELU_SCALE


def celu(x: AnyArray, alpha: float = 1.0) -> AnyArray:
    """Return x where x > 0, and alpha (exp(x / alpha) - 1) elsewhere.

    At 0, derivatives of every order are those from the left, so the first is 1. Barron,
    "Continuously differentiable exponential linear units", 2017, arXiv:1704.07483.

    Args:
        x: a Tensor or array of any shape.
        alpha: a number other than 0. It is a constant and gets no gradient.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        TypeError: `alpha` is not a number.
        ValueError: `alpha` is NaN or 0.

    >>> celu(np.array([-1000.0, 0.0, 2.0]), alpha=0.5)
    array([-0.5,  0. ,  2. ])
    """
    x, alpha = as_float_array(x), check_nonzero("alpha", alpha)
    positive = x > 0
    # exp is evaluated at 0 where x > 0: its value there is unused and could overflow.
    out: Array = np.where(positive, x, alpha * np.expm1(np.where(positive, 0, x) / alpha))
    return out


def softsign(x: AnyArray) -> AnyArray:
    """Return x / (1 + |x|).

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; float64 for integers.

    >>> softsign(np.array([-3.0, 0.0, 1.0]))
    array([-0.75,  0.  ,  0.5 ])
    """
    x = as_float_array(x)
    return x / (1 + np.abs(x))


def tanhshrink(x: AnyArray) -> AnyArray:
    """Return x - tanh(x).

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; float64 for integers.

    >>> tanhshrink(np.array([-1000.0, 0.0, 1.0]))
    array([-9.99000000e+02,  0.00000000e+00,  2.38405844e-01])
    """
    x = as_float_array(x)
    return x - np.tanh(x)


def softmin(x: AnyArray, dim: int = -1) -> AnyArray:
    """Return softmax(-x), which is largest where x is smallest.

    Args:
        x: a Tensor or array of any shape.
        dim: the axis along which the results sum to 1.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        IndexError: `dim` is out of range.
        TypeError: `dim` is not an integer.

    >>> softmin(np.array([0.0, 1000.0]))
    array([1., 0.])
    """
    x = as_float_array(x)
    check_axis("softmin", dim, x.shape)
    return softmax(-x, dim)


def glu(x: AnyArray, dim: int = -1) -> AnyArray:
    """Return a sigmoid(b), where a and b are the two halves of x along `dim`.

    This is the gated linear unit. Dauphin, Fan, Auli & Grangier, "Language modeling with gated
    convolutional networks", 2017, arXiv:1612.08083.

    Args:
        x: a Tensor or array with an even number of elements along `dim`.
        dim: the axis to halve.

    Returns:
        Half of the elements of x along `dim`, of the same dtype; float64 for integers.

    Raises:
        IndexError: `dim` is out of range.
        TypeError: `dim` is not an integer.
        ValueError: `x` is 0-d, or has an odd number of elements along `dim`.

    >>> glu(np.array([[1.0, 2.0, 0.0, 1000.0]]))
    array([[0.5, 2. ]])
    """
    x = as_float_array(x)
    shape = x.shape
    check_axis("glu", dim, shape)
    if not shape or shape[dim] % 2:
        raise ValueError(
            f"glu: an array of shape {shape} cannot be halved along dim {dim}; the number of "
            "elements there must be even"
        )
    half, before = shape[dim] // 2, (slice(None),) * (dim % len(shape))
    return x[(*before, slice(half))] * sigmoid(x[(*before, slice(half, None))])
