"""The affine map of a fully connected layer, and its backward rules."""

from __future__ import annotations

from typing import Any

from tinytorch_core import op
from tinytorch_core.extend import AnyArray, matmul, sum_rows

Array = Any


@op("linear")
def linear(x: AnyArray, weight: Array, bias: Array = None) -> AnyArray:
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
    out = matmul(x, weight)
    return out if bias is None else add_bias(out, bias)


def linear_x(grad: Array, weight: Array) -> Array:
    """dL/dx = g @ weight^T."""
    return matmul(grad, weight.T)


def linear_weight(grad: Array, x: Array) -> Array:
    """dL/dweight = x^T @ g."""
    return matmul(_rows(x).T, _rows(grad))


def linear_bias(grad: Array) -> Array:
    """dL/dbias = the sum of g over all rows."""
    return sum_rows(grad)


def add_bias(out: Array, bias: Array) -> Array:
    """Return `out` + `bias`, computed in place if the dtypes are equal."""
    if out.dtype != bias.dtype:
        return out + bias
    out += bias
    return out


def _rows(x: Array) -> Array:
    """Return `x` as a matrix: all axes except the last are merged into one."""
    return x if x.ndim == 2 else x.reshape((-1, x.shape[-1]))
