"""Matrix products."""

from __future__ import annotations

import math
from typing import Any

from tinytorch_core.extend import matmul

from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def transposed(x: Array) -> Array:
    """Return x with its last two axes swapped."""
    try:
        return x.mT
    except AttributeError:  # Dask's arrays do not have mT
        return x.swapaxes(-1, -2)


def matmul_left(grad: Array, x: Array, y: Array) -> Array:
    """The gradient of x in x @ y: grad @ y^T, where a vector x is a row and a vector y a column."""
    if y.ndim == 2 and x.ndim > 1:
        return matmul(grad, y.T)
    if y.ndim == 1:
        return grad[..., None] * y
    if x.ndim == 1:
        return (y @ grad[..., None])[..., 0]
    return grad @ transposed(y)


def matmul_right(grad: Array, x: Array, y: Array) -> Array:
    """The gradient of y in x @ y: x^T @ grad, where a vector x is a row and a vector y a column."""
    if y.ndim == 2 and x.ndim > 1:
        return matmul(rows_of(x).T, rows_of(grad))
    if x.ndim == 1:
        # An inner product, or the product of a row and matrices.
        return grad * x if y.ndim == 1 else x[:, None] * grad[..., None, :]
    if y.ndim == 1:
        return (transposed(x) @ grad[..., None])[..., 0]
    return transposed(x) @ grad


def rows_of(x: Array) -> Array:
    """Return x as a matrix: all axes except the last are merged into one."""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


family.rule("matmul", matmul_left, matmul_right)
