"""Student's t distribution with `df` degrees of freedom.

The standard form has a density proportional to (1 + y²/df) to the power -(df + 1)/2, for real y
(A&S 26.7.1). With df = inf it is the normal distribution.
"""

from __future__ import annotations

import math

import numpy as np

from tinytorch_special.distribution_functions import log_student_density, stdtr
from tinytorch_special.family import Array
from tinytorch_special.stats.location_scale import LocationScale

_FAMILY = LocationScale(
    log_student_density, stdtr, lambda df, y: stdtr(df, -y), support=(-math.inf, math.inf)
)


def pdf(x: Array, df: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the density at x; 0 outside the support."""
    return np.exp(logpdf(x, df, loc, scale))


def logpdf(x: Array, df: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of the density at x; -inf outside the support."""
    return _FAMILY.logpdf(x, loc, scale, df)


def cdf(x: Array, df: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the probability of a value up to x."""
    return _FAMILY.cdf(x, loc, scale, df)


def logcdf(x: Array, df: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of cdf."""
    return _FAMILY.logcdf(x, loc, scale, df)


def sf(x: Array, df: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the probability of a value above x."""
    return _FAMILY.sf(x, loc, scale, df)


def logsf(x: Array, df: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of sf."""
    return _FAMILY.logsf(x, loc, scale, df)
