"""Distribution functions of Student's t and the Poisson distribution."""

from __future__ import annotations

import math

import numpy as np
import scipy

from tinytorch_special.entropy import xlogy
from tinytorch_special.family import UNKNOWN, Array, floating, python_number, rule, special
from tinytorch_special.gamma_functions import gammaln, poch


def log_student_density(df: Array, t: Array) -> Array:
    """Return the logarithm of the density of Student's t distribution (A&S 26.7.1).

    From df = 1e30 on it is the normal density: there, the two agree in double precision.
    """
    df = python_number(np.minimum(df, 1e30))
    constant = np.log(poch(0.5 * df, 0.5)) - 0.5 * np.log(math.pi * df)
    return python_number(constant) - 0.5 * (df + 1) * np.log1p(t * t / df)


# SciPy returns float64 if float32 is mixed with Python numbers; `astype` restores the dtype.


@special("df t")
def stdtr(df: Array, t: Array) -> Array:
    """The distribution function of Student's t with `df` degrees of freedom (A&S 26.7.1).

    ∂/∂t is its density. ∂/∂df raises NotImplementedError.
    """
    return scipy.special.stdtr(df, t).astype(floating(df, t))


def log_poisson_mass(k: Array, m: Array) -> Array:
    """Return the logarithm of mᵏ exp(-m) / k!, for whole k (A&S 26.1.22)."""
    return xlogy(k, m) - m - python_number(gammaln(k + 1))


def _mass(k: Array, m: Array) -> Array:
    return np.exp(log_poisson_mass(python_number(np.floor(k)), m)).astype(m.dtype)


@special("k m")
def pdtr(k: Array, m: Array) -> Array:
    """The distribution function of the Poisson distribution with mean m, Σ mʲ exp(-m) / j!, j ≤ k.

    It equals gammaincc(⌊k⌋ + 1, m) (A&S 26.4.21). ∂/∂m = -mᵏ exp(-m) / k!; it is a step function
    of k, so ∂/∂k = 0.
    """
    return scipy.special.pdtr(k, m).astype(floating(k, m))


@special("k m")
def pdtrc(k: Array, m: Array) -> Array:
    """The complement 1 - pdtr(k, m), precise where it is small too.

    The derivatives are those of pdtr with the opposite sign.
    """
    return scipy.special.pdtrc(k, m).astype(floating(k, m))


rule(
    stdtr,
    UNKNOWN,
    lambda grad, df, t: grad * np.exp(log_student_density(df, t)).astype(t.dtype),
)
rule(pdtr, lambda grad: np.zeros_like(grad), lambda grad, k, m: -grad * _mass(k, m))
rule(pdtrc, lambda grad: np.zeros_like(grad), lambda grad, k, m: grad * _mass(k, m))
