"""The gamma function and what is made of it: beta, polygamma, incomplete gamma and beta."""

from __future__ import annotations

import math

import numpy as np
import scipy

from tinytorch_special.entropy import xlog1py, xlogy
from tinytorch_special.family import UNKNOWN, Array, floating, rule, special, whole


@special("x")
def gamma(x: Array) -> Array:
    """Γ(x) = ∫₀^∞ exp(-t) tˣ⁻¹ dt (DLMF 5.2.1); NaN at -1, -2, ...

    Γ' = Γ ψ (5.2.2).
    """
    return scipy.special.gamma(x)


@special("x")
def gammaln(x: Array) -> Array:
    """log |Γ(x)|, which does not overflow; infinite at 0, -1, ...

    (log |Γ|)' = ψ (DLMF 5.2.2).
    """
    return scipy.special.gammaln(x)


@special("x")
def digamma(x: Array) -> Array:
    """ψ(x) = Γ'(x) / Γ(x) (DLMF 5.2.2); NaN at -1, -2, ...

    ψ' = polygamma of order 1.
    """
    return scipy.special.digamma(x)


psi = digamma


@special("x")
def polygamma(n: int, x: Array) -> Array:
    """The derivative of digamma of order n, (-1)ⁿ⁺¹ n! ζ(n + 1, x) (A&S 6.4.10).

    Its derivative is that of order n + 1. n is an integer from 0 on.
    """
    n = whole("polygamma", "n", n, least=0)
    if n == 0:
        return scipy.special.digamma(x)
    return (-1.0) ** (n + 1) * math.gamma(n + 1) * scipy.special.zeta(n + 1.0, x)


@special("a")
def multigammaln(a: Array, d: int) -> Array:
    """The logarithm of the gamma function of dimension d (DLMF 35.3.4), for a > (d - 1) / 2.

    d(d-1)/4 log π + Σ log Γ(a - j/2) for j from 0 to d - 1; the derivative is Σ ψ(a - j/2).

    Raises:
        ValueError: an element of `a` is too small, or `d` is no positive integer.
    """
    d = whole("multigammaln", "d", d, least=1)
    if np.any(a <= 0.5 * (d - 1)):
        raise ValueError(f"multigammaln() of dimension {d} needs a > {0.5 * (d - 1)}")
    terms = sum(scipy.special.gammaln(a - 0.5 * j) for j in range(d))
    return d * (d - 1) / 4 * math.log(math.pi) + terms


@special("a b")
def beta(a: Array, b: Array) -> Array:
    """B(a, b) = Γ(a) Γ(b) / Γ(a + b) (DLMF 5.12.1).

    ∂B/∂a = B (ψ(a) - ψ(a + b)).
    """
    return scipy.special.beta(a, b).astype(floating(a, b))


@special("a b")
def betaln(a: Array, b: Array) -> Array:
    """log |B(a, b)|, which does not overflow.

    ∂/∂a = ψ(a) - ψ(a + b).
    """
    return scipy.special.betaln(a, b).astype(floating(a, b))


def _adapting(constant: Array) -> Array:
    """What SciPy makes of Python numbers as one again: beside float32 a float64 would win."""
    return float(constant) if isinstance(constant, np.generic) else constant


def gamma_density(a: Array, x: Array) -> Array:
    """xᵃ⁻¹ exp(-x) / Γ(a), the derivative of gammainc with respect to x (DLMF 8.8.13)."""
    return np.exp(xlogy(a - 1, x) - x - _adapting(gammaln(a))).astype(x.dtype)


# SciPy takes numbers beside float32 for float64 in the next four.


@special("a x")
def gammainc(a: Array, x: Array) -> Array:
    """The regularised lower incomplete gamma function P(a, x) (DLMF 8.2.4).

    ∂P/∂x = xᵃ⁻¹ exp(-x) / Γ(a). With respect to `a` walking back raises NotImplementedError.
    """
    return scipy.special.gammainc(a, x).astype(floating(a, x))


@special("a x")
def gammaincc(a: Array, x: Array) -> Array:
    """The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x) (DLMF 8.2.4).

    ∂Q/∂x = -∂P/∂x. With respect to `a` walking back raises NotImplementedError.
    """
    return scipy.special.gammaincc(a, x).astype(floating(a, x))


@special("a y")
def gammaincinv(a: Array, y: Array) -> Array:
    """The x for which gammainc(a, x) = y.

    The derivative is one over that of gammainc at x. With respect to `a` walking back raises
    NotImplementedError.
    """
    return scipy.special.gammaincinv(a, y).astype(floating(a, y))


@special("a y")
def gammainccinv(a: Array, y: Array) -> Array:
    """The x for which gammaincc(a, x) = y.

    The derivative is one over that of gammaincc at x. With respect to `a` walking back raises
    NotImplementedError.
    """
    return scipy.special.gammainccinv(a, y).astype(floating(a, y))


def beta_density(a: Array, b: Array, x: Array) -> Array:
    """xᵃ⁻¹ (1 - x)ᵇ⁻¹ / B(a, b), the derivative of betainc with respect to x (DLMF 8.17.1)."""
    constant = _adapting(betaln(a, b))
    return np.exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - constant).astype(x.dtype)


@special("a b x")
def betainc(a: Array, b: Array, x: Array) -> Array:
    """The regularised incomplete beta function I_x(a, b) (DLMF 8.17.2).

    ∂I/∂x = xᵃ⁻¹ (1 - x)ᵇ⁻¹ / B(a, b). With respect to `a` and `b` walking back raises
    NotImplementedError.
    """
    return scipy.special.betainc(a, b, x)


@special("a b y")
def betaincinv(a: Array, b: Array, y: Array) -> Array:
    """The x for which betainc(a, b, x) = y.

    The derivative is one over that of betainc at x. With respect to `a` and `b` walking back
    raises NotImplementedError.
    """
    return scipy.special.betaincinv(a, b, y)


@special("x q")
def zeta(x: Array, q: Array) -> Array:
    """Hurwitz's zeta function Σ 1 / (k + q)ˣ for k from 0 on (DLMF 25.11.1), for x > 1.

    ∂ζ/∂q = -x ζ(x + 1, q) (25.11.17). With respect to `x` walking back raises
    NotImplementedError. Riemann's is zeta(x, 1).
    """
    return scipy.special.zeta(x, q)


rule(gamma, lambda grad, out, x: grad * out * digamma(x))
rule(gammaln, lambda grad, x: grad * digamma(x))
rule(digamma, lambda grad, x: grad * polygamma(1, x))
rule(polygamma, lambda grad, n, x: grad * polygamma(n + 1, x))
rule(multigammaln, lambda grad, a, d: grad * sum(digamma(a - 0.5 * j) for j in range(d)))
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
rule(betaincinv, UNKNOWN, UNKNOWN, lambda grad, out, a, b: grad / beta_density(a, b, out))
rule(zeta, UNKNOWN, lambda grad, x, q: -grad * x * zeta(x + 1, q))
