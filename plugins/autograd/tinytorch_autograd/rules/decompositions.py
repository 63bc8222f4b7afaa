"""Decompositions of matrices: Cholesky, QR, eigenvalues, singular values.

Eigenvectors and singular vectors are determined up to a factor of modulus 1, and not at all within
the space of equal values. A derivative that would depend on the choice is an error, never NaN.
Equal eigenvalues, and equal singular values, share their gradient equally, and a singular value of
0 has the gradient 0, as |x| has at 0: so what depends on the values alone has a gradient
everywhere.

`g` is a gradient as users see it: dL = Re tr(g^H dX).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_core.tensor import plain

from tinytorch_autograd.complex_numbers import adjoint, as_seen, conj, real_part
from tinytorch_autograd.errors import NotDifferentiableError
from tinytorch_autograd.rules.family import Family

Array = Any
Grads = Sequence[Array]  # None for an output on which nothing depends

family = Family()


def hermitian_part(x: Array) -> Array:
    """The mean of x and its conjugate transpose."""
    return (x + adjoint(x)) / 2


def upper_half(x: Array) -> Array:
    """The upper triangle, and half of the diagonal: with its adjoint a Hermitian matrix again."""
    ones = np.ones(x.shape[-2:], dtype=x.dtype)
    return x * (np.triu(ones) + np.triu(ones, 1)) / 2


def on_diagonal(x: Array) -> Array:
    """Matrices with the rows of x on their diagonals."""
    return x[..., None] * np.eye(x.shape[-1], dtype=x.dtype)


@as_seen
def cholesky_rule(grad: Array, out: Array, upper: bool) -> Array:
    """a = l l^H: l^-H (half of l^H g, made Hermitian) l^-1, as for symmetric changes of a.

    I. Murray, "Differentiation of the Cholesky decomposition" (2016), equation 8.
    """
    lower, g = (adjoint(out), adjoint(grad)) if upper else (out, grad)
    inner = adjoint(upper_half(adjoint(adjoint(lower) @ g)))
    left = np.linalg.solve(adjoint(lower), hermitian_part(inner))
    return adjoint(np.linalg.solve(adjoint(lower), adjoint(left)))


@as_seen
def qr_rule(grads: Grads, outs: Sequence[Array], a: Array, mode: str) -> Array:
    """Of the first columns `square_qr`. The rest of a wide matrix [x y] = q [u v] is y = q v.

    J. Roberts and L. Roberts, "QR and LQ decomposition matrix backpropagation algorithms for
    square, wide, and deep matrices" (2020).
    """
    rows, columns = a.shape[-2:]
    if mode == "raw":
        raise NotDifferentiableError("np.linalg.qr(mode='raw') has no derivative; use 'reduced'")
    (by_q, by_r), (q, r) = grads, outs
    by_q, by_r = (0 * of if g is None else g for g, of in ((by_q, q), (by_r, r)))
    if mode == "complete" and rows > columns:
        by_q = determined(by_q, columns, "columns of q", "np.linalg.qr(mode='reduced')")
        q, r, by_r = q[..., :columns], r[..., :columns, :], by_r[..., :columns, :]
    if rows >= columns:
        return square_qr(by_q, by_r, q, r)
    by_q = by_q + a[..., rows:] @ adjoint(by_r[..., rows:])
    by_x = square_qr(by_q, by_r[..., :rows], q, r[..., :rows])
    return np.concatenate([by_x, q @ by_r[..., rows:]], axis=-1)


def square_qr(by_q: Array, by_r: Array, q: Array, r: Array) -> Array:
    """(g_q + q h) r^-H for square r; h is Hermitian, above its diagonal g_r r^H - q^H g_q.

    M. Seeger et al., "Auto-differentiating linear algebra" (2017), section 4.3.
    """
    half = upper_half(by_r @ adjoint(r) - adjoint(q) @ by_q)
    inner = by_q + q @ (half + adjoint(half))
    return adjoint(solve(r, adjoint(inner), "the columns of the matrix are linearly dependent"))


def solve(a: Array, b: Array, why: str) -> Array:
    """np.linalg.solve, with the reason where that has no solution."""
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError as error:
        raise NotDifferentiableError(f"the derivative does not exist: {why}") from error


@as_seen
def eigh_rule(grads: Grads, outs: Sequence[Array]) -> Array:
    """v (diag(g_w) + v^H g_v / (w_j - w_i)) v^H, made Hermitian.

    Giles (2008), section 3.1.
    """
    by_values, by_vectors = grads
    values, vectors = outs
    equal = equal_pairs(plain(values))
    inner: Array = 0
    if by_values is not None:
        inner = on_diagonal(shared(real_part(by_values), equal))
    if by_vectors is not None:
        turned = adjoint(vectors) @ by_vectors
        refuse_phases(turned, "eigenvectors")
        refuse_equal(turned, equal, "eigenvectors", "eigenvalues")
        inner = inner + over_gaps(turned, values[..., None, :] - values[..., None], equal)
    return hermitian_part(vectors @ inner @ adjoint(vectors))


@as_seen
def eig_rule(grads: Grads, outs: Sequence[Array]) -> Array:
    """v^-H (diag(g_w) + (v^H g_v - v^H v diag(Re v^H g_v)) / conj(w_j - w_i)) v^H.

    C. Boeddeker et al., "On the computation of complex-valued gradients with application to
    statistically optimum beamforming" (2017), section 4.4: the vectors have the length 1.
    """
    by_values, by_vectors = grads
    values, vectors = outs
    equal = equal_pairs(plain(values))
    refuse_defective(plain(vectors), equal)
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


_FULL = "singular vectors", "np.linalg.svd(full_matrices=False)"


@as_seen
def svd_rule(grads: Grads, outs: Sequence[Array]) -> Array:
    """u (diag(g_s) + (skew(u^H g_u) s_j + s_i skew(v^H g_v)) / (s_j^2 - s_i^2)) v^H, and more.

    What g_u and g_v have outside the spaces of u and v is divided by s; for complex matrices so is
    half the imaginary diagonal of skew(u^H g_u). J. Townsend, "Differentiating the singular value
    decomposition" (2016); Z. Wan and S. Zhang, "Automatic differentiation for complex valued SVD"
    (2019).
    """
    by_u, by_s, by_vh = grads
    s = outs[1]
    size = s.shape[-1]
    u, v = outs[0][..., :size], adjoint(outs[2][..., :size, :])
    equal, zero = equal_pairs(plain(s)), nearly_zero(plain(s))
    inner: Array = 0
    if by_s is not None:
        inner = on_diagonal(shared(np.where(zero, 0, real_part(by_s)), equal))
    left = right = None
    if by_u is not None:
        by_u = determined(by_u, size, *_FULL)
        left = adjoint(u) @ by_u
        refuse_equal(left, equal, "singular vectors", "singular values")
    if by_vh is not None:
        by_v = determined(adjoint(by_vh), size, *_FULL)
        right = adjoint(v) @ by_v
        refuse_equal(right, equal, "singular vectors", "singular values")
    if left is not None or right is not None:
        both = [turned for turned in (left, right) if turned is not None]
        refuse_phases(sum(both), "singular vectors")
    gaps = (s[..., None, :] - s[..., None]) * (s[..., None, :] + s[..., None])
    if left is not None:
        skew = left - adjoint(left)
        inner = inner + over_gaps(skew * s[..., None, :], gaps, equal)
        if left.dtype.kind == "c":
            eye = np.eye(size, dtype=left.dtype)
            inner = inner + divided(skew * eye / 2, s, zero)
    if right is not None:
        inner = inner + over_gaps((right - adjoint(right)) * s[..., None], gaps, equal)
    found = u @ inner @ adjoint(v)
    if left is not None and u.shape[-2] > size:
        found = found + divided(by_u - u @ left, s, zero) @ adjoint(v)
    if right is not None and v.shape[-2] > size:
        found = found + u @ adjoint(divided(by_v - v @ right, s, zero))
    return found


def equal_pairs(values: Array) -> Array:
    """Which pairs of values are equal, up to rounding; each is equal to itself."""
    gaps = np.abs(values[..., :, None] - values[..., None, :])
    return gaps <= rounding(values)[..., None, None]


def among_others(equal: Array) -> Array:
    """The pairs of `equal_pairs` without those of a value with itself."""
    return equal & ~np.eye(equal.shape[-1], dtype=bool)


def nearly_zero(values: Array) -> Array:
    """Which values are 0, up to rounding."""
    return np.abs(values) <= rounding(values)[..., None]


def rounding(values: Array) -> Array:
    """How far equal eigenvalues, or singular values, may come out apart."""
    largest = np.abs(values).max(axis=-1, initial=0)
    return largest * (10 * values.shape[-1] * float(np.finfo(values.dtype).eps))


def shared(grad: Array, equal: Array) -> Array:
    """The gradients of values, the mean of them where values are equal."""
    if not among_others(equal).any():
        return grad
    share = equal / equal.sum(axis=-1, keepdims=True)
    return (share.astype(grad.dtype) @ grad[..., None])[..., 0]


def over_gaps(x: Array, gaps: Array, equal: Array) -> Array:
    """x / gaps, and 0 on the diagonal and wherever the values are equal."""
    return np.where(equal, 0, x) / np.where(equal, 1, gaps)


def divided(x: Array, s: Array, zero: Array) -> Array:
    """The columns of x over the singular values s, and 0 where the value is 0 and the column too.

    Raises:
        NotDifferentiableError: a column is not 0 where its singular value is.
    """
    zero = zero[..., None, :]
    if (zero & noticeable(plain(x))).any():
        raise NotDifferentiableError(
            "singular vectors have no derivative where their singular value is 0; use singular "
            "values alone, or full_matrices=False and only the vectors of the others"
        )
    return np.where(zero, 0, x) / np.where(zero, 1, s[..., None, :])


def noticeable(x: Array) -> Array:
    """Which elements of matrices are more than what rounding leaves of 0."""
    largest = np.abs(x).max(axis=(-2, -1), keepdims=True, initial=0)
    return np.abs(x) > largest * float(np.finfo(x.dtype).eps) ** 0.75


def refuse_equal(turned: Array, equal: Array, vectors: str, values: str) -> None:
    """Raises NotDifferentiableError if gradients ask for directions in a space of equal values."""
    others = among_others(equal)
    if others.any() and (others & noticeable(plain(turned))).any():
        raise NotDifferentiableError(
            f"{vectors} have no derivative where {values} are equal, because any basis of their "
            f"space will do; a function of the {values} alone has one"
        )


def refuse_phases(turned: Array, vectors: str) -> None:
    """Raises NotDifferentiableError if gradients depend on the phases of complex vectors."""
    if turned.dtype.kind != "c":
        return
    x = plain(turned)
    diagonal = np.diagonal(x, axis1=-2, axis2=-1).imag
    largest = np.abs(x).max(axis=(-2, -1), initial=0)[..., None]
    if (np.abs(diagonal) > largest * float(np.finfo(x.dtype).eps) ** 0.5).any():
        raise NotDifferentiableError(
            f"complex {vectors} are determined up to a factor of modulus 1, and this function "
            "depends on it; use one that does not, such as np.abs"
        )


def refuse_defective(vectors: Array, equal: Array) -> None:
    """Raises NotDifferentiableError if equal eigenvalues have too few eigenvectors."""
    if not among_others(equal).any():
        return
    smallest = np.linalg.svd(vectors, compute_uv=False)[..., -1]
    if (smallest < float(np.finfo(vectors.dtype).eps) ** 0.5).any():
        raise NotDifferentiableError(
            "the matrix is defective: equal eigenvalues lack eigenvectors, and have no derivative"
        )


def determined(by_vectors: Array, size: int, vectors: str, instead: str) -> Array:
    """The gradients of the first vectors; those of the others must be 0.

    Raises:
        NotDifferentiableError: they are not.
    """
    if by_vectors.shape[-1] > size and plain(by_vectors)[..., size:].any():
        raise NotDifferentiableError(
            f"the matrix determines only the first {size} {vectors}, and the others, on which the "
            f"function depends, have no derivative; use {instead}"
        )
    return by_vectors[..., :size]


family.function("cholesky", np.linalg.cholesky, cholesky_rule)
family.function("qr", np.linalg.qr, qr_rule)
family.function("eigh", np.linalg.eigh, eigh_rule)
family.function("eig", np.linalg.eig, eig_rule)
family.function("svd", np.linalg.svd, svd_rule)


@family.composed(np.linalg.qr)
def triangle(a: Array, mode: str = "reduced") -> Array:
    """The triangular factor alone, of mode="r"."""
    return np.linalg.qr(a).R if mode == "r" else NotImplemented


@family.composed(np.linalg.eigvalsh)
def eigvalsh(a: Array, UPLO: Any = "L") -> Array:
    """The eigenvalues of `eigh`."""
    return np.linalg.eigh(a, UPLO).eigenvalues


@family.composed(np.linalg.eigvals)
def eigvals(a: Array) -> Array:
    """The eigenvalues of `eig`."""
    return np.linalg.eig(a).eigenvalues


@family.composed(np.linalg.svdvals)
def svdvals(x: Array) -> Array:
    """The singular values of `svd`."""
    return np.linalg.svd(x, full_matrices=False).S


@family.composed(np.linalg.svd)
def singular_values(
    a: Array, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Array:
    """The singular values alone, of compute_uv=False."""
    if compute_uv:
        return NotImplemented
    return np.linalg.svd(a, full_matrices=False, hermitian=hermitian).S
