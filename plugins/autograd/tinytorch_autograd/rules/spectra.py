"""Decompositions into values and vectors: eigenvalues and singular values.

A singular value of 0 has the gradient 0, as |x| has at 0. `rules/undetermined.py` tells what
happens where values are equal. `g` is a gradient as users see it: dL = Re tr(g^H dX).
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
    divided,
    equal_pairs,
    first_vectors,
    nearly_zero,
    over_gaps,
    refuse_defective,
    refuse_equal,
    refuse_phases,
    shared,
)
from tinytorch_autograd.rules.family import Family

Array = Any
Grads = Sequence[Array]  # None for an output on which nothing depends

family = Family()


def on_diagonal(x: Array) -> Array:
    """Matrices with the rows of x on their diagonals."""
    return x[..., None] * np.eye(x.shape[-1], dtype=x.dtype)


@in_user_convention
def eigh_rule(grads: Grads, outs: Sequence[Array]) -> Array:
    """v (diag(g_w) + v^H g_v / (w_j - w_i)) v^H, made Hermitian.

    Giles (2008), section 3.1.
    """
    by_values, by_vectors = grads
    values, vectors = outs
    equal = equal_pairs(unwrap(values))
    inner: Array = 0
    if by_values is not None:
        inner = on_diagonal(shared(real_part(by_values), equal))
    if by_vectors is not None:
        turned = adjoint(vectors) @ by_vectors
        refuse_phases(turned, "eigenvectors")
        refuse_equal(turned, equal, "eigenvectors", "eigenvalues")
        inner = inner + over_gaps(turned, values[..., None, :] - values[..., None], equal)
    return hermitian_part(vectors @ inner @ adjoint(vectors))


@in_user_convention
def eig_rule(grads: Grads, outs: Sequence[Array]) -> Array:
    """v^-H (diag(g_w) + (v^H g_v - v^H v diag(Re v^H g_v)) / conj(w_j - w_i)) v^H.

    C. Boeddeker et al., "On the computation of complex-valued gradients with application to
    statistically optimum beamforming" (2017), section 4.4: the vectors have the length 1.
    """
    by_values, by_vectors = grads
    values, vectors = outs
    equal = equal_pairs(unwrap(values))
    refuse_defective(unwrap(vectors), equal)
    inner: Array = 0
    if by_values is not None:
        inner = on_diagonal(shared(by_values, equal))
    if by_vectors is not None:
        turned = adjoint(vectors) @ by_vectors
        refuse_phases(turned, "eigenvectors")
        lengths = np.real(turned * np.eye(turned.shape[-1], dtype=turned.dtype)).sum(axis=-2)
        turned = turned - adjoint(vectors) @ vectors * lengths[..., None, :]
        refuse_equal(turned, equal, "eigenvectors", "eigenvalues")
        gaps = conj(values[..., None, :] - values[..., None])
        inner = inner + over_gaps(turned, gaps, equal)
    return np.linalg.solve(adjoint(vectors), inner @ adjoint(vectors))


@in_user_convention
def svd_rule(grads: Grads, outs: Sequence[Array]) -> Array:
    """u (diag(g_s) + `turning`) v^H, and what g_u and g_v have outside the spaces of u and v.

    That is divided by s, which brings it into the matrix. J. Townsend, "Differentiating the
    singular value decomposition" (2016).
    """
    by_u, by_s, by_vh = grads
    s = outs[1]
    size = s.shape[-1]
    u, v = outs[0][..., :size], adjoint(outs[2][..., :size, :])
    equal, zero = equal_pairs(unwrap(s)), nearly_zero(unwrap(s))
    inner: Array = 0
    if by_s is not None:
        inner = on_diagonal(shared(np.where(zero, 0, real_part(by_s)), equal))
    if by_u is None and by_vh is None:
        return u @ inner @ adjoint(v)
    remedy = "singular vectors", "np.linalg.svd(full_matrices=False)"
    by_u = 0 * u if by_u is None else first_vectors(by_u, size, *remedy)
    by_v = 0 * v if by_vh is None else first_vectors(adjoint(by_vh), size, *remedy)
    left, right = adjoint(u) @ by_u, adjoint(v) @ by_v
    found = u @ (inner + turning(left, right, s, equal, zero)) @ adjoint(v)
    if u.shape[-2] > size:
        found = found + divided(by_u - u @ left, s, zero) @ adjoint(v)
    if v.shape[-2] > size:
        found = found + u @ adjoint(divided(by_v - v @ right, s, zero))
    return found


def turning(left: Array, right: Array, s: Array, equal: Array, zero: Array) -> Array:
    """(skew(u^H g_u) s_j + s_i skew(v^H g_v)) / (s_j^2 - s_i^2), where skew(x) = x - x^H.

    On the diagonal half of skew(u^H g_u) over s, which is 0 for real numbers: Z. Wan and S. Zhang,
    "Automatic differentiation for complex valued SVD" (2019).
    """
    for turned in (left, right):
        refuse_equal(turned, equal, "singular vectors", "singular values")
    refuse_phases(left + right, "singular vectors")
    rows, columns = s[..., None], s[..., None, :]
    gaps = (columns - rows) * (columns + rows)
    left, right = left - adjoint(left), right - adjoint(right)
    found = over_gaps(left * columns + rows * right, gaps, equal)
    if left.dtype.kind != "c":
        return found
    return found + divided(left * np.eye(s.shape[-1], dtype=left.dtype) / 2, s, zero)


# Equal eigenvalues share their gradient; eigenvectors of equal ones have none: an error.
family.function("eigh", np.linalg.eigh, eigh_rule)
# Equal eigenvalues share their gradient; a defective matrix has no derivative: an error.
family.function("eig", np.linalg.eig, eig_rule)
# Equal values share their gradient, and a value of 0 has the gradient 0; singular vectors of equal
# values, of 0, or beyond the rows or columns have none: an error.
family.function("svd", np.linalg.svd, svd_rule)


@family.composed(np.linalg.eigvalsh)
def eigvalsh(a: Array, UPLO: Any = "L") -> Array:
    """The eigenvalues of `eigh`.

    Equal eigenvalues share their gradient equally.
    """
    return np.linalg.eigh(a, UPLO).eigenvalues


@family.composed(np.linalg.eigvals)
def eigvals(a: Array) -> Array:
    """The eigenvalues of `eig`.

    Equal eigenvalues share their gradient equally; a defective matrix has none: an error.
    """
    return np.linalg.eig(a).eigenvalues


@family.composed(np.linalg.svdvals)
def svdvals(x: Array) -> Array:
    """The singular values of `svd`.

    Equal values share their gradient equally, and a value of 0 has the gradient 0.
    """
    return np.linalg.svd(x, full_matrices=False).S


@family.composed(np.linalg.svd)
def singular_values(
    a: Array, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Array:
    """The singular values alone, of compute_uv=False."""
    if compute_uv:
        return NotImplemented
    return np.linalg.svd(a, full_matrices=False, hermitian=hermitian).S
