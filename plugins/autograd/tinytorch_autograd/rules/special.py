"""sinc and i0, whose derivatives are not functions of NumPy.

`sinc_derivative` and `i0_derivative` compute the derivative of any order to machine precision.
The rule of the derivative of order n is the derivative of order n + 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import run_function

from tinytorch_autograd.rules.arithmetic import has_values
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def sinc_derivative(x: Array, order: int = 0) -> Array:
    """Return the derivative of order n of sinc(x) = sin(πx) / (πx).

    For |x| < n it is ∫₀¹ (πt)^n cos(πtx + nπ/2) dt by Gauss-Legendre quadrature. Elsewhere it is
    (π^(n-1) sin(πx + nπ/2) - n sinc^(n-1)(x)) / x, from differentiating x sinc(x) = sin(πx) / π
    n times.
    """
    if isinstance(x, Tensor):
        return run_function(sinc_derivative, x, order)
    if order == 0:
        return np.sinc(x)
    near = np.abs(x) < order
    far = np.where(near, 1, x)
    recurrence = math.pi ** (order - 1) * np.sin(math.pi * far + order * math.pi / 2)
    recurrence = (recurrence - order * sinc_derivative(far, order - 1)) / far
    nodes, weights = np.polynomial.legendre.leggauss(20 + 4 * order)
    t, weights = (nodes + 1) / 2, weights / 2
    inner = np.where(near, x, 0)[..., None] * (math.pi * t) + order * math.pi / 2
    integral = (np.cos(inner) * (weights * (math.pi * t) ** order)).sum(axis=-1)
    return np.where(near, integral, recurrence).astype(x.dtype)


def i0_derivative(x: Array, order: int = 0) -> Array:
    """Return the derivative of order n of I0(x), 1/π ∫₀^π cos(θ)^n e^(x cos θ) dθ.

    The integrand is periodic, so the error of the midpoint rule with N nodes is about e^(-N²/2x).
    M. Abramowitz and I. Stegun, "Handbook of mathematical functions" (1964), 9.6.16.
    """
    if isinstance(x, Tensor):
        return run_function(i0_derivative, x, order)
    if order == 0:
        return np.i0(x).astype(x.dtype)
    # Above 713, I0 is infinite in float64.
    largest = np.where(np.isfinite(x), np.abs(x), 0).max(initial=0) if has_values(x) else 713
    size = 32 + order + int(10 * math.sqrt(largest))
    cosines = np.cos((np.arange(size) + 0.5) * (math.pi / size))
    return (np.exp(x[..., None] * cosines) * cosines**order).mean(axis=-1).astype(x.dtype)


def sinc_rule(grad: Array, x: Array, order: int) -> Array:
    """grad sinc'(x), computed by Gauss-Legendre quadrature near 0."""
    return grad * sinc_derivative(x, order + 1)


def i0_rule(grad: Array, x: Array, order: int) -> Array:
    """grad I0'(x) = grad I1(x), computed as a periodic integral."""
    return grad * i0_derivative(x, order + 1)


family.function("sinc", (np.sinc, sinc_derivative), sinc_rule, forward=sinc_derivative)
family.function("i0", (np.i0, i0_derivative), i0_rule, forward=i0_derivative)
