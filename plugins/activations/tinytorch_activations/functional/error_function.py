"""The error function, which GELU needs and NumPy does not have, with its rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor, op
from tinytorch_core.extend import aligned_empty, kernel

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

# For float32: erf(x) = x P(x²) / Q(x²), with the coefficients of XLA's ErfImpl32 (OpenXLA project,
# xla/hlo/builder/lib/math.cc). Computed in float32, its error is at most 3.8e-7. Beyond the bound
# the result would exceed 1.
_FLOAT32 = (
    (
        2.2905065861350646e-4,
        3.4082910107109506e-3,
        5.0955695062380861e-2,
        1.8520832239976145e-1,
        1.128379143519084e0,
    ),
    (
        -1.1791602954361697e-7,
        2.3547966471313185e-5,
        1.0179625278914885e-3,
        1.4070470171167667e-2,
        1.1098505178285362e-1,
        4.9746925110067538e-1,
        1.0,
    ),
)
_FLOAT32_BOUND = 3.832506856900711


@op("erf")
@kernel("x")
def erf(x: Array) -> Array:
    """Return the error function 2/√π ∫ exp(-t²) dt, from 0 to x.

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; float64 for integers. The error is at most 4e-7 in float32, and
        a few units in the last place in float64.

    >>> erf(np.array([-np.inf, 0.0, 0.5]))
    array([-1.        ,  0.        ,  0.52049988])
    """
    x = as_float_array(x)
    if x.dtype.itemsize < 4:
        # The coefficients exceed the range of float16.
        return erf(x.astype(np.float32)).astype(x.dtype)
    return in_blocks(_erf_float32 if x.dtype == np.float32 else _erf_float64, x)


def in_blocks(function: Callable[..., Array], *arrays: Array, work: int = 0) -> Array:
    """Return `function(*arrays)` for a function that computes each element on its own.

    It computes large plain arrays of one shape and dtype in blocks, whose intermediate results
    stay in the processor's cache. The result has that shape and dtype.

    Args:
        function: the function.
        arrays: its arrays.
        work: if not 0, the function takes so many arrays for intermediate results, and one for its
            result, after its own arrays, and computes in them. They are None for small arrays and
            for those of other libraries.
    """
    x = arrays[0]
    if x.size <= _BLOCK or not all(_same_layout(x, y) for y in arrays):
        return function(*arrays)
    out = np.empty_like(x, order="C")
    target, *sources = (y.reshape(-1) for y in (out, *arrays))
    memory = aligned_empty((work, _BLOCK), x.dtype)
    for start in range(0, x.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        given, part = [source[block] for source in sources], target[block]
        if work:
            function(*given, *(m[: part.size] for m in memory), part)
        else:
            part[...] = function(*given)
    return out


# In smaller blocks NumPy's overhead for each call counts; larger ones need a cache of over 1 MB.
_BLOCK = 32_768


def _same_layout(x: Array, y: Array) -> bool:
    same = x.__class__ is y.__class__ is np.ndarray and x.shape == y.shape and x.dtype == y.dtype
    return same and bool(y.flags.c_contiguous)


def _erf_float32(x: Array) -> Array:
    x = np.clip(x, -_FLOAT32_BOUND, _FLOAT32_BOUND)
    return np.clip(x * _rational(_FLOAT32, x * x), -1, 1)


def _erf_float64(x: Array) -> Array:
    y = np.abs(x)
    intervals = [y <= 0.46875, (y > 0.46875) & (y <= 4), (y > 4) & (y < _SATURATION)]
    if isinstance(x, np.ndarray | np.generic):
        return np.piecewise(x, intervals, [_near_zero, _middle, _tail, np.sign])
    # The parts of another library's array may not be known yet, so each function gets all elements,
    # with a number of its interval in place of the others.
    result = np.sign(x)
    for inside, function, number in zip(
        intervals, (_near_zero, _middle, _tail), (0.25, 1.0, 5.0), strict=True
    ):
        result = np.where(inside, function(np.where(inside, x, number)), result)
    return result


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
