"""Decompositions into eigenvalues and eigenvectors, or singular values and singular vectors.

A singular value of 0 has the gradient 0, like |x| at 0. `rules/degeneracies.py` explains what
happens where values are equal. In formulas g is a gradient as users see it, dL = Re tr(g^H dX).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.complex_numbers import (
    adjoint,
    conj,
    hermitian_part,
    in_user_convention,
    real_part,
)
from tinytorch_autograd.rules.degeneracies import (
    check_defective,
    check_equal_values,
    check_phases,
    divide_by_gaps,
    divide_by_values,
    equal_pairs,
    first_vectors,
    nearly_zero,
    share_equally,
)
from tinytorch_autograd.rules.family import Family

Array = Any
Grads = Sequence[Array]  # None for an output that the loss does not depend on

family = Family()


def on_diagonal(x: Array) -> Array:
    """Return matrices with the rows of x on their diagonals."""
    return x[..., None] * np.eye(x.shape[-1], dtype=x.dtype)


@in_user_convention
def eigh_rule(grads: Grads, outs: Sequence[Array]) -> Array:
    """The Hermitian part of v (diag(g_w) + v^H g_v / (w_j - w_i)) v^H.

    M. Giles, "An extended collection of matrix derivative results for forward and reverse mode
    algorithmic differentiation" (2008), section 3.1.
    """
    by_values, by_vectors = grads
    values, vectors = outs
    equal = equal_pairs(unwrap(values))
    inner: Array = 0
    if by_values is not None:
        inner = on_diagonal(share_equally(real_part(by_values), equal))
    if by_vectors is not None:
        rotation = adjoint(vectors) @ by_vectors
        check_phases(rotation, "eigenvectors")
        check_equal_values(rotation, equal, "eigenvectors", "eigenvalues")
        gaps = values[..., None, :] - values[..., None]
        inner = inner + divide_by_gaps(rotation, gaps, equal)
    return hermitian_part(vectors @ inner @ adjoint(vectors))


@in_user_convention
def eig_rule(grads: Grads, outs: Sequence[Array]) -> Array:
    """v^-H (diag(g_w) + (v^H g_v - v^H v diag(Re v^H g_v)) / conj(w_j - w_i)) v^H.

    C. Boeddeker et al., "On the computation of complex-valued gradients with application to
    statistically optimum beamforming" (2017), section 4.4, for vectors of length 1.
    """
    by_values, by_vectors = grads
    values, vectors = outs
    equal = equal_pairs(unwrap(values))
    check_defective(unwrap(vectors), equal)
    inner: Array = 0
    if by_values is not None:
        inner = on_diagonal(share_equally(by_values, equal))
    if by_vectors is not None:
        rotation = adjoint(vectors) @ by_vectors
        check_phases(rotation, "eigenvectors")
        rotation = keep_lengths(rotation, vectors)
        check_equal_values(rotation, equal, "eigenvectors", "eigenvalues")
        gaps = conj(values[..., None, :] - values[..., None])
        inner = inner + divide_by_gaps(rotation, gaps, equal)
    return np.linalg.solve(adjoint(vectors), inner @ adjoint(vectors))


def keep_lengths(rotation: Array, vectors: Array) -> Array:
    """Return v^H g_v - v^H v diag(Re v^H g_v), without changes of the vectors' lengths."""
    eye = np.eye(rotation.shape[-1], dtype=rotation.dtype)
    stretch = np.real(rotation * eye).sum(axis=-2)
    return rotation - adjoint(vectors) @ vectors * stretch[..., None, :]


@in_user_convention
def svd_rule(grads: Grads, outs: Sequence[Array]) -> Array:
    """u (diag(g_s) + r) v^H + (1 - u u^H) g_u / s v^H + u / s g_v^H (1 - v v^H).

    r is `rotation_of_singular_vectors`. J. Townsend, "Differentiating the singular value
    decomposition" (2016).
    """
    by_u, by_s, by_vh = grads
    s = outs[1]
    size = s.shape[-1]
    u, v = outs[0][..., :size], adjoint(outs[2][..., :size, :])
    equal, zero = equal_pairs(unwrap(s)), nearly_zero(unwrap(s))
    inner: Array = 0
    if by_s is not None:
        inner = on_diagonal(share_equally(np.where(zero, 0, real_part(by_s)), equal))
    if by_u is None and by_vh is None:
        return u @ inner @ adjoint(v)
    names = "singular vectors", "np.linalg.svd(full_matrices=False)"
    by_u = 0 * u if by_u is None else first_vectors(by_u, size, *names)
    by_v = 0 * v if by_vh is None else first_vectors(adjoint(by_vh), size, *names)
    left, right = adjoint(u) @ by_u, adjoint(v) @ by_v
    rotation = rotation_of_singular_vectors(left, right, s, equal, zero)
    grad = u @ (inner + rotation) @ adjoint(v)
    if u.shape[-2] > size:
        grad = grad + divide_by_values(by_u - u @ left, s, zero) @ adjoint(v)
    if v.shape[-2] > size:
        grad = grad + u @ adjoint(divide_by_values(by_v - v @ right, s, zero))
    return grad


def rotation_of_singular_vectors(
    left: Array, right: Array, s: Array, equal: Array, zero: Array
) -> Array:
    """Return (skew(u^H g_u) s_j + s_i skew(v^H g_v)) / (s_j^2 - s_i^2), where skew(x) = x - x^H.

    The diagonal is skew(u^H g_u) / 2s, which is 0 for real numbers: Z. Wan and S. Zhang,
    "Automatic differentiation for complex valued SVD" (2019).
    """
    for inner in (left, right):
        check_equal_values(inner, equal, "singular vectors", "singular values")
    check_phases(left + right, "singular vectors")
    rows, columns = s[..., None], s[..., None, :]
    gaps = (columns - rows) * (columns + rows)
    left, right = left - adjoint(left), right - adjoint(right)
    rotation = divide_by_gaps(left * columns + rows * right, gaps, equal)
    if left.dtype.kind != "c":
        return rotation
    return rotation + divide_by_values(left * np.eye(s.shape[-1], dtype=left.dtype) / 2, s, zero)


# NumPy reads one triangle of the matrix, but the gradient is Hermitian: it is the derivative by
# changes that keep the matrix Hermitian. Equal eigenvalues share their gradient; a gradient of
# their eigenvectors raises an error.
family.function("eigh", np.linalg.eigh, eigh_rule)
# Equal eigenvalues share their gradient; a defective matrix, or a gradient of the eigenvectors of
# equal eigenvalues, raises an error.
family.function("eig", np.linalg.eig, eig_rule)
# Equal values share their gradient, and a value of 0 has the gradient 0. A gradient of the vectors
# of equal values, of a value of 0, or of those that full_matrices=True adds raises an error.
family.function("svd", np.linalg.svd, svd_rule)


@family.composed(np.linalg.eigvalsh)
def eigvalsh(a: Array, UPLO: Any = "L") -> Array:
    """Return the eigenvalues of `eigh`.

    NumPy reads one triangle of the matrix, but the gradient is Hermitian, as that of `eigh`. Equal
    eigenvalues share their gradient equally.
    """
    return np.linalg.eigh(a, UPLO).eigenvalues


@family.composed(np.linalg.eigvals)
def eigvals(a: Array) -> Array:
    """Return the eigenvalues of `eig`.

    Equal eigenvalues share their gradient equally; a defective matrix raises an error.
    """
    return np.linalg.eig(a).eigenvalues


@family.composed(np.linalg.svdvals)
def svdvals(x: Array) -> Array:
    """Return the singular values of `svd`.

    Equal values share their gradient equally, and a value of 0 has the gradient 0.
    """
    return np.linalg.svd(x, full_matrices=False).S


@family.composed(np.linalg.svd)
def singular_values(
    a: Array, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Array:
    """Return only the singular values, for compute_uv=False."""
    if compute_uv:
        return NotImplemented
    return np.linalg.svd(a, full_matrices=False, hermitian=hermitian).S
