"""The linear algebra of the array API standard, of matrices in the last two axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.array_api.conversion import asarray, with_tensor
from tinytorch_core.array_api.manipulation import matrix_transpose

Array = Any

# Any, because NumPy's stubs do not know its keyword `axis`.
_vecdot: Any = np.vecdot

__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    """Return the lower or upper Cholesky factor of each positive definite matrix."""
    return np.linalg.cholesky(asarray(x), upper=upper)


def cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """Return the cross products of vectors with three elements along `axis`."""
    return np.linalg.cross(*with_tensor(x1, x2), axis=axis)


def det(x: Array, /) -> Array:
    """Return the determinant of each matrix."""
    return np.linalg.det(asarray(x))


def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    """Return the diagonal of each matrix, `offset` above the main diagonal."""
    return np.linalg.diagonal(asarray(x), offset=offset)


def eigh(x: Array, /) -> Any:
    """Return the eigenvalues and eigenvectors of each Hermitian matrix."""
    return np.linalg.eigh(asarray(x))


def eigvalsh(x: Array, /) -> Array:
    """Return the eigenvalues of each Hermitian matrix."""
    return np.linalg.eigvalsh(asarray(x))


def inv(x: Array, /) -> Array:
    """Return the inverse of each matrix."""
    return np.linalg.inv(asarray(x))


def matmul(x1: Array, x2: Array, /) -> Array:
    """Return the matrix product `x1 @ x2`."""
    return np.matmul(*with_tensor(x1, x2))


def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """Return a norm of each matrix."""
    return np.linalg.matrix_norm(asarray(x), keepdims=keepdims, ord=ord)


def matrix_power(x: Array, n: int, /) -> Array:
    """Return each matrix to the whole power `n`."""
    return np.linalg.matrix_power(asarray(x), n)


def matrix_rank(x: Array, /, *, rtol: Any = None) -> Array:
    """Return the rank: the singular values larger than `rtol` times the largest."""
    return np.linalg.matrix_rank(asarray(x), rtol=rtol)


def outer(x1: Array, x2: Array, /) -> Array:
    """Return the product of each element of one vector with each of the other."""
    return np.linalg.outer(*with_tensor(x1, x2))


def pinv(x: Array, /, *, rtol: Any = None) -> Array:
    """Return the pseudo-inverse of each matrix, without singular values below `rtol`."""
    return np.linalg.pinv(asarray(x), rtol=rtol)


def qr(x: Array, /, *, mode: Any = "reduced") -> Any:
    """Return the QR decomposition of each matrix."""
    return np.linalg.qr(asarray(x), mode=mode)


def slogdet(x: Array, /) -> Any:
    """Return the sign of each determinant, and the logarithm of its absolute value."""
    return np.linalg.slogdet(asarray(x))


def solve(x1: Array, x2: Array, /) -> Array:
    """Return the solution `x` of `x1 @ x == x2`; `x2` is a vector, or contains matrices."""
    return np.linalg.solve(*with_tensor(x1, x2))


def svd(x: Array, /, *, full_matrices: bool = True) -> Any:
    """Return the singular value decomposition of each matrix."""
    return np.linalg.svd(asarray(x), full_matrices=full_matrices)


def svdvals(x: Array, /) -> Array:
    """Return the singular values of each matrix."""
    return np.linalg.svdvals(asarray(x))


def tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    """Return the sum of products over axes: a number of them, or a pair of sequences."""
    x1, x2 = with_tensor(x1, x2)
    return np.tensordot(x1, x2, axes=axes)


def trace(x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """Return the sum of the diagonal of each matrix."""
    return np.linalg.trace(asarray(x), offset=offset, dtype=dtype)


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """Return the dot products along `axis`; those of complex numbers conjugate `x1`."""
    return _vecdot(*with_tensor(x1, x2), axis=axis)


def vector_norm(x: Array, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """Return a norm of the vectors along `axis`, or of all elements."""
    return np.linalg.vector_norm(asarray(x), axis=axis, keepdims=keepdims, ord=ord)
