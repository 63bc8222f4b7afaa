"""The Dirichlet distribution with the concentrations `alpha`, a vector of length K.

The density is Π xᵢ to the power αᵢ - 1, divided by Π Γ(αᵢ) / Γ(Σ αᵢ), for positive xᵢ with the
sum 1 (Kotz, Balakrishnan & Johnson 2000, Continuous Multivariate Distributions, 49.1).
"""

from __future__ import annotations

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_special.entropy import xlogy
from tinytorch_special.family import Array, promoted
from tinytorch_special.gamma_functions import gammaln


def pdf(x: Array, alpha: Array) -> Array:
    """Return the density at x; see `logpdf` for the arguments."""
    return np.exp(logpdf(x, alpha))


def logpdf(x: Array, alpha: Array) -> Array:
    """Return the logarithm of the density at x.

    Args:
        x: the components along the first axis, as in SciPy: K of them with the sum 1, or the first
            K - 1, from which the last is computed.
        alpha: the concentrations, of shape (K,).

    Raises:
        ValueError: the shapes do not fit, a concentration is not positive, a component is
            outside of [0, 1], or 0 where alpha is less than 1, or the components do not have
            the sum 1.
    """
    (x,) = promoted(x)
    precision = np.finfo(x.dtype).eps
    x, alpha = promoted(x, alpha)
    x = _completed(x, alpha)
    _check(unwrap(x), unwrap(alpha), precision)
    exponents = (alpha - 1).reshape(-1, *[1] * (x.ndim - 1))
    return xlogy(exponents, x).sum(axis=0) - gammaln(alpha).sum() + gammaln(alpha.sum())


def _completed(x: Array, alpha: Array) -> Array:
    """Return all K components."""
    if alpha.ndim != 1:
        raise ValueError(f"alpha of dirichlet must have one axis, not the shape {alpha.shape}")
    k = len(alpha)
    if x.ndim == 0 or x.shape[0] not in (k - 1, k):
        raise ValueError(
            f"x of dirichlet must have {k} or {k - 1} components along its first axis, as alpha "
            f"has the shape {alpha.shape}; x has the shape {x.shape}"
        )
    return x if x.shape[0] == k else np.concatenate([x, 1 - x.sum(axis=0, keepdims=True)])


def _check(x: Array, alpha: Array, precision: float) -> None:
    if not np.all(alpha > 0):
        raise ValueError(f"alpha of dirichlet must be positive, not {alpha!r:.60}")
    if not np.all((x >= 0) & (x <= 1)):
        raise ValueError("each component of x of dirichlet must be from 0 to 1")
    if np.any((x == 0) & (alpha < 1).reshape(-1, *[1] * (x.ndim - 1))):
        raise ValueError("a component of x of dirichlet is 0 where alpha is less than 1")
    if np.any(abs(x.sum(axis=0) - 1) > max(1e-9, len(alpha) * precision)):
        raise ValueError(
            "the components of x of dirichlet must have the sum 1 along the first axis"
        )
