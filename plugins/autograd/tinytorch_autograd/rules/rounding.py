"""Functions that cut a number into parts, of which all but one are flat."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import from_array, unwrap

from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


@family.composed(np.divmod)
def divmod(x: Array, y: Array) -> tuple[Array, Array]:
    """(x // y, x % y): the quotient is flat."""
    return x // y, np.remainder(x, y)


@family.composed(np.modf)
def modf(x: Array) -> tuple[Array, Array]:
    """(x - trunc x, trunc x): the whole part is flat."""
    whole = np.trunc(unwrap(x))
    return x - np.where(np.isfinite(whole), whole, 0), from_array(type(x), whole)


@family.composed(np.frexp)
def frexp(x: Array) -> tuple[Array, Array]:
    """(x / 2**n, n): the exponent is flat."""
    exponent = np.asarray(np.frexp(unwrap(x))[1])
    return np.ldexp(x, -exponent), from_array(type(x), exponent)


@family.composed(np.nan_to_num)
def nan_to_num(
    x: Array, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Array:
    """X, and a constant where it is no finite number."""
    values = unwrap(x)
    replaced = np.nan_to_num(values, nan=nan, posinf=posinf, neginf=neginf)
    return np.where(np.isfinite(values), x, replaced)


@family.composed(np.unwrap)
def unwrap_phase(
    p: Array, discont: Any = None, axis: int = -1, *, period: float = 2 * np.pi
) -> Array:
    """P + whole periods, which are flat."""
    values = unwrap(p)
    return p + (np.unwrap(values, discont, axis, period=period) - values).astype(p.dtype)
