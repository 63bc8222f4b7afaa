"""The multivariate normal distribution.

The density is exp(-½ dᵀ C⁻¹ d) / √((2π)ᴰ |C|) with d = x - mean and the covariance matrix C
(Kotz, Balakrishnan & Johnson 2000, Continuous Multivariate Distributions, 45.2). SciPy integrates
its distribution function numerically, without derivatives; it is not part of this module, and
neither are singular covariances (`allow_singular`).

The gradient with respect to `cov` treats all its elements as independent, and is symmetric.
"""

from __future__ import annotations

import math

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_special.family import Array, promoted
from tinytorch_special.stats.support import as_scalar

_LOG_2_PI = math.log(2 * math.pi)


def pdf(x: Array, mean: Array = None, cov: Array = 1) -> Array:
    """Return the density at x; see `logpdf` for the arguments."""
    return np.exp(logpdf(x, mean, cov))


def logpdf(x: Array, mean: Array = None, cov: Array = 1) -> Array:
    """Return the logarithm of the density at x.

    Args:
        x: the points, of shape (..., D). If D = 1, x may have any shape.
        mean: the mean, of shape (D,); 0 by default.
        cov: the covariance matrix of shape (D, D), which must be symmetric; or the variances, of
            shape (D,); or one variance for all components.

    Returns:
        The values, of the shape (...) without axes of length 1, as in SciPy.

    Raises:
        ValueError: the shapes do not fit, or the covariance is not positive definite.
    """
    x, mean, cov = _arguments(x, mean, cov)
    size = len(cov)
    if x.ndim == 0 or (x.ndim == 1 and size == 1):
        x = x[..., None]
    deviations = (x - mean).reshape(-1, size)
    distances = (deviations * np.linalg.solve(cov, deviations.T).T).sum(axis=-1)
    values = -0.5 * (distances + size * _LOG_2_PI + np.linalg.slogdet(cov)[1])
    return as_scalar(np.squeeze(values.reshape(x.shape[:-1])))


def entropy(mean: Array = None, cov: Array = 1) -> Array:
    """Return the entropy, ½ log |2πe C|; see `logpdf` for the arguments."""
    _, _, cov = _arguments(0.0 if mean is None else mean, mean, cov)
    return 0.5 * (len(cov) * (1 + _LOG_2_PI) + np.linalg.slogdet(cov)[1])


def _arguments(x: Array, mean: Array, cov: Array) -> tuple[Array, Array, Array]:
    """Return x, the mean and the covariance matrix, checked."""
    x, mean, cov = promoted(x, 0.0 if mean is None else mean, cov)
    size = max(mean.size, cov.shape[0] if cov.ndim else 1)
    if cov.ndim < 2:
        cov = cov * np.eye(size, dtype=cov.dtype)
    if cov.shape != (size, size) or mean.ndim > 1 or mean.size not in (1, size):
        raise ValueError(
            f"mean of shape {mean.shape} and cov of shape {cov.shape} do not fit; multivariate_"
            "normal takes a mean of shape (D,) and a covariance of shape (D, D), (D,) or ()"
        )
    _check_positive_definite(unwrap(cov))
    return x, mean, cov


def _check_positive_definite(cov: Array) -> None:
    symmetric = np.allclose(cov, cov.T, rtol=1e-5)
    try:
        np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        symmetric = False
    if not symmetric:
        raise ValueError("cov of multivariate_normal must be symmetric and positive definite")
