"""The error function, related functions, and the normal distribution.

`erf`, `erfc`, `erfcx`, `erfi` and `dawsn` are entire functions and take complex numbers too. Their
derivatives are the complex derivatives, by the same formulas.
"""

from __future__ import annotations

import math

import numpy as np
import scipy

from tinytorch_core.extend import unwrap

from tinytorch_special.family import Array, rule, special

_SLOPE = 2 / math.sqrt(math.pi)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_ROOT_HALF = math.sqrt(0.5)


# Where x² overflows, exp(-inf) = 0 is the correct result.
@np.errstate(over="ignore")
def gaussian(x: Array) -> Array:
    """Return exp(-x²)."""
    return np.exp(-x * x)


def normal_density(x: Array) -> Array:
    """Return φ(x) = exp(-x²/2) / √(2π), the density of the standard normal distribution."""
    return _DENSITY * gaussian(_ROOT_HALF * x)


@special("x", complex_too=True)
def erf(x: Array) -> Array:
    """The error function 2/√π ∫₀ˣ exp(-t²) dt (DLMF 7.2.1).

    erf' = 2/√π exp(-x²).
    """
    return scipy.special.erf(x)


@special("x", complex_too=True)
def erfc(x: Array) -> Array:
    """The complementary error function 1 - erf(x), precise for large x too (DLMF 7.2.2).

    erfc' = -2/√π exp(-x²).
    """
    return scipy.special.erfc(x)


@special("x", complex_too=True)
def erfcx(x: Array) -> Array:
    """The scaled function exp(x²) erfc(x) (with erfc as in DLMF 7.2.2).

    erfcx' = 2 x erfcx - 2/√π. For large x the two terms cancel: the relative error grows as x²
    times the precision of the dtype.
    """
    return scipy.special.erfcx(x)


@special("x", complex_too=True)
def erfi(x: Array) -> Array:
    """The imaginary error function 2/√π ∫₀ˣ exp(t²) dt, -i erf(ix).

    erfi' = 2/√π exp(x²).
    """
    return scipy.special.erfi(x)


@special("y")
def erfinv(y: Array) -> Array:
    """The inverse of erf, infinite at -1 and 1 (DLMF 7.17.1).

    erfinv' = √π/2 exp(erfinv²), infinite at -1 and 1.
    """
    return scipy.special.erfinv(y)


@special("y")
def erfcinv(y: Array) -> Array:
    """The inverse of erfc, infinite at 0 and 2 (DLMF 7.17.1).

    erfcinv' = -√π/2 exp(erfcinv²), infinite at 0 and 2.
    """
    return scipy.special.erfcinv(y)


@special("x", complex_too=True)
def dawsn(x: Array) -> Array:
    """Dawson's integral exp(-x²) ∫₀ˣ exp(t²) dt (DLMF 7.2.5).

    dawsn' = 1 - 2 x dawsn. For large x the two terms cancel, as in the derivative of erfcx.
    """
    return scipy.special.dawsn(x)


@special("x")
def ndtr(x: Array) -> Array:
    """The distribution function Φ of the standard normal distribution (A&S 26.2.2).

    Φ' = φ = exp(-x²/2) / √(2π).
    """
    return scipy.special.ndtr(x)


def log_ndtr_rule(grad: Array, out: Array, x: Array) -> Array:
    """The derivative is φ/Φ.

    For x < 0 it is computed as √(2/π) / erfcx(-x/√2), because φ and Φ underflow there.
    """
    below = unwrap(x < 0)
    tail = 2 * _DENSITY / erfcx(_ROOT_HALF * np.where(below, -x, 0))
    body = normal_density(np.where(below, 0, x)) * np.exp(-np.where(below, 0, out))
    return grad * np.where(below, tail, body)


@special("x")
def log_ndtr(x: Array) -> Array:
    """The logarithm of ndtr, log Φ(x), also where Φ(x) underflows to 0.

    (log Φ)' = φ / Φ.
    """
    return scipy.special.log_ndtr(x)


@special("y")
def ndtri(y: Array) -> Array:
    """The inverse of ndtr: the quantile function of the standard normal distribution.

    ndtri' = 1 / φ(ndtri), infinite at 0 and 1.
    """
    return scipy.special.ndtri(y)


rule(erf, lambda grad, x: grad * (_SLOPE * gaussian(x)))
rule(erfc, lambda grad, x: grad * (-_SLOPE * gaussian(x)))
rule(erfcx, lambda grad, out, x: grad * (2 * x * out - _SLOPE))
rule(erfi, lambda grad, x: grad * (_SLOPE * np.exp(x * x)))
rule(erfinv, lambda grad, out: grad * (np.exp(out * out) / _SLOPE))
rule(erfcinv, lambda grad, out: grad * (-np.exp(out * out) / _SLOPE))
rule(dawsn, lambda grad, out, x: grad * (1 - 2 * x * out))
rule(ndtr, lambda grad, x: grad * normal_density(x))
rule(log_ndtr, log_ndtr_rule)
rule(ndtri, lambda grad, out: grad * (np.exp(0.5 * out * out) / _DENSITY))
