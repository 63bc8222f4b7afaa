"""Exponential integrals and the dilogarithm."""

from __future__ import annotations

import numpy as np
import scipy

from tinytorch_core.extend import unwrap

from tinytorch_special.family import Array, rule, special, whole


@special("x")
def exp1(x: Array) -> Array:
    """E₁(x) = ∫ exp(-t) / t dt from x to ∞ (DLMF 6.2.1), for x > 0.

    E₁' = -exp(-x) / x.
    """
    return scipy.special.exp1(x)


@special("x")
def expi(x: Array) -> Array:
    """Ei(x), the principal value of ∫ exp(t) / t dt from -∞ to x (DLMF 6.2.5).

    Ei' = exp(x) / x.
    """
    return scipy.special.expi(x)


def expn_rule(grad: Array, n: int, x: Array) -> Array:
    """E_n' = -E_{n-1} (DLMF 8.19.13), and E₀ = exp(-x) / x (8.19.4)."""
    return grad * (-np.exp(-x) * (x + 1) / (x * x) if n == 0 else -expn(n - 1, x))


@special("x")
def expn(n: int, x: Array) -> Array:
    """E_n(x) = ∫ exp(-xt) / tⁿ dt from 1 to ∞ (DLMF 8.19.3), for x > 0.

    E_n' = -E_{n-1} (8.19.13). n is an integer from 0 on.
    """
    # As a float, for SciPy computes an integer order in float64 only.
    return scipy.special.expn(float(whole("expn", "n", n, least=0)), x)


# Within this distance of 1 the series is summed; its remainder is below 1e-18.
_NEAR = 0.125
_TERMS = 20


def spence_slope(x: Array) -> Array:
    """log(x) / (1 - x); near 1 by its series Σ -(1 - x)ᵏ / (k + 1), whose value at 1 is -1."""
    near = unwrap(abs(x - 1) < _NEAR)
    z = np.where(near, 1 - x, 0)
    series = 0 * z
    for k in range(_TERMS, -1, -1):
        series = series * z - 1 / (k + 1)
    far = np.where(near, 0.5, x)
    return np.where(near, series, np.log(far) / (1 - far))


@special("x")
def spence(x: Array) -> Array:
    """The dilogarithm ∫ log(t) / (1 - t) dt from 1 to x (A&S 27.7.1), which is Li₂(1 - x).

    spence' = log(x) / (1 - x), -1 at 1.
    """
    return scipy.special.spence(x)


rule(exp1, lambda grad, x: -grad * np.exp(-x) / x)
rule(expi, lambda grad, x: grad * np.exp(x) / x)
rule(expn, expn_rule)
rule(spence, lambda grad, x: grad * spence_slope(x))
