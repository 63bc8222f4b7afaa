"""Softmax and its logarithm, with their rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import AnyArray

from tinytorch_activations.arguments import as_float_array, check_axis

Array = Any


@op("softmax")
def softmax(x: AnyArray, dim: int = -1) -> AnyArray:
    """Return exp(x) / Σ exp(x), where the sum is taken along `dim`.

    The largest element along `dim` is subtracted first, so exp does not overflow. An element of
    -inf gives 0. If all elements along `dim` are -inf, the result is NaN, as in PyTorch.

    Args:
        x: a Tensor or array of any shape.
        dim: the axis along which the results sum to 1.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        IndexError: `dim` is out of range.
        TypeError: `dim` is not an integer.

    >>> softmax(np.array([[1000.0, 1000.0], [0.0, -1000.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    weights: Array = _minus_max("softmax", x, dim)
    weights = np.exp(weights, out=weights if isinstance(weights, np.ndarray) else None)
    weights /= weights.sum(axis=dim, keepdims=True)
    return weights


def softmax_rule(grad: Array, out: Array, dim: int) -> Array:
    """dL/dx_i = s_i (g_i - Σ_j g_j s_j), with s = softmax(x)."""
    return out * (grad - (grad * out).sum(axis=dim, keepdims=True))


@op("log_softmax")
def log_softmax(x: AnyArray, dim: int = -1) -> AnyArray:
    """Return log(softmax(x)) along `dim`, which is finite even where softmax underflows to 0.

    Args:
        x: a Tensor or array of any shape.
        dim: the axis along which the exponentials of the results sum to 1.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        IndexError: `dim` is out of range.
        TypeError: `dim` is not an integer.

    >>> log_softmax(np.array([0.0, -1000.0]))
    array([    0., -1000.])
    """
    shifted = _minus_max("log_softmax", x, dim)
    if shifted.size:
        shifted -= np.log(np.exp(shifted).sum(axis=dim, keepdims=True))
    return shifted


def log_softmax_rule(grad: Array, out: Array, dim: int) -> Array:
    """dL/dx_i = g_i - s_i Σ_j g_j, with s = softmax(x)."""
    return grad - np.exp(out) * grad.sum(axis=dim, keepdims=True)


def _minus_max(function: str, x: Array, dim: int) -> Array:
    """Return a new array: `x` minus its maximum along `dim`."""
    x = as_float_array(x)
    check_axis(function, dim, x.shape)
    return x - x.max(axis=dim, keepdims=True) if x.size else x.copy()
