"""The gamma function and its relatives: beta, polygamma, incomplete gamma and beta, zeta."""

from __future__ import annotations

import math

import numpy as np
import scipy

from tinytorch_core.extend import unwrap

from tinytorch_special.entropy import xlog1py, xlogy
from tinytorch_special.family import UNKNOWN, Array, floating, integer, python_number, rule, special


@special("x")
def gamma(x: Array) -> Array:
    """The gamma function Γ(x) = ∫₀^∞ exp(-t) tˣ⁻¹ dt (DLMF 5.2.1); NaN at -1, -2, ...

    Γ' = Γ ψ (5.2.2).
    """
    return scipy.special.gamma(x)


@special("x")
def gammaln(x: Array) -> Array:
    """The logarithm log |Γ(x)|, without overflow; infinite at 0, -1, ...

    (log |Γ|)' = ψ (DLMF 5.2.2).
    """
    return scipy.special.gammaln(x)


def rgamma_rule(grad: Array, out: Array, x: Array) -> Array:
    """(1/Γ)' = -ψ / Γ, for x < 1/2 by the reflection formula 1/Γ(x) = Γ(1 - x) sin(πx) / π.

    In the second form, Γ(1 - x) (cos(πx) - ψ(1 - x) sin(πx) / π), nothing is infinite at the
    poles of Γ, in higher derivatives neither.
    """
    left = unwrap(x < 0.5)
    z = np.where(left, x, 0)
    nearest = np.round(unwrap(z))
    angle = math.pi * (z - nearest)  # the sine and the cosine of πz have the sign (-1)ⁿ of these
    slope = np.cos(angle) - digamma(1 - z) * np.sin(angle) / math.pi
    by_reflection = (1 - 2 * (nearest % 2)) * gamma(1 - z) * slope
    return grad * np.where(left, by_reflection, -digamma(np.where(left, 1, x)) * out)


@special("x")
def rgamma(x: Array) -> Array:
    """The reciprocal of the gamma function, 1/Γ(x) (DLMF 5.2.1); 0 at 0, -1, -2, ...

    (1/Γ)' = -ψ / Γ (5.2.2), and (-1)ⁿ n! at -n.
    """
    return scipy.special.rgamma(x)


@special("x")
def digamma(x: Array) -> Array:
    """The digamma function ψ(x) = Γ'(x) / Γ(x) (DLMF 5.2.2); NaN at -1, -2, ...

    ψ' = polygamma(1, x).
    """
    return scipy.special.digamma(x)


psi = digamma


@special("x")
def polygamma(n: int, x: Array) -> Array:
    """The n-th derivative of digamma, for n ≥ 1 equal to (-1)ⁿ⁺¹ n! ζ(n + 1, x) (A&S 6.4.10).

    The derivative is polygamma(n + 1, x).

    Raises:
        TypeError: `n` is not an integer.
        ValueError: `n` is negative.
    """
    n = integer("polygamma", "n", n, least=0)
    if n == 0:
        return scipy.special.digamma(x)
    return (-1.0) ** (n + 1) * math.gamma(n + 1) * scipy.special.zeta(n + 1.0, x)


@special("a")
def multigammaln(a: Array, d: int) -> Array:
    """The logarithm of the multivariate gamma function of dimension d, for a > (d - 1) / 2.

    It is d(d-1)/4 log π + Σ log Γ(a - j/2) for j = 0, ..., d - 1 (DLMF 35.3.4); the derivative
    is Σ ψ(a - j/2).

    Raises:
        TypeError: `d` is not an integer.
        ValueError: `d` is less than 1, or an element of `a` is too small.
    """
    d = integer("multigammaln", "d", d, least=1)
    small = a <= 0.5 * (d - 1)
    # The values of another library's array may not be known yet.
    if isinstance(small, np.ndarray | np.generic) and small.any():
        raise ValueError(f"multigammaln() of dimension {d} requires a > {0.5 * (d - 1)}")
    terms = sum(scipy.special.gammaln(a - 0.5 * j) for j in range(d))
    return d * (d - 1) / 4 * math.log(math.pi) + terms


@special("z m")
def poch(z: Array, m: Array) -> Array:
    """The Pochhammer symbol (z)_m = Γ(z + m) / Γ(z) (DLMF 5.2.5), for real m too.

    ∂/∂z = (z)_m (ψ(z + m) - ψ(z)); ∂/∂m = (z)_m ψ(z + m).
    """
    return scipy.special.poch(z, m).astype(floating(z, m))


@special("a b")
def beta(a: Array, b: Array) -> Array:
    """The beta function B(a, b) = Γ(a) Γ(b) / Γ(a + b) (DLMF 5.12.1).

    ∂B/∂a = B (ψ(a) - ψ(a + b)), and ∂B/∂b likewise.
    """
    return scipy.special.beta(a, b).astype(floating(a, b))


@special("a b")
def betaln(a: Array, b: Array) -> Array:
    """The logarithm log |B(a, b)|, without overflow.

    ∂/∂a = ψ(a) - ψ(a + b), and ∂/∂b likewise.
    """
    return scipy.special.betaln(a, b).astype(floating(a, b))


def log_gamma_density(a: Array, x: Array) -> Array:
    """Return the logarithm of xᵃ⁻¹ exp(-x) / Γ(a), the density of the gamma distribution."""
    return xlogy(a - 1, x) - x - python_number(gammaln(a))


def gamma_density(a: Array, x: Array) -> Array:
    """Return xᵃ⁻¹ exp(-x) / Γ(a), the derivative of gammainc with respect to x (DLMF 8.8.13)."""
    return np.exp(log_gamma_density(a, x)).astype(x.dtype)


# SciPy returns float64 if float32 is mixed with Python numbers; `astype` restores the dtype.


@special("a x")
def gammainc(a: Array, x: Array) -> Array:
    """The regularized lower incomplete gamma function P(a, x) (DLMF 8.2.4).

    ∂P/∂x = xᵃ⁻¹ exp(-x) / Γ(a) (8.8.13). ∂P/∂a raises NotImplementedError.
    """
    return scipy.special.gammainc(a, x).astype(floating(a, x))


@special("a x")
def gammaincc(a: Array, x: Array) -> Array:
    """The regularized upper incomplete gamma function Q(a, x) = 1 - P(a, x) (DLMF 8.2.4).

    ∂Q/∂x = -∂P/∂x. ∂Q/∂a raises NotImplementedError.
    """
    return scipy.special.gammaincc(a, x).astype(floating(a, x))


@special("a y")
def gammaincinv(a: Array, y: Array) -> Array:
    """The inverse of gammainc: the x for which gammainc(a, x) = y.

    ∂x/∂y = 1 / (∂P/∂x). ∂x/∂a raises NotImplementedError.
    """
    return scipy.special.gammaincinv(a, y).astype(floating(a, y))


@special("a y")
def gammainccinv(a: Array, y: Array) -> Array:
    """The inverse of gammaincc: the x for which gammaincc(a, x) = y.

    ∂x/∂y = 1 / (∂Q/∂x). ∂x/∂a raises NotImplementedError.
    """
    return scipy.special.gammainccinv(a, y).astype(floating(a, y))


def log_beta_density(a: Array, b: Array, x: Array) -> Array:
    """Return the logarithm of xᵃ⁻¹ (1 - x)ᵇ⁻¹ / B(a, b), the density of the beta distribution."""
    return xlogy(a - 1, x) + xlog1py(b - 1, -x) - python_number(betaln(a, b))


def beta_density(a: Array, b: Array, x: Array) -> Array:
    """Return xᵃ⁻¹ (1 - x)ᵇ⁻¹ / B(a, b), the derivative of betainc by x (from DLMF 8.17.1)."""
    return np.exp(log_beta_density(a, b, x)).astype(x.dtype)


@special("a b x")
def betainc(a: Array, b: Array, x: Array) -> Array:
    """The regularized incomplete beta function I_x(a, b) (DLMF 8.17.2).

    ∂I/∂x = xᵃ⁻¹ (1 - x)ᵇ⁻¹ / B(a, b) (from 8.17.1). ∂I/∂a and ∂I/∂b raise
    NotImplementedError.
    """
    return scipy.special.betainc(a, b, x)


@special("a b x")
def betaincc(a: Array, b: Array, x: Array) -> Array:
    """The complement 1 - betainc(a, b, x), precise where it is small too.

    The derivatives are those of betainc with the opposite sign.
    """
    return scipy.special.betaincc(a, b, x)


@special("a b y")
def betaincinv(a: Array, b: Array, y: Array) -> Array:
    """The inverse of betainc: the x for which betainc(a, b, x) = y.

    ∂x/∂y = 1 / (∂I/∂x). ∂x/∂a and ∂x/∂b raise NotImplementedError.
    """
    return scipy.special.betaincinv(a, b, y)


@special("x q")
def zeta(x: Array, q: Array) -> Array:
    """The Hurwitz zeta function Σ 1 / (k + q)ˣ for k = 0, 1, ... (DLMF 25.11.1), for x > 1.

    ∂ζ/∂q = -x ζ(x + 1, q) (25.11.17). ∂ζ/∂x raises NotImplementedError. The Riemann zeta
    function is zeta(x, 1).
    """
    return scipy.special.zeta(x, q)


rule(gamma, lambda grad, out, x: grad * out * digamma(x))
rule(gammaln, lambda grad, x: grad * digamma(x))
rule(rgamma, rgamma_rule)
rule(digamma, lambda grad, x: grad * polygamma(1, x))
rule(polygamma, lambda grad, n, x: grad * polygamma(n + 1, x))
rule(multigammaln, lambda grad, a, d: grad * sum(digamma(a - 0.5 * j) for j in range(d)))
rule(
    poch,
    lambda grad, out, z, m: grad * out * (digamma(z + m) - digamma(z)),
    lambda grad, out, z, m: grad * out * digamma(z + m),
)
rule(
    beta,
    lambda grad, out, a, b: grad * out * (digamma(a) - digamma(a + b)),
    lambda grad, out, a, b: grad * out * (digamma(b) - digamma(a + b)),
)
rule(
    betaln,
    lambda grad, a, b: grad * (digamma(a) - digamma(a + b)),
    lambda grad, a, b: grad * (digamma(b) - digamma(a + b)),
)
rule(gammainc, UNKNOWN, lambda grad, a, x: grad * gamma_density(a, x))
rule(gammaincc, UNKNOWN, lambda grad, a, x: -grad * gamma_density(a, x))
rule(gammaincinv, UNKNOWN, lambda grad, out, a: grad / gamma_density(a, out))
rule(gammainccinv, UNKNOWN, lambda grad, out, a: -grad / gamma_density(a, out))
rule(betainc, UNKNOWN, UNKNOWN, lambda grad, a, b, x: grad * beta_density(a, b, x))
rule(betaincc, UNKNOWN, UNKNOWN, lambda grad, a, b, x: -grad * beta_density(a, b, x))
rule(betaincinv, UNKNOWN, UNKNOWN, lambda grad, out, a, b: grad / beta_density(a, b, out))
rule(zeta, UNKNOWN, lambda grad, x, q: -grad * x * zeta(x + 1, q))
