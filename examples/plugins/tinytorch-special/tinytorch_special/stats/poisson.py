"""The Poisson distribution with mean `mu`, shifted by `loc`.

The probability of k is muᵏ exp(-mu) / k!, for k = 0, 1, ... (A&S 26.1.22). Derivatives are those
with respect to `mu`; k is discrete, so the derivative with respect to k and `loc` is 0.
"""

from __future__ import annotations

import math

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_special.distribution_functions import log_poisson_mass, pdtr, pdtrc
from tinytorch_special.family import Array, promoted
from tinytorch_special.stats.support import in_support, log

_SUPPORT = (0, math.inf)


def pmf(k: Array, mu: Array, loc: Array = 0) -> Array:
    """Return the probability of k; 0 unless k - loc is a whole number from 0."""
    return np.exp(logpmf(k, mu, loc))


def logpmf(k: Array, mu: Array, loc: Array = 0) -> Array:
    """Return the logarithm of the probability of k."""
    k, mu = _shifted(k, mu, loc)
    whole = np.floor(k)
    whole = np.where(unwrap(whole < k), -1, whole)  # outside of the support
    return in_support(lambda n: log_poisson_mass(n, mu), whole, _SUPPORT, -math.inf, -math.inf)


def cdf(k: Array, mu: Array, loc: Array = 0) -> Array:
    """Return the probability of a value up to k."""
    k, mu = _shifted(k, mu, loc)
    return in_support(lambda k: pdtr(k, mu), k, _SUPPORT, 0, 1)


def logcdf(k: Array, mu: Array, loc: Array = 0) -> Array:
    """Return the logarithm of cdf."""
    k, mu = _shifted(k, mu, loc)
    return in_support(lambda k: log(pdtr(k, mu), pdtrc(k, mu)), k, _SUPPORT, -math.inf, 0)


def sf(k: Array, mu: Array, loc: Array = 0) -> Array:
    """Return the probability of a value above k."""
    k, mu = _shifted(k, mu, loc)
    return in_support(lambda k: pdtrc(k, mu), k, _SUPPORT, 1, 0)


def logsf(k: Array, mu: Array, loc: Array = 0) -> Array:
    """Return the logarithm of sf."""
    k, mu = _shifted(k, mu, loc)
    return in_support(lambda k: log(pdtrc(k, mu), pdtr(k, mu)), k, _SUPPORT, 0, -math.inf)


def _shifted(k: Array, mu: Array, loc: Array) -> tuple[Array, Array]:
    """Return k - loc and the mean; both are NaN where the mean is negative or either is NaN."""
    k, mu, loc = promoted(k, mu, loc)
    invalid = unwrap(~(mu >= 0) | np.isnan(k - loc))
    return np.where(invalid, np.nan, k - loc), np.where(invalid, np.nan, mu)
