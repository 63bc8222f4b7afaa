"""Inverses, determinants and linear systems.

Unless a rule names another source, its formula is from M. Giles, "An extended collection of matrix
derivative results for forward and reverse mode algorithmic differentiation" (2008).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, unwrap

from tinytorch_autograd.complex_numbers import adjoint, in_user_convention, real_part
from tinytorch_autograd.rules.arithmetic import nowhere
from tinytorch_autograd.rules.axes import normalize_axes
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def cofactors(det: Array, x: Array) -> Array:
    """Return det(x) x^-T, a polynomial in x that exists for singular matrices too."""
    singular = unwrap(det == 0)[..., None, None]
    if nowhere(singular):
        return det[..., None, None] * np.linalg.inv(x).mT
    eye = np.eye(x.shape[-1], dtype=x.dtype)
    regular = det[..., None, None] * np.linalg.inv(np.where(singular, eye, x)).mT
    return np.where(singular, adjugate(x).mT, regular)


def adjugate(x: Array) -> Array:
    """Return the adjugate of matrices by the Faddeev-LeVerrier recursion, without an inverse."""
    eye = np.eye(x.shape[-1], dtype=x.dtype)
    result = eye
    for k in range(1, x.shape[-1]):
        product = x @ result
        trace = (product * eye).sum(axis=(-2, -1), keepdims=True)
        result = eye * trace / k - product
    return result


def slogdet_rule(grads: Sequence[Array], outs: Sequence[Array], a: Array) -> Array:
    """d logabsdet = Re tr(a^-1 da), and for complex numbers d sign = i sign Im tr(a^-1 da)."""
    by_sign, by_log = grads
    factor: Array = 0 if by_log is None else real_part(by_log)
    if by_sign is not None and a.dtype.kind == "c":
        factor = factor + np.imag(by_sign * outs[0]) * 1j
    if not isinstance(factor, int):
        factor = factor[..., None, None]
    return factor * np.linalg.inv(a).mT


def solve_by_matrix(grad: Array, out: Array, a: Array, b: Array) -> Array:
    """-(a^-T grad) x^T, the gradient of a in x = a^-1 b, where a vector is a column."""
    by_b = solve_by_right(grad, a, b)
    if b.ndim == 1:
        return -by_b[..., :, None] * out[..., None, :]
    return -by_b @ out.mT


def solve_by_right(grad: Array, a: Array, b: Array) -> Array:
    """a^-T grad, the gradient of b in x = a^-1 b, where a vector is a column."""
    if b.ndim == 1:
        return np.linalg.solve(a.mT, grad[..., None])[..., 0]
    return np.linalg.solve(a.mT, grad)


@in_user_convention
def pinv_rule(grad: Array, out: Array, a: Array) -> Array:
    """dp = -p da p + p p^H da^H (1 - a p) + (1 - p a) da^H p^H p, for matrices of constant rank.

    G. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares
    problems whose variables separate" (1973).
    """
    p, g, ph = out, adjoint(grad), adjoint(out)
    gpp, ppg = g @ p @ ph, ph @ p @ g
    return gpp - a @ (p @ gpp) + ppg - (ppg @ p) @ a - ph @ grad @ ph


family.function("inv", np.linalg.inv, lambda grad, out: -out.mT @ grad @ out.mT)
# Singular matrices have the derivative too, because the cofactors are polynomials.
family.function(
    "det", np.linalg.det, lambda grad, out, a: grad[..., None, None] * cofactors(out, a)
)
# A singular matrix raises LinAlgError, because log|det| is not differentiable there.
family.function("slogdet", np.linalg.slogdet, slogdet_rule)
family.function("solve", np.linalg.solve, solve_by_matrix, solve_by_right)
# The derivative assumes that the rank of the matrix stays the same.
family.function("pinv", np.linalg.pinv, pinv_rule)


@family.composed(np.linalg.lstsq)
def lstsq(a: Array, b: Array, rcond: float | None = None) -> tuple[Array, Array, Any, Array]:
    """Return x = pinv(a) b, |b - a x|², the rank and the singular values of a."""
    a = np.astype(a, np.result_type(a.dtype, b.dtype))
    _, residuals, rank, _ = np.linalg.lstsq(unwrap(a), unwrap(b), rcond)
    rows, columns = a.shape
    if rcond is None:
        rcond = float(np.finfo(residuals.dtype).eps) * max(rows, columns)
    x = np.linalg.pinv(a, rcond) @ b
    difference = b - a @ x
    squares = np.real(np.conjugate(difference) * difference).sum(axis=0).reshape(-1)
    s = np.linalg.svdvals(a)
    s = s if isinstance(s, Tensor) else from_array(type(x), s)
    return x, squares[: residuals.size], rank, s


@family.composed(np.linalg.matrix_power)
def matrix_power(a: Array, n: int) -> Array:
    """Return a^n by repeated squaring; for a negative n of the inverse."""
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
    """Return the inverse of the matrix whose rows are the first `ind` axes."""
    if ind <= 0:
        raise ValueError(f"ind must be positive, not {ind}")
    rows, columns = a.shape[:ind], a.shape[ind:]
    matrix = a.reshape(math.prod(columns), -1)
    return np.linalg.inv(matrix).reshape(columns + rows)


@family.composed(np.linalg.tensorsolve)
def tensorsolve(a: Array, b: Array, axes: Sequence[int] | None = None) -> Array:
    """Return the solution x of tensordot(a, x, x.ndim) = b."""
    if axes is not None:
        last = normalize_axes(tuple(axes), a.ndim)
        a = np.transpose(a, [*(i for i in range(a.ndim) if i not in last), *last])
    shape = a.shape[len(b.shape) :]
    matrix = a.reshape(-1, math.prod(shape))
    return np.linalg.solve(matrix, b.reshape(-1)).reshape(shape)
