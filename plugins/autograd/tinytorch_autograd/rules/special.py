"""Functions whose derivatives NumPy does not have: the sine cardinal and Bessel's I0.

Each is one of a sequence, the function and all its derivatives, computed to machine precision;
the rule of one is the next.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import run_function

from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def sinc_derivative(x: Array, order: int = 0) -> Array:
    """The derivative of sin(πx) / (πx), of any order.

    It is ∫₀¹ (πt)^n cos(πtx + nπ/2) dt, by Gauss and Legendre's quadrature near 0; elsewhere, from
    differentiating x sinc(x) = sin(πx) / π n times, (π^(n-1) sin(πx + nπ/2) - n sinc^(n-1)(x)) / x.
    """
    if isinstance(x, Tensor):
        return run_function(sinc_derivative, x, order)
    if order == 0:
        return np.sinc(x)
    near = np.abs(x) < order
    far = np.where(near, 1, x)
    recurred = math.pi ** (order - 1) * np.sin(math.pi * far + order * math.pi / 2)
    recurred = (recurred - order * sinc_derivative(far, order - 1)) / far
    nodes, weights = np.polynomial.legendre.leggauss(20 + 4 * order)
    t, weights = (nodes + 1) / 2, weights / 2
    inner = np.where(near, x, 0)[..., None] * (math.pi * t) + order * math.pi / 2
    integral = (np.cos(inner) * (weights * (math.pi * t) ** order)).sum(axis=-1)
    return np.where(near, integral, recurred).astype(x.dtype)


def i0_derivative(x: Array, order: int = 0) -> Array:
    """The derivative of I0(x) = 1/π ∫₀^π e^(x cos θ) dθ, of any order.

    The n-th has the factor cos(θ)^n under the integral, a periodic function, for which the midpoint
    rule with N nodes errs by about e^(-N²/2x). Abramowitz and Stegun (1964), 9.6.16.
    """
    if isinstance(x, Tensor):
        return run_function(i0_derivative, x, order)
    if order == 0:
        return np.i0(x).astype(x.dtype)
    size = 32 + order + int(10 * math.sqrt(np.abs(x).max(initial=0)))
    cosines = np.cos((np.arange(size) + 0.5) * (math.pi / size))
    return (np.exp(x[..., None] * cosines) * cosines**order).mean(axis=-1).astype(x.dtype)


def sinc_rule(grad: Array, x: Array, order: int) -> Array:
    """Grad times the next derivative, computed by Gauss and Legendre's quadrature near 0."""
    return grad * sinc_derivative(x, order + 1)


def i0_rule(grad: Array, x: Array, order: int) -> Array:
    """Grad times the next derivative, computed as a periodic integral."""
    return grad * i0_derivative(x, order + 1)


family.function("sinc", (np.sinc, sinc_derivative), sinc_rule, forward=sinc_derivative)
family.function("i0", (np.i0, i0_derivative), i0_rule, forward=i0_derivative)
