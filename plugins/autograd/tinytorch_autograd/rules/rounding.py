"""Functions that round a number, or split or shift it by a piecewise constant amount."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, unwrap

from tinytorch_autograd.rules.arithmetic import zero_rule
from tinytorch_autograd.rules.arrays import no_scalar
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()

family.function(
    "round",
    (np.round, np.around),
    zero_rule,
    forward=lambda x, decimals=0: np.round(x, decimals),
    inputs=("x",),
)
family.function("fix", np.fix, zero_rule, forward=lambda x: np.fix(x))
family.function("spacing", np.spacing, zero_rule)
# The next number after x in the direction of y differs from x by a piecewise constant amount.
family.function("nextafter", np.nextafter, lambda grad: grad, zero_rule)


@family.composed(np.divmod)
def divmod(x: Array, y: Array) -> tuple[Array, Array]:
    """Return (x // y, x % y); the derivative of the quotient is 0."""
    return x // y, np.remainder(x, y)


@family.composed(np.modf)
def modf(x: Array) -> tuple[Array, Array]:
    """Return (x - trunc x, trunc x); the derivative of the whole part is 0."""
    part, whole = np.modf(unwrap(x))
    return np.where(np.isinf(whole), part, x - np.where(np.isinf(whole), 0, whole)), np.trunc(x)


@family.composed(np.frexp)
def frexp(x: Array) -> tuple[Array, Array]:
    """Return (x / 2**n, n); the derivative of the exponent n is 0."""
    exponent = no_scalar(np.frexp(unwrap(x))[1])
    return np.ldexp(x, -exponent), from_array(type(x), exponent)


@family.composed(np.nan_to_num)
def nan_to_num(
    x: Array, copy: bool = True, nan: Array = 0.0, posinf: Array = None, neginf: Array = None
) -> Array:
    """Return x, with other numbers in place of NaN and infinity, where the gradient of x is 0."""
    values = unwrap(x)
    replaced = np.nan_to_num(values, True, unwrap(nan), unwrap(posinf), unwrap(neginf))
    for number, is_replaced in ((nan, np.isnan), (posinf, np.isposinf), (neginf, np.isneginf)):
        if isinstance(number, Tensor):
            if values.dtype.kind == "c":
                return NotImplemented
            replaced = np.where(is_replaced(values), number.astype(values.dtype), replaced)
    return np.where(np.isfinite(values), x, replaced)


@family.composed(np.unwrap)
def unwrap_phase(
    p: Array, discont: Any = None, axis: int = -1, *, period: Array = 2 * np.pi
) -> Array:
    """Return p plus whole periods."""
    values, length = unwrap(p), unwrap(period)
    unwrapped = np.unwrap(values, unwrap(discont), axis, period=length)
    with np.errstate(invalid="ignore"):
        shift = np.where(unwrapped == values, 0, unwrapped - values)
    if isinstance(period, Tensor):
        return p + np.round(shift / length) * period
    return p + shift.astype(p.dtype)
