"""Decompositions with a triangular factor: Cholesky and QR.

In formulas g is a gradient as users see it, dL = Re tr(g^H dX).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_autograd.complex_numbers import adjoint, hermitian_part, in_user_convention
from tinytorch_autograd.errors import NotDifferentiableError
from tinytorch_autograd.rules.degeneracies import first_vectors
from tinytorch_autograd.rules.family import Family

Array = Any
Grads = Sequence[Array]  # None for an output that the loss does not depend on

family = Family()


def upper_half(x: Array) -> Array:
    """Return the upper triangle with half of the diagonal; of a Hermitian x, h + h^H = x."""
    ones = np.ones(x.shape[-2:], dtype=x.dtype)
    return x * (np.triu(ones) + np.triu(ones, 1)) / 2


@in_user_convention
def cholesky_rule(grad: Array, out: Array, upper: bool) -> Array:
    """l^-H hermitian_part(half(l^H g)) l^-1; half is the lower triangle with half its diagonal.

    I. Murray, "Differentiation of the Cholesky decomposition" (2016), equation 8.
    """
    lower, g = (adjoint(out), adjoint(grad)) if upper else (out, grad)
    inner = adjoint(upper_half(adjoint(adjoint(lower) @ g)))
    left = np.linalg.solve(adjoint(lower), hermitian_part(inner))
    return adjoint(np.linalg.solve(adjoint(lower), adjoint(left)))


@in_user_convention
def qr_rule(grads: Grads, outs: Sequence[Array], a: Array, mode: str) -> Array:
    """`square_qr` of the square part; the rest of a wide matrix [x y] = q [u v] is y = q v.

    J. Roberts and L. Roberts, "QR and LQ decomposition matrix backpropagation algorithms for
    square, wide, and deep matrices" (2020).
    """
    rows, columns = a.shape[-2:]
    if mode == "raw":
        raise NotDifferentiableError(
            "np.linalg.qr(mode='raw') is not differentiable; use mode='reduced'"
        )
    (by_q, by_r), (q, r) = grads, outs
    by_q, by_r = (0 * of if g is None else g for g, of in ((by_q, q), (by_r, r)))
    if mode == "complete" and rows > columns:
        by_q = first_vectors(by_q, columns, "columns of q", "np.linalg.qr(mode='reduced')")
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
    """Return np.linalg.solve(a, b), or raise NotDifferentiableError with a reason."""
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError as error:
        raise NotDifferentiableError(f"the derivative does not exist: {why}") from error


# NumPy reads one triangle of the matrix, but the gradient is Hermitian: it is the derivative by
# changes that keep the matrix Hermitian.
family.function("cholesky", np.linalg.cholesky, cholesky_rule)
# Raises an error if the first columns are linearly dependent, or if the loss depends on the columns
# of q that mode="complete" adds.
family.function("qr", np.linalg.qr, qr_rule)


@family.composed(np.linalg.qr)
def triangle(a: Array, mode: str = "reduced") -> Array:
    """Return only the triangular factor, for mode="r"."""
    return np.linalg.qr(a).R if mode == "r" else NotImplemented
