"""The Gaussian error linear unit, exact and approximate, with its rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core import Tensor, op
from tinytorch_core.extend import AnyArray, are_ndarrays, kernel

from tinytorch_activations.arguments import as_float_array, check_choice
from tinytorch_activations.functional.error_function import erf, exp_minus_square, in_blocks
from tinytorch_activations.functional.sigmoids import sigmoid

Array = Any

_SQRT_HALF = math.sqrt(0.5)
# The largest density, that at 0.
_DENSITY = 1 / math.sqrt(2 * math.pi)
# Below this magnitude, Φ(x) is 1/2 to the accuracy of float64, and of float32 its square is no
# subnormal number.
_TINY = 1e-18
# (1 + tanh(z)) / 2 = sigmoid(2 z), which is also accurate for negative z. With x factored out,
# 2 z = x (_LINEAR + _CUBIC x²).
_LINEAR = 2 * math.sqrt(2 / math.pi)
_CUBIC = 0.044715 * _LINEAR

# For float32: Φ(x) = (1 + tanh(x P(x²))) / 2, highest power first. The polynomial was fitted to
# artanh(2 Φ(x) - 1) / x so that the largest error of Φ is smallest: 3e-8, and 2e-7 computed in
# float32. Beyond the bound x P(x²) grows linearly, and Φ is 0 or 1 to that accuracy.
_FLOAT32 = (
    1.756277327e-09,
    -1.322662758e-07,
    3.964773126e-06,
    -5.530631669e-05,
    -3.259474462e-05,
    3.633308441e-02,
    7.978849415e-01,
)
_FLOAT32_BOUND = 5.5**2


@op("gelu")
@kernel("x")
def gelu(x: AnyArray, approximate: str = "none") -> AnyArray:
    """Return x Φ(x) for each element, where Φ is the standard normal distribution function.

    Φ(x) is (1 + erf(x / √2)) / 2. With approximate="tanh" it is
    (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, which is several times faster and changes x Φ(x) by
    less than 5e-4. Hendrycks & Gimpel, "Gaussian error linear units", 2016, arXiv:1606.08415.

    Args:
        x: a Tensor or array of any shape.
        approximate: "none" or "tanh".

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        ValueError: `approximate` is neither "none" nor "tanh".

    >>> from tinytorch_core import Tensor
    >>> gelu(Tensor([-1.0, 0.0, 1.0])).round(4)
    Tensor([-0.1587,  0.    ,  0.8413])
    """
    x = as_float_array(x)
    cdf = NORMAL_CDF[check_choice("approximate", approximate, NORMAL_CDF)]
    return in_blocks(lambda x: cdf(x) * x, x)


@kernel("grad", "x", "out")
def gelu_rule(grad: Array, x: Array, out: Array, approximate: str) -> Array:
    """d/dx x Φ(x) = Φ(x) + x Φ'(x)."""
    if approximate == "tanh":
        return in_blocks(_tanh_rule, grad, x, out)
    if isinstance(x, Tensor):
        slope = x * exp_minus_square(_SQRT_HALF * x) * _DENSITY + _exact_cdf(x)
        return grad * slope
    return _exact_rule(grad, x, out)


def _exact_cdf(x: Array) -> Array:
    if x.dtype == np.float32 and not isinstance(x, Tensor):
        return _cdf_float32(x)
    return 0.5 + 0.5 * erf(_SQRT_HALF * x)


# If x² overflows to inf, the bound is used.
@np.errstate(over="ignore")
def _cdf_float32(x: Array) -> Array:
    square = np.minimum(x * x, _FLOAT32_BOUND)
    value = _FLOAT32[0] * square
    for coefficient in _FLOAT32[1:-1]:
        value += coefficient
        value *= square
    value += _FLOAT32[-1]
    value *= x
    value = np.tanh(value)
    value *= 0.5
    value += 0.5
    return value


def _tanh_cdf(x: Array) -> Array:
    return sigmoid(x * (_LINEAR + _CUBIC * (x * x)))


# Φ, for each value of `approximate`.
NORMAL_CDF: dict[str, Callable[[Array], Array]] = {"none": _exact_cdf, "tanh": _tanh_cdf}


# If x² overflows to inf, exp(-inf) = 0 is the correct result.
@np.errstate(over="ignore")
def _exact_rule(grad: Array, x: Array, out: Array) -> Array:
    return in_blocks(_exact_slopes, grad, x, out, work=2)


def _exact_slopes(
    grad: Array, x: Array, out: Array, work: Array = None, more: Array = None, result: Array = None
) -> Array:
    """Return the gradient, computed in `result` and with the help of the others, if given.

    Φ(x) = out / x takes a tenth of the time of Φ. Close to 0 too few digits of `out` are left.
    """
    square = np.multiply(x, x, out=work)
    tiny = _TINY if x.dtype.itemsize >= 4 else 1e-3
    # np.where takes longer than all other steps together.
    if are_ndarrays(square) and square.min(initial=np.inf) > tiny * tiny:
        cdf = np.divide(out, x, out=more)
    else:
        small = np.abs(x) < tiny
        cdf = np.where(small, 0.5, out / np.where(small, 1, x))
    square *= -0.5
    slope = np.exp(square, out=work)
    slope *= _DENSITY
    slope *= x
    slope += cdf
    return np.multiply(slope, grad, out=result)


def _tanh_rule(grad: Array, x: Array, out: Array) -> Array:
    # Beyond, s is 0 or 1, so a larger x² changes nothing, but inf · 0 would be NaN.
    square = np.minimum(x * x, 1000)
    s = sigmoid(x * (_LINEAR + _CUBIC * square))
    slope = _LINEAR + 3 * _CUBIC * square
    return grad * (s + x * (s * (1 - s)) * slope)
