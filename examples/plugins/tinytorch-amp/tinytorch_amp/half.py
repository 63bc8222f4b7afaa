"""Arithmetic in float16: a cast whose gradient is cast back, and a matrix product.

NumPy's own product of float16 arrays does not use BLAS, and rounds after every addition. The one
here adds in float32, as tensor cores do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core.extend import matmul, op

Array = Any


@op("amp_cast")
def amp_cast(x: Array, dtype: Any) -> Array:
    """Return the elements in another floating dtype; numbers too large for it become infinite."""
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"dtype must be a floating dtype, not {np.dtype(dtype)}")
    with np.errstate(over="ignore"):
        return x.astype(dtype)


def amp_cast_backward(grad: Array, x_dtype: Any, dtype: Any) -> Array:
    """dL/dx = g, rounded to the dtype of the result, in the dtype of x."""
    return amp_cast(grad if grad.dtype == dtype else amp_cast(grad, dtype), x_dtype)


@op("half_matmul")
def half_matmul(x: Array, y: Array) -> Array:
    """Return the matrix product, computed in float32 and rounded to float16 for float16 inputs.

    Other inputs are multiplied in their own dtype.
    """
    if not (x.dtype == y.dtype == np.float16):
        return matmul(x, y)
    return amp_cast(matmul(x.astype(np.float32), y.astype(np.float32)), np.float16)


def gradient_of_left(grad: Array, x: Array, y: Array, product: Callable[..., Array]) -> Array:
    """dL/dx = g @ yᵀ for `product(x, y)`; a vector is a matrix of one row or column."""
    dx = product(_as_matrix(grad, x, y), (y[:, None] if y.ndim == 1 else y).swapaxes(-1, -2))
    return dx[..., 0, :] if x.ndim == 1 else dx


def gradient_of_right(grad: Array, x: Array, y: Array, product: Callable[..., Array]) -> Array:
    """dL/dy = xᵀ @ g."""
    dy = product((x[None, :] if x.ndim == 1 else x).swapaxes(-1, -2), _as_matrix(grad, x, y))
    return dy[..., 0] if y.ndim == 1 else dy


def _as_matrix(grad: Array, x: Array, y: Array) -> Array:
    grad = grad[..., None, :] if x.ndim == 1 and y.ndim > 1 else grad
    grad = grad[..., None] if y.ndim == 1 else grad
    return grad[..., None] if x.ndim == y.ndim == 1 else grad


def half_matmul_x(grad: Array, x: Array, y: Array) -> Array:
    """dL/dx = g @ yᵀ, rounded to float16 if x is float16."""
    return _rounded_like(x, gradient_of_left(grad, x, y, half_matmul))


def half_matmul_y(grad: Array, x: Array, y: Array) -> Array:
    """dL/dy = xᵀ @ g, rounded to float16 if y is float16."""
    return _rounded_like(y, gradient_of_right(grad, x, y, half_matmul))


def _rounded_like(x: Array, grad: Array) -> Array:
    half = x.dtype == np.float16 != grad.dtype
    return amp_cast(grad, np.float16) if half else grad
