"""Functions that split or shift a number by a piecewise constant amount."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import from_array, unwrap

from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


@family.composed(np.divmod)
def divmod(x: Array, y: Array) -> tuple[Array, Array]:
    """Return (x // y, x % y); the derivative of the quotient is 0."""
    return x // y, np.remainder(x, y)


@family.composed(np.modf)
def modf(x: Array) -> tuple[Array, Array]:
    """Return (x - trunc x, trunc x); the derivative of the whole part is 0."""
    part, whole = np.modf(unwrap(x))
    return np.where(np.isfinite(whole), x - whole, part), from_array(type(x), np.asarray(whole))


@family.composed(np.frexp)
def frexp(x: Array) -> tuple[Array, Array]:
    """Return (x / 2**n, n); the derivative of the exponent n is 0."""
    exponent = np.asarray(np.frexp(unwrap(x))[1])
    return np.ldexp(x, -exponent), from_array(type(x), exponent)


@family.composed(np.nan_to_num)
def nan_to_num(
    x: Array, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Array:
    """Return x, with constants in place of NaN and infinity, where the gradient is 0."""
    values = unwrap(x)
    replaced = np.nan_to_num(values, nan=nan, posinf=posinf, neginf=neginf)
    return np.where(np.isfinite(values), x, replaced)


@family.composed(np.unwrap)
def unwrap_phase(
    p: Array, discont: Any = None, axis: int = -1, *, period: float = 2 * np.pi
) -> Array:
    """Return p plus whole periods, whose derivative is 0."""
    values = unwrap(p)
    unwrapped = np.unwrap(values, discont, axis, period=period)
    with np.errstate(invalid="ignore"):
        shift = np.where(unwrapped == values, 0, unwrapped - values)
    return p + shift.astype(p.dtype)
