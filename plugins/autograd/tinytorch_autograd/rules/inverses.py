"""Inverses, determinants and linear systems.

Unless a rule says otherwise, its formula is from M. Giles, "An extended collection of matrix
derivative results for forward and reverse mode algorithmic differentiation" (2008).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.complex_numbers import adjoint, in_user_convention, real_part
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def cofactors(det: Array, x: Array) -> Array:
    """det(x) x^-T, which is a polynomial in x, and so is there for singular matrices too."""
    singular = unwrap(det == 0)[..., None, None]
    if not singular.any():
        return det[..., None, None] * np.linalg.inv(x).mT
    eye = np.eye(x.shape[-1], dtype=x.dtype)
    regular = det[..., None, None] * np.linalg.inv(np.where(singular, eye, x)).mT
    return np.where(singular, adjugate(x).mT, regular)


def adjugate(x: Array) -> Array:
    """The adjugate of matrices by the Faddeev-LeVerrier recursion, without a division by x."""
    eye = np.eye(x.shape[-1], dtype=x.dtype)
    found = eye
    for k in range(1, x.shape[-1]):
        product = x @ found
        trace = (product * eye).sum(axis=(-2, -1), keepdims=True)
        found = eye * trace / k - product
    return found


def slogdet_rule(grads: Sequence[Array], outs: Sequence[Array], a: Array) -> Array:
    """d log det a = tr(a^-1 da), whose real part is d logabsdet; i times the other turns sign."""
    by_sign, by_log = grads
    factor: Array = 0 if by_log is None else real_part(by_log)
    if by_sign is not None and a.dtype.kind == "c":
        factor = factor + 1j * np.imag(by_sign * outs[0])
    return (
        factor * np.linalg.inv(a).mT
        if isinstance(factor, int)
        else (factor[..., None, None] * np.linalg.inv(a).mT)
    )


def solve_by_matrix(grad: Array, out: Array, a: Array, b: Array) -> Array:
    """x = a^-1 b: -(a^-T grad) x^T, where a vector is a column."""
    by_b = solve_by_right(grad, a, b)
    if b.ndim == 1:
        return -by_b[..., :, None] * out[..., None, :]
    return -by_b @ out.mT


def solve_by_right(grad: Array, a: Array, b: Array) -> Array:
    """x = a^-1 b: a^-T grad, where a vector is a column."""
    if b.ndim == 1:
        return np.linalg.solve(a.mT, grad[..., None])[..., 0]
    return np.linalg.solve(a.mT, grad)


@in_user_convention
def pinv_rule(grad: Array, out: Array, a: Array) -> Array:
    """The derivative among matrices of the same rank.

    G. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares
    problems whose variables separate" (1973): dp = -p da p + p p^H da^H (1 - a p) + (1 - p a) da^H
    p^H p.
    """
    p, g, ph = out, adjoint(grad), adjoint(out)
    gpp, ppg = g @ p @ ph, ph @ p @ g
    return gpp - a @ (p @ gpp) + ppg - (ppg @ p) @ a - ph @ grad @ ph


family.function("inv", np.linalg.inv, lambda grad, out: -out.mT @ grad @ out.mT)
# Of a singular matrix too: the cofactors are polynomials.
family.function(
    "det", np.linalg.det, lambda grad, out, a: grad[..., None, None] * cofactors(out, a)
)
# The inverse of a singular matrix, and so the slope of its log|det|, does not exist: LinAlgError.
family.function("slogdet", np.linalg.slogdet, slogdet_rule)
family.function("solve", np.linalg.solve, solve_by_matrix, solve_by_right)
# At matrices of lower rank the rank is taken to stay.
family.function("pinv", np.linalg.pinv, pinv_rule)


@family.composed(np.linalg.lstsq)
def lstsq(a: Array, b: Array, rcond: float | None = None) -> tuple[Array, Array, Any, Array]:
    """x = pinv(a) b, the squared length of b - a x, and the singular values of a."""
    _, residuals, rank, _ = np.linalg.lstsq(unwrap(a), unwrap(b), rcond)
    rows, columns = a.shape
    if rcond is None:
        rcond = float(np.finfo(residuals.dtype).eps) * max(rows, columns)
    x = np.linalg.pinv(a, rcond) @ b
    missed = b - a @ x
    squares = np.real(np.conjugate(missed) * missed).sum(axis=0).reshape(-1)
    return x, squares[: residuals.size], rank, np.linalg.svdvals(a)


@family.composed(np.linalg.matrix_power)
def matrix_power(a: Array, n: int) -> Array:
    """A product of n matrices a, or of -n inverses, by repeated squaring."""
    if a.ndim < 2 or a.shape[-2] != a.shape[-1]:
        return NotImplemented
    if n < 0:
        return matrix_power(np.linalg.inv(a), -n)
    if n == 0:
        return np.where(False, a, np.eye(a.shape[-1], dtype=a.dtype))
    if n == 1:
        return np.copy(a)
    half = matrix_power(a, n // 2)
    return half @ half @ a if n % 2 else half @ half


@family.composed(np.linalg.tensorinv)
def tensorinv(a: Array, ind: int = 2) -> Array:
    """The inverse of the matrix whose rows are the first `ind` axes."""
    if ind <= 0:
        raise ValueError(f"ind must be positive, not {ind}")
    rows, columns = a.shape[:ind], a.shape[ind:]
    flat = a.reshape(math.prod(columns), -1)
    return np.linalg.inv(flat).reshape(columns + rows)


@family.composed(np.linalg.tensorsolve)
def tensorsolve(a: Array, b: Array, axes: Sequence[int] | None = None) -> Array:
    """The solution x of tensordot(a, x, x.ndim) = b."""
    if axes is not None:
        last = [axis % a.ndim for axis in axes]
        a = np.transpose(a, [*(i for i in range(a.ndim) if i not in last), *last])
    unknown = a.shape[len(b.shape) :]
    flat = a.reshape(-1, math.prod(unknown))
    return np.linalg.solve(flat, b.reshape(-1)).reshape(unknown)
