"""The affine map of a fully connected layer, and its backward rules."""

from __future__ import annotations

from typing import Any

from tinytorch_core import op

Array = Any
Shape = tuple[int, ...]


@op("linear")
def linear(x: Array, weight: Array, bias: Array = None) -> Array:
    """Return x @ weight + bias.

    Args:
        x: a Tensor or array of shape (..., in).
        weight: a Tensor or array of shape (in, out).
        bias: a Tensor or array of shape (out,), or None.

    Returns:
        A Tensor or array of shape (..., out).

    Raises:
        ValueError: the shapes do not match.

    >>> import numpy as np
    >>> linear(np.ones((2, 3)), np.ones((3, 1)), np.array([0.5]))
    array([[3.5],
           [3.5]])
    """
    # A single matrix product; matmul would compute one for each leading index.
    out = _rows(x) @ weight
    if bias is not None:
        out = add_bias(out, bias)
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


def add_bias(out: Array, bias: Array) -> Array:
    """Return `out` + `bias`, computed in place if the dtypes are equal."""
    if out.dtype != bias.dtype:
        return out + bias
    out += bias
    return out


def _rows(x: Array) -> Array:
    """Return `x` as a matrix: all axes except the last are merged into one."""
    return x if x.ndim == 2 else x.reshape((-1, x.shape[-1]))
