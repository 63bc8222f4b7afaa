"""Values inside and outside of the support of a distribution, and logarithms of probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_special.family import Array


def in_support(
    function: Callable[[Array], Array],
    y: Array,
    support: tuple[float, float],
    below: float,
    above: float,
) -> Array:
    """Return `function(y)` in the support, and the constants `below` and `above` outside.

    The support is a closed interval that contains 0.5; infinities are outside. `function` is
    not evaluated outside, so the derivative there is 0 and not NaN.
    """
    low, high = support
    values = unwrap(y)
    under = (values < low) | (values == -np.inf)
    over = (values > high) | (values == np.inf)
    inside = function(np.where(under | over, 0.5, y))
    return as_scalar(np.where(under, below, np.where(over, above, inside)))


def as_scalar(value: Array) -> Array:
    """Return an ndarray of shape () as a NumPy scalar, as SciPy's functions do."""
    return value[()] if isinstance(value, np.ndarray) else value


def log(probability: Array, complement: Array) -> Array:
    """Return the logarithm of a probability, precise near 1 too, given its complement.

    That of 0 is -inf without a warning, as in SciPy.
    """
    small = unwrap(probability < 0.5)
    with np.errstate(divide="ignore"):
        below = np.log(np.where(small, probability, 1))
    return np.where(small, below, np.log1p(-np.where(small, 0, complement)))
