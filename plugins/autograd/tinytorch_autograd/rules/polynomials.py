"""Polynomials, given by their coefficients from the highest power down."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.arithmetic import somewhere
from tinytorch_autograd.rules.arrays import as_array
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


@family.composed(np.polyval)
def polyval(p: Array, x: Array) -> Array:
    """Return (...(p_0 x + p_1) x + ...) + p_n, Horner's scheme."""
    p, x = as_array(p), as_array(x)
    value = x * 0
    for coefficient in p:
        value = value * x + coefficient
    return value


@family.composed(np.vander)
def vander(x: Array, N: int | None = None, increasing: bool = False) -> Array:
    """Return the columns x^0, x^1, ..., each computed as x times the one before."""
    if len(x.shape) != 1:
        return NotImplemented  # NumPy raises its own error
    x = np.astype(x, np.promote_types(x.dtype, int))
    count = x.shape[0] if N is None else N
    columns = [np.where(False, x, np.ones(1, x.dtype))]
    while len(columns) < count:
        columns.append(columns[-1] * x)
    columns = columns[:count]
    if not columns:
        return NotImplemented
    return np.stack(columns if increasing else columns[::-1], axis=-1)


@family.composed(np.polyadd)
def polyadd(a1: Array, a2: Array) -> Array:
    """Return the sum of two polynomials."""
    return np.add(*_of_one_length(a1, a2))


@family.composed(np.polysub)
def polysub(a1: Array, a2: Array) -> Array:
    """Return the difference of two polynomials."""
    return np.subtract(*_of_one_length(a1, a2))


def _of_one_length(*polynomials: Array) -> list[Array]:
    """Return arrays of coefficients with zeros in front, so that all have the same length."""
    given = [np.atleast_1d(as_array(p)) for p in polynomials]
    length = max(p.shape[0] for p in given)
    return [
        p if p.shape[0] == length else np.concatenate([np.zeros(length - p.shape[0], p.dtype), p])
        for p in given
    ]


@family.composed(np.polyder)
def polyder(p: Array, m: int = 1) -> Array:
    """Return the derivative, p_i (n - i), applied m times."""
    if m < 0 or len(p.shape) != 1:
        return NotImplemented
    for _ in range(m):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1)
    return p


@family.composed(np.polyint)
def polyint(p: Array, m: int = 1, k: Any = None) -> Array:
    """Return the integral, p_i / (n - i + 1) and a constant of k, applied m times."""
    constants = np.zeros(m) if k is None else np.atleast_1d(as_array(k))
    constants = np.broadcast_to(constants, (m,)) if constants.shape[0] == 1 < m else constants
    if not 0 <= m <= constants.shape[0] or len(p.shape) != 1:
        return NotImplemented
    for i in range(m):
        p = np.concatenate([p / np.arange(p.shape[0], 0, -1), constants[i : i + 1]])
    return p


@family.composed(np.polymul)
def polymul(a1: Array, a2: Array) -> Array:
    """Return the product, the convolution of the coefficients after leading zeros."""
    a, b = (_without_leading_zeros(np.atleast_1d(as_array(p))) for p in (a1, a2))
    return np.convolve(a, b)


def _without_leading_zeros(p: Array) -> Array:
    """Return the coefficients from the first one that is not 0; one 0 if all are."""
    if len(p.shape) != 1:
        raise ValueError(f"a polynomial is a vector of coefficients, not of shape {p.shape}")
    found = np.flatnonzero(unwrap(p))
    return p[found[0] :] if found.size else np.zeros(1, p.dtype)


@family.composed(np.poly)
def poly(seq_of_zeros: Array) -> Array:
    """Return the product of (x - zero) over the zeros."""
    zeros = as_array(seq_of_zeros)
    if len(zeros.shape) != 1 or not zeros.size:
        return NotImplemented
    p: Any = np.ones(1, zeros.dtype)
    for zero in zeros:
        padding = np.zeros(1, zeros.dtype)
        p = np.concatenate([p, padding]) - np.concatenate([padding, p * zero])
    roots = unwrap(zeros)
    conjugates = roots.dtype.kind == "c" and np.array_equal(np.sort(roots), np.sort(roots.conj()))
    return np.real(p) if conjugates else p


@family.composed(np.roots)
def roots(p: Array) -> Array:
    """Return the eigenvalues of the companion matrix; multiple roots are not differentiable."""
    if len(p.shape) != 1:
        return NotImplemented  # NumPy raises its own error
    values, degree = np.roots(unwrap(p)), p.shape[0] - 1
    if degree < 1 or len(values) != degree:
        return NotImplemented  # a leading coefficient of 0: a root is infinite
    first = (-p[1:] / p[0]).reshape(1, -1)
    found = np.linalg.eigvals(np.concatenate([first, np.eye(degree - 1, degree, dtype=p.dtype)]))
    # NumPy moves roots of 0 to the end.
    ordered = found[np.abs(values[:, None] - unwrap(found)).argmin(axis=1)]
    # From version 2.5 on, eigenvalues are always complex, and roots only if they need to be.
    return ordered if values.dtype.kind == "c" else np.real(ordered)


@family.composed(np.polyfit)
def polyfit(
    x: Array,
    y: Array,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: Array = None,
    cov: Any = False,
) -> Any:
    """Return the coefficients c for which |w (vander(x) c - y)|² is smallest."""
    x, y, weights = (as_array(1 if v is None else v) + 0.0 for v in (x, y, w))
    order = int(deg) + 1
    if not _can_be_fitted(x, y, weights, order) or (cov and not full and len(x) <= order):
        return NotImplemented  # NumPy raises its own error
    rcond = len(x) * float(np.finfo(x.dtype).eps) if rcond is None else rcond
    powers = np.vander(x, order) * weights[..., None]
    scale = np.sqrt((powers * powers).sum(axis=0))
    powers = powers / scale
    weighted = y * (weights[..., None] if len(y.shape) == 2 else weights)
    c, residuals, rank, s = np.linalg.lstsq(powers, weighted, rcond)
    c = (c.T / scale).T
    if full:
        return c, residuals, rank, s, rcond
    if somewhere(rank != order):
        message = "Polyfit may be poorly conditioned"
        warnings.warn(message, np.exceptions.RankWarning, stacklevel=2)
    return (c, _covariance(powers, scale, residuals, y, cov)) if cov else c


def _can_be_fitted(x: Array, y: Array, weights: Array, order: int) -> bool:
    vectors = len(x.shape) == 1 and len(y.shape) in (1, 2) and weights.shape in ((), x.shape)
    return order > 0 and vectors and len(x) > 0 and len(x) == len(y)


def _covariance(powers: Array, scale: Array, residuals: Array, y: Array, cov: Any) -> Array:
    base = np.linalg.inv(powers.T @ powers) / np.outer(scale, scale)
    rows, columns = powers.shape
    factor = 1 if cov == "unscaled" else residuals / (rows - columns)
    return base * factor if len(y.shape) == 1 else base[:, :, None] * factor
