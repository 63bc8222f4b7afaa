"""The χ² distribution with `df` degrees of freedom.

It is the gamma distribution with the shape df/2 and twice the scale (A&S 26.4.1).
"""

from __future__ import annotations

import numpy as np

from tinytorch_special.family import Array
from tinytorch_special.stats import gamma


def pdf(x: Array, df: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the density at x; 0 outside the support."""
    return gamma.pdf(x, *_as_gamma(df, loc, scale))


def logpdf(x: Array, df: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of the density at x; -inf outside the support."""
    return gamma.logpdf(x, *_as_gamma(df, loc, scale))


def cdf(x: Array, df: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the probability of a value up to x."""
    return gamma.cdf(x, *_as_gamma(df, loc, scale))


def logcdf(x: Array, df: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of cdf."""
    return gamma.logcdf(x, *_as_gamma(df, loc, scale))


def sf(x: Array, df: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the probability of a value above x."""
    return gamma.sf(x, *_as_gamma(df, loc, scale))


def logsf(x: Array, df: Array, loc: Array = 0, scale: Array = 1) -> Array:
    """Return the logarithm of sf."""
    return gamma.logsf(x, *_as_gamma(df, loc, scale))


def _as_gamma(df: Array, loc: Array, scale: Array) -> tuple[Array, Array, Array]:
    """Return the shape, the location and the scale of the same gamma distribution."""
    df, scale = (np.asarray(p) if isinstance(p, list | tuple) else p for p in (df, scale))
    return 0.5 * df, loc, 2 * scale
