"""Distributions that `loc` shifts and `scale` stretches, given their standard form."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_special.family import Array, promoted
from tinytorch_special.stats.support import in_support, log


def standardize(x: Any, loc: Any, scale: Any, *shapes: Any) -> list[Array]:
    """Return (x - loc) / scale, the scale and the shapes, all in their common dtype.

    Where the scale or a shape is not positive, they are NaN, and so is the first result.
    """
    x, loc, *positive = promoted(x, loc, scale, *shapes)
    invalid = [unwrap(~(p > 0)) for p in positive]
    scale, *rest = (np.where(i, np.nan, p) for i, p in zip(invalid, positive, strict=True))
    y = (x - loc) / scale
    for i in invalid[1:]:
        y = np.where(i, np.nan, y)
    return [y, scale, *rest]


class LocationScale(NamedTuple):
    """A family of distributions. Its methods take x, loc, scale and the shapes of the family.

    Attributes:
        log_density: the logarithm of the standard density, a function of the shapes and y.
        below, above: the standard probabilities of values up to y and above y.
        support: the closed interval of y with a positive density.
    """

    log_density: Callable[..., Array]
    below: Callable[..., Array]
    above: Callable[..., Array]
    support: tuple[float, float]

    def logpdf(self, x: Array, loc: Array, scale: Array, *shapes: Array) -> Array:
        """Return the logarithm of the density at x."""
        y, scale, *rest = standardize(x, loc, scale, *shapes)
        return self._at(y, lambda y: self.log_density(*rest, y), -math.inf, -math.inf) - np.log(
            scale
        )

    def cdf(self, x: Array, loc: Array, scale: Array, *shapes: Array) -> Array:
        """Return the probability of a value up to x."""
        y, _, *rest = standardize(x, loc, scale, *shapes)
        return self._at(y, lambda y: self.below(*rest, y), 0, 1)

    def sf(self, x: Array, loc: Array, scale: Array, *shapes: Array) -> Array:
        """Return the probability of a value above x."""
        y, _, *rest = standardize(x, loc, scale, *shapes)
        return self._at(y, lambda y: self.above(*rest, y), 1, 0)

    def logcdf(self, x: Array, loc: Array, scale: Array, *shapes: Array) -> Array:
        """Return the logarithm of cdf."""
        y, _, *rest = standardize(x, loc, scale, *shapes)
        return self._at(y, lambda y: log(self.below(*rest, y), self.above(*rest, y)), -math.inf, 0)

    def logsf(self, x: Array, loc: Array, scale: Array, *shapes: Array) -> Array:
        """Return the logarithm of sf."""
        y, _, *rest = standardize(x, loc, scale, *shapes)
        return self._at(y, lambda y: log(self.above(*rest, y), self.below(*rest, y)), 0, -math.inf)

    def _at(self, y: Array, function: Callable[[Array], Array], low: float, high: float) -> Array:
        return in_support(function, y, self.support, low, high)
