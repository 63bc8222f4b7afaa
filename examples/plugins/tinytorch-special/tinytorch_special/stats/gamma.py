"""The gamma distribution with the shape `a`.

The standard form has the density yᵃ⁻¹ exp(-y) / Γ(a), for y ≥ 0 (A&S 26.1.32).
"""

from __future__ import annotations

import math

import numpy as np

from tinytorch_special.family import Array
from tinytorch_special.gamma_functions import gammainc, gammaincc, log_gamma_density
from tinytorch_special.stats.location_scale import LocationScale

_FAMILY = LocationScale(log_gamma_density, gammainc, gammaincc, support=(0, math.inf))


def pdf(x: Array, a: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the density at x; 0 outside the support."""
    return np.exp(logpdf(x, a, loc, scale))


def logpdf(x: Array, a: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of the density at x; -inf outside the support."""
    return _FAMILY.logpdf(x, loc, scale, a)


def cdf(x: Array, a: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the probability of a value up to x."""
    return _FAMILY.cdf(x, loc, scale, a)


def logcdf(x: Array, a: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of cdf."""
    return _FAMILY.logcdf(x, loc, scale, a)


def sf(x: Array, a: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the probability of a value above x."""
    return _FAMILY.sf(x, loc, scale, a)


def logsf(x: Array, a: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of sf."""
    return _FAMILY.logsf(x, loc, scale, a)
