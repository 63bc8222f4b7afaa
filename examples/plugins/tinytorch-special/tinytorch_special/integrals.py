"""Exponential integrals and the dilogarithm."""

from __future__ import annotations

import numpy as np
import scipy

from tinytorch_core.extend import unwrap

from tinytorch_special.family import Array, integer, rule, special


@special("x")
def exp1(x: Array) -> Array:
    """The exponential integral E₁(x) = ∫ exp(-t) / t dt from x to ∞ (DLMF 6.2.1), for x > 0.

    E₁' = -exp(-x) / x.
    """
    return scipy.special.exp1(x)


@special("x")
def expi(x: Array) -> Array:
    """The exponential integral Ei(x), the principal value of ∫ exp(t) / t dt from -∞ to x.

    (DLMF 6.2.5.)

    Ei' = exp(x) / x.
    """
    return scipy.special.expi(x)


def expn_rule(grad: Array, n: int, x: Array) -> Array:
    """E_n' = -E_{n-1} (DLMF 8.19.13), and E₀ = exp(-x) / x (8.19.5)."""
    return grad * (-np.exp(-x) * (x + 1) / (x * x) if n == 0 else -expn(n - 1, x))


@special("x")
def expn(n: int, x: Array) -> Array:
    """The exponential integral E_n(x) = ∫ exp(-xt) / tⁿ dt from 1 to ∞ (DLMF 8.19.3), for x > 0.

    E_n' = -E_{n-1} (8.19.13).

    Raises:
        TypeError: `n` is not an integer.
        ValueError: `n` is negative.
    """
    # As a float: with an integer order, SciPy converts float32 to float64.
    return scipy.special.expn(float(integer("expn", "n", n, least=0)), x)


# Within this distance of 1, spence' is computed by its series; the remainder is below 1e-18.
_NEAR = 0.125
_TERMS = 20


def spence_derivative(x: Array) -> Array:
    """Return log(x) / (1 - x), near 1 by its series Σ -(1 - x)ᵏ / (k + 1)."""
    near = unwrap(abs(x - 1) < _NEAR)
    z = np.where(near, 1 - x, 0)
    series = 0 * z
    for k in range(_TERMS, -1, -1):
        series = series * z - 1 / (k + 1)
    far = np.where(near, 0.5, x)
    return np.where(near, series, np.log(far) / (1 - far))


@special("x")
def spence(x: Array) -> Array:
    """The dilogarithm Li₂(1 - x) = ∫ log(t) / (1 - t) dt from 1 to x (A&S 27.7.1).

    spence' = log(x) / (1 - x), and -1 at 1.
    """
    return scipy.special.spence(x)


rule(exp1, lambda grad, x: -grad * np.exp(-x) / x)
rule(expi, lambda grad, x: grad * np.exp(x) / x)
rule(expn, expn_rule)
rule(spence, lambda grad, x: grad * spence_derivative(x))
