"""The Gaussian error linear unit, exact and approximate. With its rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tinytorch_core import op

from tinytorch_activations.arguments import choice, floating
from tinytorch_activations.functional.error_function import bell, erf
from tinytorch_activations.functional.sigmoids import sigmoid

Array = Any

_ROOT_HALF = math.sqrt(0.5)
# (1 + tanh(z)) / 2 = sigmoid(2 z), which is accurate for negative z too.
_LINEAR = 2 * math.sqrt(2 / math.pi)
_CUBIC = 0.044715 * _LINEAR


@op("gelu")
def gelu(x: Array, approximate: str = "none") -> Array:
    """The unit x Φ(x), where Φ is the distribution function of the standard normal distribution.

    Φ(x) is (1 + erf(x / √2)) / 2, or with approximate="tanh" the formula
    (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, which is several times faster; x Φ(x) changes by
    less than 5e-4. Hendrycks & Gimpel, "Gaussian error linear units", 2016, arXiv:1606.08415.

    Args:
        x: a Tensor or array of any shape.
        approximate: "none" or "tanh".

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        ValueError: `approximate` is neither.

    >>> from tinytorch_core import Tensor
    >>> gelu(Tensor([-1.0, 0.0, 1.0]))
    Tensor([-0.15865526,  0.        ,  0.8413447 ])
    """
    x = floating(x)
    return x * CUMULATIVE[choice("approximate", approximate, CUMULATIVE)](x)


def gelu_rule(grad: Array, x: Array, approximate: str) -> Array:
    """d/dx x Φ(x) = Φ(x) + x Φ'(x)."""
    return _RULES[approximate](grad, x)


def _normal(x: Array) -> Array:
    return 0.5 + 0.5 * erf(_ROOT_HALF * x)


def _logistic(x: Array) -> Array:
    return sigmoid(x * (_LINEAR + _CUBIC * (x * x)))


CUMULATIVE: dict[str, Callable[[Array], Array]] = {"none": _normal, "tanh": _logistic}


def _exact_rule(grad: Array, x: Array) -> Array:
    density = bell(_ROOT_HALF * x) * (1 / math.sqrt(2 * math.pi))
    return grad * (_normal(x) + x * density)


def _approximate_rule(grad: Array, x: Array) -> Array:
    s = _logistic(x)
    slope = _LINEAR + 3 * _CUBIC * (x * x)
    return grad * (s + x * (s * (1 - s)) * slope)


_RULES = {"none": _exact_rule, "tanh": _approximate_rule}
