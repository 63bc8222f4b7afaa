"""Elementwise functions of one or two numbers that are not ops of the surface.

Where a function is not differentiable, the comment above its rule states the gradient.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.complex_numbers import real_part
from tinytorch_autograd.rules.arithmetic import safe_divide, share_ties
from tinytorch_autograd.rules.elementwise import share_of_sum
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def or_one(x: Array) -> Array:
    """Return x, with 1 in place of 0, as a divisor."""
    return np.where(unwrap(x == 0), 1, x)


# At the origin all derivatives are 0.
family.function(
    "hypot",
    np.hypot,
    lambda grad, out, x: grad * safe_divide(x, out),
    lambda grad, out, y: grad * safe_divide(y, out),
)
# At the origin all derivatives are 0.
family.function(
    "arctan2",
    np.arctan2,
    lambda grad, x, y: safe_divide(grad * y, x * x + y * y),
    lambda grad, x, y: -safe_divide(grad * x, x * x + y * y),
)
family.function(
    "logaddexp2",
    np.logaddexp2,
    lambda grad, out, x, y: share_of_sum(grad, x, y, out, np.exp2),
    lambda grad, out, x, y: share_of_sum(grad, y, x, out, np.exp2),
)
# The derivative at 0 is infinite; a gradient of 0 stays 0 there.
family.function("cbrt", np.cbrt, lambda grad, out: safe_divide(grad, 3 * out * out))
# At 0 the gradient is 0.
family.function("fabs", np.fabs, lambda grad, x: grad * np.sign(unwrap(x)))
family.function("deg2rad", (np.deg2rad, np.radians), lambda grad: grad * (math.pi / 180))
family.function("rad2deg", (np.rad2deg, np.degrees), lambda grad: grad * (180 / math.pi))

# fmod(x, y) = x - y trunc(x / y), and trunc has the derivative 0.
family.function(
    "fmod", np.fmod, lambda grad: grad, lambda grad, x, y: -grad * np.trunc(unwrap(x / y))
)
# Ties share the gradient equally. Of a NaN and a number the number gets the gradient.
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
# |x| with the sign of y; the derivative by y is 0.
family.function(
    "copysign",
    np.copysign,
    lambda grad, x, y: (
        grad * unwrap(np.sign(unwrap(x)) * np.copysign(1, unwrap(y))).astype(grad.dtype)
    ),
    None,
)
# 0 where x < 0, y where x = 0, and 1 where x > 0; the derivative by x is 0.
family.function("heaviside", np.heaviside, None, lambda grad, x: np.where(unwrap(x == 0), grad, 0))
# x 2^y; y is a whole number and has no gradient.
family.function("ldexp", np.ldexp, lambda grad, y: np.ldexp(real_part(grad), unwrap(y)), None)


@family.composed(np.float_power)
def float_power(x: Array, y: Array) -> Array:
    """Return x**y in double precision; at 0 the gradients are those of `power`."""
    return np.power(np.astype(x, _wide(x)), y) if hasattr(x, "dtype") else _power_of_number(x, y)


def _power_of_number(x: Any, y: Array) -> Array:
    return np.power(x, np.astype(y, _wide(y)))


def _wide(x: Array) -> type:
    return np.complex128 if x.dtype.kind == "c" else np.float64


@family.composed(np.sign)
def sign(x: Array) -> Array:
    """Return z / |z|, and 0 at 0; for real numbers the derivative is 0."""
    if x.dtype.kind != "c":
        return NotImplemented
    finite = np.isfinite(unwrap(x))
    z = np.where(finite, x, 1)
    return np.where(finite, z / or_one(np.abs(z)), np.sign(unwrap(x)))


# For real numbers. Complex ones are divided by their absolute value, or by 1 if they are 0.
family.function("sign", np.sign, lambda grad: np.zeros_like(grad))


@family.composed(np.angle)
def angle(z: Array, deg: bool = False) -> Array:
    """Return arctan2(imag z, real z); for real z and at 0 the gradient is 0."""
    radians = np.arctan2(np.imag(z), np.real(z))
    return np.rad2deg(radians) if deg else radians


@family.composed(np.real_if_close)
def real_if_close(a: Array, tol: float = 100) -> Array:
    """Return the real part if all imaginary parts are close to 0, else the numbers themselves."""
    return np.real(a) if np.real_if_close(unwrap(a), tol).dtype.kind != "c" else a
