"""The beta distribution with the shapes `a` and `b`.

The standard form has the density yᵃ⁻¹ (1 - y)ᵇ⁻¹ / B(a, b), for 0 ≤ y ≤ 1 (A&S 26.1.33).
"""

from __future__ import annotations

import numpy as np

from tinytorch_special.family import Array
from tinytorch_special.gamma_functions import betainc, betaincc, log_beta_density
from tinytorch_special.stats.location_scale import LocationScale

_FAMILY = LocationScale(log_beta_density, betainc, betaincc, support=(0, 1))


def pdf(x: Array, a: Array, b: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the density at x; 0 outside the support."""
    return np.exp(logpdf(x, a, b, loc, scale))


def logpdf(x: Array, a: Array, b: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of the density at x; -inf outside the support."""
    return _FAMILY.logpdf(x, loc, scale, a, b)


def cdf(x: Array, a: Array, b: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the probability of a value up to x."""
    return _FAMILY.cdf(x, loc, scale, a, b)


def logcdf(x: Array, a: Array, b: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of cdf."""
    return _FAMILY.logcdf(x, loc, scale, a, b)


def sf(x: Array, a: Array, b: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the probability of a value above x."""
    return _FAMILY.sf(x, loc, scale, a, b)


def logsf(x: Array, a: Array, b: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of sf."""
    return _FAMILY.logsf(x, loc, scale, a, b)
