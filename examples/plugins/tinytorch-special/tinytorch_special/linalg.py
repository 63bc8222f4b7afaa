"""Functions of matrices, with the names and arguments of scipy.linalg.

The derivatives follow from Giles 2008, An extended collection of matrix derivative results for
forward and reverse mode algorithmic differentiation. The functions are holomorphic, so their rules
contain transposes without conjugates. `sqrtm` and `solve_sylvester` take stacks of matrices if
SciPy does, from version 1.17.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from tinytorch_core.extend import kernel

from tinytorch_special.family import Array, floating, integer, rule, special


@special("A", module="linalg", complex_too=True)
@kernel("A")
def sqrtm(A: Array) -> Array:
    """The principal square root of a square matrix, X with X X = A.

    The gradient of A is the solution S of Xᵀ S + S Xᵀ = G, with the gradient G of X. It exists if
    A is not singular. The root of a real matrix with negative eigenvalues is complex.

    Raises:
        ValueError: A is not a square matrix.
    """
    A = A if hasattr(A, "dtype") else np.asarray(A)
    if A.ndim < 2:  # SciPy 1.17 returns exp(A) for a number
        raise ValueError(f"sqrtm() takes a square matrix, not an array of shape {A.shape}")
    # SciPy 1.17 reads the bytes of an array in the other byte order as if they were in this one.
    root = scipy.linalg.sqrtm(A.astype(A.dtype.newbyteorder("="), copy=False))
    dtype = floating(A)
    return root.astype(np.result_type(dtype, np.complex64) if root.dtype.kind == "c" else dtype)


def _sqrtm_rule(grad: Array, out: Array, A_dtype: np.dtype[Any]) -> Array:
    found = solve_sylvester(out.mT, out.mT, grad)
    return found if A_dtype.kind == "c" else np.real(found)


@special("a b q", module="linalg", complex_too=True)
@kernel("a", "b", "q")
def solve_sylvester(a: Array, b: Array, q: Array) -> Array:
    """The solution X of Sylvester's equation a X + X b = q.

    The gradient of q is the solution S of aᵀ S + S bᵀ = G, with the gradient G of X; those of a
    and b are -S Xᵀ and -Xᵀ S. The solution exists if a and -b have no common eigenvalue.

    Args:
        a, b: square matrices, of shape (m, m) and (n, n).
        q: a matrix of shape (m, n).
    """
    return scipy.linalg.solve_sylvester(a, b, q)


def _adjoint(grad: Array, a: Array, b: Array) -> Array:
    return solve_sylvester(a.mT, b.mT, grad)


@special("ab b", module="linalg", complex_too=True)
@kernel("ab", "b")
def solve_banded(l_and_u: tuple[int, int], ab: Array, b: Array) -> Array:
    """The solution x of A x = b, for a matrix A with few nonzero diagonals.

    The gradient of b is the solution s of Aᵀ s = G, with the gradient G of x; that of A is -s xᵀ
    on its diagonals. Elements of `ab` that do not belong to A get the gradient 0.

    Args:
        l_and_u: the numbers of diagonals below and above the main diagonal.
        ab: the diagonals, of shape (l + u + 1, n): ab[u + i - j, j] is A[i, j].
        b: the right-hand side, of shape (n,) or (n, k).

    Raises:
        TypeError: a number of diagonals is not an integer.
        ValueError: a number of diagonals is negative, or the shapes do not fit.
    """
    if np.ndim(ab) != 2:
        raise ValueError(f"ab of solve_banded() must have two axes, not the shape {np.shape(ab)}")
    return scipy.linalg.solve_banded(_bandwidths(l_and_u), ab, b)


def _bandwidths(l_and_u: tuple[int, int]) -> tuple[int, int]:
    below, above = l_and_u
    name = "l_and_u"
    return integer("solve_banded", name, below, 0), integer("solve_banded", name, above, 0)


def _rows(l_and_u: tuple[int, int], n: int) -> tuple[Array, Array]:
    """Return the row i of A for each element of `ab`, modulo n, and whether it belongs to A."""
    below, above = l_and_u
    rows = np.arange(n) + np.arange(-above, below + 1)[:, None]
    return rows % n, (rows >= 0) & (rows < n)


def _transposed(l_and_u: tuple[int, int], ab: Array) -> Array:
    """Return the diagonals of Aᵀ: those of A in reverse order, each shifted to its new columns."""
    below, above = l_and_u
    n = ab.shape[1]
    columns, _ = _rows((above, below), n)
    return ab[np.arange(below + above, -1, -1)[:, None], columns]


def _solve_transposed(grad: Array, l_and_u: tuple[int, int], ab: Array) -> Array:
    below, above = l_and_u
    return solve_banded((above, below), _transposed(l_and_u, ab), grad)


def _banded_ab(grad: Array, out: Array, l_and_u: tuple[int, int], ab: Array) -> Array:
    rows, belongs = _rows(l_and_u, ab.shape[1])
    products = -_solve_transposed(grad, l_and_u, ab)[rows] * out
    if out.ndim == 2:
        products = products.sum(axis=-1)
    return np.where(belongs, products, 0)


rule(sqrtm, _sqrtm_rule)
rule(
    solve_sylvester,
    lambda grad, out, a, b: -_adjoint(grad, a, b) @ out.mT,
    lambda grad, out, a, b: -out.mT @ _adjoint(grad, a, b),
    _adjoint,
)
rule(solve_banded, _banded_ab, _solve_transposed)
