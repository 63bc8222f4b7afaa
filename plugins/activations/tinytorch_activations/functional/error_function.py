"""The error function, which GELU needs and NumPy does not have, with its rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor, op

from tinytorch_activations.arguments import as_float_array

Array = Any

# W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of
# Computation 23 (1969), 631-637, with the coefficients of his routine CALERF (SPECFUN, netlib).
# Each pair is a numerator and a denominator, highest power first. In exact arithmetic the relative
# error on each interval is below 1.2e-16.
_NEAR_ZERO = (
    (
        1.85777706184603153e-1,
        3.16112374387056560e0,
        1.13864154151050156e2,
        3.77485237685302021e2,
        3.20937758913846947e3,
    ),
    (
        1.0,
        2.36012909523441209e1,
        2.44024637934444173e2,
        1.28261652607737228e3,
        2.84423683343917062e3,
    ),
)
_MIDDLE = (
    (
        2.15311535474403846e-8,
        5.64188496988670089e-1,
        8.88314979438837594e0,
        6.61191906371416295e1,
        2.98635138197400131e2,
        8.81952221241769090e2,
        1.71204761263407058e3,
        2.05107837782607147e3,
        1.23033935479799725e3,
    ),
    (
        1.0,
        1.57449261107098347e1,
        1.17693950891312499e2,
        5.37181101862009858e2,
        1.62138957456669019e3,
        3.29079923573345963e3,
        4.36261909014324716e3,
        3.43936767414372164e3,
        1.23033935480374942e3,
    ),
)
_TAIL = (
    (
        1.63153871373020978e-2,
        3.05326634961232344e-1,
        3.60344899949804439e-1,
        1.25781726111229246e-1,
        1.60837851487422766e-2,
        6.58749161529837803e-4,
    ),
    (
        1.0,
        2.56852019228982242e0,
        1.87295284992346047e0,
        5.27905102951428412e-1,
        6.05183413124413191e-2,
        2.33520497626869185e-3,
    ),
)
# For |x| at or above this, erf(x) rounds to 1 or -1 in float64.
_SATURATION = 6.0


@op("erf")
def erf(x: Array) -> Array:
    """Return the error function 2/√π ∫ exp(-t²) dt, from 0 to x, to float64 precision.

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; float64 for integers.

    >>> erf(np.array([-np.inf, 0.0, 0.5]))
    array([-1.        ,  0.        ,  0.52049988])
    """
    x = as_float_array(x)
    if x.dtype.itemsize < 4:
        # The coefficients exceed the range of float16.
        return erf(x.astype(np.float32)).astype(x.dtype)
    y = np.abs(x)
    intervals = [y <= 0.46875, (y > 0.46875) & (y <= 4), (y > 4) & (y < _SATURATION)]
    return np.piecewise(x, intervals, [_near_zero, _middle, _tail, np.sign])


def _near_zero(x: Array) -> Array:
    return x * _rational(_NEAR_ZERO, x * x)


def _middle(x: Array) -> Array:
    return np.copysign(1 - np.exp(-x * x) * _rational(_MIDDLE, np.abs(x)), x)


def _tail(x: Array) -> Array:
    square = x * x
    series = math.sqrt(1 / math.pi) - _rational(_TAIL, 1 / square) / square
    return np.copysign(1 - np.exp(-square) / np.abs(x) * series, x)


def _rational(polynomials: Sequence[Sequence[float]], x: Array) -> Array:
    numerator, denominator = (_polynomial(coefficients, x) for coefficients in polynomials)
    return numerator / denominator


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    """Return the polynomial at `x`, by Horner's scheme."""
    # `value` is a new array, so it can be updated in place.
    value = coefficients[0] * x
    for coefficient in coefficients[1:-1]:
        value += coefficient
        value *= x
    value += coefficients[-1]
    return value


def erf_rule(grad: Array, x: Array) -> Array:
    """d erf/dx = 2/√π exp(-x²)."""
    return grad * (2 / math.sqrt(math.pi) * exp_minus_square(x))


# If x² overflows to inf, exp(-inf) = 0 is the correct result.
@np.errstate(over="ignore")
def exp_minus_square(x: Array) -> Array:
    """Return exp(-x²)."""
    if isinstance(x, Tensor):
        x = np.clip(x, -40, 40)  # exp(-40²) is 0; in derivatives, inf · 0 would be NaN
    return np.exp(-x * x)
