"""Products of a small matrix with a long one, computed in parts.

BLAS libraries pack matrices before they multiply them, which takes longer than the product itself
if one of them is small. OpenBLAS has kernels that skip packing for products of up to about a
million multiplications. Parts of that size reduce the time of LeNet's first layer to 40 %.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any

# The number of elements of the small matrix above which packing pays off.
_SMALL = 512


def product(left: Array, right: Array, parts: int) -> Array:
    """Return `left` @ `right` for (..., O, K) and (..., K, M), where `parts` divides M."""
    if left.shape[-2] * left.shape[-1] > _SMALL:
        return left @ right
    shape = (*left.shape[:-1], right.shape[-1])
    out = np.empty_like(right, dtype=np.result_type(left, right), shape=shape)
    np.matmul(left[..., None, :, :], _split(right, parts), out=_split(out, parts))
    return out


def inner_product(left: Array, right: Array, parts: int) -> Array:
    """Return `left` @ `right`^T for (..., K, M) and (..., O, M), where `parts` divides M."""
    if left.shape[-2] * right.shape[-2] > _SMALL:
        return left @ right.mT
    return (_split(left, parts) @ _split(right, parts).mT).sum(axis=-3)


def _split(matrix: Array, parts: int) -> Array:
    """Return (..., rows, M) as (..., parts, rows, M / parts), without copying."""
    length = matrix.shape[-1] // parts
    return matrix.reshape((*matrix.shape[:-1], parts, length)).swapaxes(-2, -3)
