"""Bessel functions and modified Bessel functions of orders 0, 1 and v, also exponentially scaled.

The derivative with respect to the order, `v` or `n`, raises NotImplementedError. Functions of the
second kind are infinite at 0, and NaN or infinite for negative x.
"""

from __future__ import annotations

import numpy as np
import scipy

from tinytorch_special.family import UNKNOWN, Array, floating, rule, special


@special("x")
def j0(x: Array) -> Array:
    """The Bessel function J₀; J₀' = -J₁ (DLMF 10.6.3)."""
    return scipy.special.j0(x)


@special("x")
def j1(x: Array) -> Array:
    """The Bessel function J₁; J₁' = (J₀ - J₂) / 2 (DLMF 10.6.1)."""
    return scipy.special.j1(x)


@special("v x")
def jv(v: Array, x: Array) -> Array:
    """The Bessel function of the first kind, J_v; J_v' = (J_{v-1} - J_{v+1}) / 2 (DLMF 10.6.1)."""
    return scipy.special.jv(v, x)


jn = jv


@special("x")
def y0(x: Array) -> Array:
    """The Bessel function Y₀; Y₀' = -Y₁ (DLMF 10.6.3)."""
    return scipy.special.y0(x)


@special("x")
def y1(x: Array) -> Array:
    """The Bessel function Y₁; Y₁' = (Y₀ - Y₂) / 2 (DLMF 10.6.1)."""
    return scipy.special.y1(x)


@special("v x")
def yv(v: Array, x: Array) -> Array:
    """The Bessel function of the second kind, Y_v; Y_v' = (Y_{v-1} - Y_{v+1}) / 2 (DLMF 10.6.1)."""
    return scipy.special.yv(v, x)


@special("n x")
def yn(n: Array, x: Array) -> Array:
    """The Bessel function of the second kind of integer order, Y_n.

    Y_n' = (Y_{n-1} - Y_{n+1}) / 2 (DLMF 10.6.1). SciPy truncates other orders, with a warning;
    `yv` takes any order.
    """
    # SciPy returns float64 if an integer order is mixed with float32.
    return scipy.special.yn(n, x).astype(floating(x))


@special("x")
def i0(x: Array) -> Array:
    """The modified Bessel function I₀; I₀' = I₁ (DLMF 10.29.3)."""
    return scipy.special.i0(x)


@special("x")
def i1(x: Array) -> Array:
    """The modified Bessel function I₁; I₁' = (I₀ + I₂) / 2 (DLMF 10.29.1)."""
    return scipy.special.i1(x)


@special("v x")
def iv(v: Array, x: Array) -> Array:
    """The modified Bessel function of the first kind, I_v.

    I_v' = (I_{v-1} + I_{v+1}) / 2 (DLMF 10.29.1).
    """
    return scipy.special.iv(v, x)


@special("x")
def i0e(x: Array) -> Array:
    """The scaled function exp(-|x|) I₀.

    i0e' = i1e - sign(x) i0e (DLMF 10.29.3), and 0 at the kink at 0.
    """
    return scipy.special.i0e(x)


@special("x")
def i1e(x: Array) -> Array:
    """The scaled function exp(-|x|) I₁.

    i1e' = (i0e + ive(2)) / 2 - sign(x) i1e (DLMF 10.29.1).
    """
    return scipy.special.i1e(x)


@special("v x")
def ive(v: Array, x: Array) -> Array:
    """The scaled function exp(-|x|) I_v.

    ive' = (ive(v-1) + ive(v+1)) / 2 - sign(x) ive (DLMF 10.29.1).
    """
    return scipy.special.ive(v, x)


@special("x")
def k0(x: Array) -> Array:
    """The modified Bessel function K₀; K₀' = -K₁ (DLMF 10.29.3)."""
    return scipy.special.k0(x)


@special("x")
def k1(x: Array) -> Array:
    """The modified Bessel function K₁; K₁' = -(K₀ + K₂) / 2 (DLMF 10.29.1)."""
    return scipy.special.k1(x)


@special("v x")
def kv(v: Array, x: Array) -> Array:
    """The modified Bessel function of the second kind, K_v.

    K_v' = -(K_{v-1} + K_{v+1}) / 2 (DLMF 10.29.1).
    """
    return scipy.special.kv(v, x)


@special("x")
def k0e(x: Array) -> Array:
    """The scaled function exp(x) K₀; k0e' = k0e - k1e (DLMF 10.29.3)."""
    return scipy.special.k0e(x)


@special("x")
def k1e(x: Array) -> Array:
    """The scaled function exp(x) K₁.

    k1e' = k1e - (k0e + kve(2)) / 2 (DLMF 10.29.1).
    """
    return scipy.special.k1e(x)


@special("v x")
def kve(v: Array, x: Array) -> Array:
    """The scaled function exp(x) K_v.

    kve' = kve - (kve(v-1) + kve(v+1)) / 2 (DLMF 10.29.1).
    """
    return scipy.special.kve(v, x)


rule(j0, lambda grad, x: -grad * j1(x))
rule(j1, lambda grad, x: grad * (0.5 * (j0(x) - jv(2, x))))
rule(jv, UNKNOWN, lambda grad, v, x: grad * (0.5 * (jv(v - 1, x) - jv(v + 1, x))))
rule(y0, lambda grad, x: -grad * y1(x))
rule(y1, lambda grad, x: grad * (0.5 * (y0(x) - yv(2, x))))
rule(yv, UNKNOWN, lambda grad, v, x: grad * (0.5 * (yv(v - 1, x) - yv(v + 1, x))))
rule(yn, UNKNOWN, lambda grad, n, x: grad * (0.5 * (yn(n - 1, x) - yn(n + 1, x))))
rule(i0, lambda grad, x: grad * i1(x))
rule(i1, lambda grad, x: grad * (0.5 * (i0(x) + iv(2, x))))
rule(iv, UNKNOWN, lambda grad, v, x: grad * (0.5 * (iv(v - 1, x) + iv(v + 1, x))))
rule(i0e, lambda grad, out, x: grad * (i1e(x) - np.sign(x) * out))
rule(i1e, lambda grad, out, x: grad * (0.5 * (i0e(x) + ive(2, x)) - np.sign(x) * out))
rule(
    ive,
    UNKNOWN,
    lambda grad, out, v, x: grad * (0.5 * (ive(v - 1, x) + ive(v + 1, x)) - np.sign(x) * out),
)
rule(k0, lambda grad, x: -grad * k1(x))
rule(k1, lambda grad, x: grad * (-0.5 * (k0(x) + kv(2, x))))
rule(kv, UNKNOWN, lambda grad, v, x: grad * (-0.5 * (kv(v - 1, x) + kv(v + 1, x))))
rule(k0e, lambda grad, out, x: grad * (out - k1e(x)))
rule(k1e, lambda grad, out, x: grad * (out - 0.5 * (k0e(x) + kve(2, x))))
rule(kve, UNKNOWN, lambda grad, out, v, x: grad * (out - 0.5 * (kve(v - 1, x) + kve(v + 1, x))))
