"""Activations that make a distribution of an axis: softmax, log_softmax. With their rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op

from tinytorch_activations.arguments import dimension, floating

Array = Any


@op("softmax")
def softmax(x: Array, dim: int = -1) -> Array:
    """The shares exp(x) / Σ exp(x) along `dim`, which add up to 1.

    The largest element is subtracted first, so that nothing overflows. -inf gives 0; an axis of
    nothing but -inf gives NaN, as in PyTorch.

    Args:
        x: a Tensor or array of any shape.
        dim: the axis along which the results add up to 1.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        IndexError: there is no such axis.
        TypeError: `dim` is no integer.

    >>> softmax(np.array([[1000.0, 1000.0], [0.0, -1000.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    weights = _below_zero("softmax", x, dim)
    weights = np.exp(weights, out=weights if weights.ndim else None)
    weights /= weights.sum(axis=dim, keepdims=True)
    return weights


def softmax_rule(grad: Array, out: Array, dim: int) -> Array:
    """dL / dx_i = s_i (g_i - sum over j of g_j s_j)."""
    return out * (grad - (grad * out).sum(axis=dim, keepdims=True))


@op("log_softmax")
def log_softmax(x: Array, dim: int = -1) -> Array:
    """The logarithm of softmax along `dim`, also where softmax itself is 0 in floating point.

    Args:
        x: a Tensor or array of any shape.
        dim: the axis along which the exponentials of the results add up to 1.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        IndexError: there is no such axis.
        TypeError: `dim` is no integer.

    >>> log_softmax(np.array([0.0, -1000.0]))
    array([    0., -1000.])
    """
    shifted = _below_zero("log_softmax", x, dim)
    if shifted.size:
        shifted -= np.log(np.exp(shifted).sum(axis=dim, keepdims=True))
    return shifted


def log_softmax_rule(grad: Array, out: Array, dim: int) -> Array:
    """dL / dx_i = g_i - s_i times the sum over j of g_j."""
    return grad - np.exp(out) * grad.sum(axis=dim, keepdims=True)


def _below_zero(name: str, x: Array, dim: int) -> Array:
    """A copy of `x` less its largest element along `dim`."""
    x = floating(x)
    # A 0-d array counts as one element along its dim 0, as in PyTorch.
    axes = x.ndim or 1
    if not -axes <= dimension(dim) < axes:
        raise IndexError(
            f"{name} over dim {dim} of an array of shape {x.shape}: "
            f"dim must lie between {-axes} and {axes - 1}"
        )
    return x - x.max(axis=dim, keepdims=True) if x.size else x.copy()
