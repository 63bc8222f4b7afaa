"""The normal distribution with mean `loc` and standard deviation `scale`.

The standard form has the density exp(-y²/2) / √(2π), for real y (A&S 26.2.1).
"""

from __future__ import annotations

import math

import numpy as np

from tinytorch_special.error_functions import log_ndtr, ndtr, normal_density
from tinytorch_special.family import Array
from tinytorch_special.stats.location_scale import standardize

_LOG_ROOT_2_PI = 0.5 * math.log(2 * math.pi)


def pdf(x: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the density at x."""
    y, scale = standardize(x, loc, scale)
    return normal_density(y) / scale


def logpdf(x: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of the density at x."""
    y, scale = standardize(x, loc, scale)
    return -0.5 * y * y - _LOG_ROOT_2_PI - np.log(scale)


def cdf(x: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the probability of a value up to x."""
    return ndtr(standardize(x, loc, scale)[0])


def logcdf(x: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of cdf, also where cdf underflows to 0."""
    return log_ndtr(standardize(x, loc, scale)[0])


def sf(x: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the probability of a value above x."""
    return ndtr(-standardize(x, loc, scale)[0])


def logsf(x: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of sf, also where sf underflows to 0."""
    return log_ndtr(-standardize(x, loc, scale)[0])
