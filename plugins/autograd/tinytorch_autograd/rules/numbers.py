"""Functions of one or two numbers, beside those that are ops of the surface.

At a point without derivative a rule gives the value that its line states.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import from_array, unwrap

from tinytorch_autograd.rules.arithmetic import safe_divide, share_ties
from tinytorch_autograd.rules.elementwise import log_share
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def or_one(x: Array) -> Array:
    """x, and 1 where x is 0, to divide by."""
    return np.where(unwrap(x == 0), 1, x)


def squared_radius(x: Array, y: Array) -> Array:
    """x² + y², and 1 at the origin, to divide by."""
    return or_one(x * x + y * y)


# At the origin the length has no direction, and its gradient is 0.
family.function(
    "hypot",
    np.hypot,
    lambda grad, out, x: grad * (x / or_one(out)),
    lambda grad, out, y: grad * (y / or_one(out)),
)
# At the origin there is no angle, and its gradient is 0.
family.function(
    "arctan2",
    np.arctan2,
    lambda grad, x, y: grad * y / squared_radius(x, y),
    lambda grad, x, y: -grad * x / squared_radius(x, y),
)
family.function(
    "logaddexp2",
    np.logaddexp2,
    lambda grad, out, x, y: grad * np.exp2(log_share(x, y, out, 1)),
    lambda grad, out, x, y: grad * np.exp2(log_share(y, x, out, 1)),
)
# The slope of the root at 0 is infinite; a gradient of 0 stays 0 there.
family.function("cbrt", np.cbrt, lambda grad, out: safe_divide(grad, 3 * out * out))
# |x| has the derivative 0 at 0.
family.function("fabs", np.fabs, lambda grad, x: grad * np.sign(unwrap(x)))
family.function("deg2rad", (np.deg2rad, np.radians), lambda grad: grad * (math.pi / 180))
family.function("rad2deg", (np.rad2deg, np.degrees), lambda grad: grad * (180 / math.pi))

# fmod(x, y) = x - y trunc(x / y), and the truncation is flat.
family.function(
    "fmod", np.fmod, lambda grad: grad, lambda grad, x, y: -grad * np.trunc(unwrap(x / y))
)
# Ties share the gradient equally; of a NaN and a number the number is chosen.
family.function(
    "fmax",
    np.fmax,
    lambda grad, x, y: share_ties(grad, (x > y) | np.isnan(unwrap(y)), x == y),
    lambda grad, x, y: share_ties(grad, (y > x) | np.isnan(unwrap(x)), x == y),
)
family.function(
    "fmin",
    np.fmin,
    lambda grad, x, y: share_ties(grad, (x < y) | np.isnan(unwrap(y)), x == y),
    lambda grad, x, y: share_ties(grad, (y < x) | np.isnan(unwrap(x)), x == y),
)
# |x| with the sign of y, in which it is flat.
family.function(
    "copysign",
    np.copysign,
    lambda grad, x, y: (
        grad * unwrap(np.sign(unwrap(x)) * np.copysign(1, unwrap(y))).astype(grad.dtype)
    ),
    None,
)
# 0 below 0 and 1 above, flat in both; y at 0.
family.function("heaviside", np.heaviside, None, lambda grad, x: np.where(unwrap(x == 0), grad, 0))
# x times 2 to the whole power y.
family.function("ldexp", np.ldexp, lambda grad, y: np.ldexp(grad, unwrap(y)), None)


@family.composed(np.float_power)
def float_power(x: Array, y: Array) -> Array:
    """x**y in double precision; as `power` at 0."""
    return np.power(np.astype(x, _wide(x)), y) if hasattr(x, "dtype") else _power_of_number(x, y)


def _power_of_number(x: Any, y: Array) -> Array:
    return np.power(x, np.astype(y, _wide(y)))


def _wide(x: Array) -> type:
    return np.complex128 if x.dtype.kind == "c" else np.float64


@family.composed(np.sign)
def sign(x: Array) -> Array:
    """Flat for real numbers; z / |z| for complex ones, and 0 at 0."""
    return x / or_one(np.abs(x)) if x.dtype.kind == "c" else from_array(type(x), np.sign(x.data))


@family.composed(np.angle)
def angle(z: Array, deg: bool = False) -> Array:
    """arctan2(imag z, real z): at 0 the gradient is 0, and on the real line it is flat."""
    if z.dtype.kind != "c":
        return from_array(type(z), np.angle(z.data, deg))
    radians = np.arctan2(np.imag(z), np.real(z))
    return np.rad2deg(radians) if deg else radians


@family.composed(np.real_if_close)
def real_if_close(a: Array, tol: float = 100) -> Array:
    """The real part where all imaginary parts are near 0, otherwise the numbers themselves."""
    return np.real(a) if np.real_if_close(unwrap(a), tol).dtype.kind != "c" else a
