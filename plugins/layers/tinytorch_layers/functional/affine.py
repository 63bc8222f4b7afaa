"""The linear map of a fully connected layer. With its rules."""

from __future__ import annotations

from typing import Any

from tinytorch_core import op

Array = Any
Shape = tuple[int, ...]


@op("linear")
def linear(x: Array, weight: Array, bias: Array = None) -> Array:
    """The map x @ weight + bias.

    Args:
        x: a Tensor or array of shape (..., in).
        weight: of shape (in, out).
        bias: of shape (out,), or None for none.

    Returns:
        The shape (..., out).

    Raises:
        ValueError: the shapes do not fit.

    >>> import numpy as np
    >>> linear(np.ones((2, 3)), np.ones((3, 1)), np.array([0.5]))
    array([[3.5],
           [3.5]])
    """
    # One product of matrices, where matmul would make one for each leading index.
    out = _rows(x) @ weight
    if bias is not None:
        out = plus(out, bias)
    return out if x.ndim == 2 else out.reshape((*x.shape[:-1], weight.shape[1]))


def linear_x(grad: Array, x_shape: Shape, weight: Array) -> Array:
    """dL/dx = g @ weight^T."""
    out = _rows(grad) @ weight.T
    return out if len(x_shape) == 2 else out.reshape(x_shape)


def linear_weight(grad: Array, x: Array) -> Array:
    """dL/dweight = x^T @ g."""
    return _rows(x).T @ _rows(grad)


def linear_bias(grad: Array) -> Array:
    """dL/dbias = the sum of g over all rows."""
    return _rows(grad).sum(axis=0)


def plus(out: Array, bias: Array) -> Array:
    """`out` + bias, in the memory of `out` where the dtype allows it."""
    if out.dtype != bias.dtype:
        return out + bias
    out += bias
    return out


def _rows(x: Array) -> Array:
    return x if x.ndim == 2 else x.reshape((-1, x.shape[-1]))
