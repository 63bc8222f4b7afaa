"""Hypergeometric functions, and the complete elliptic integrals, which are special cases."""

from __future__ import annotations

import math

import scipy

from tinytorch_special.family import UNKNOWN, Array, floating, rule, special


@special("b x")
def hyp0f1(b: Array, x: Array) -> Array:
    """The confluent limit function ₀F₁(b; x) (DLMF 16.2.1).

    ∂/∂x = ₀F₁(b + 1; x) / b (16.3.1). ∂/∂b raises NotImplementedError.
    """
    return scipy.special.hyp0f1(b, x)


@special("a b x")
def hyp1f1(a: Array, b: Array, x: Array) -> Array:
    """Kummer's confluent function M(a, b, x) = ₁F₁(a; b; x) (DLMF 13.2.2).

    ∂M/∂x = a/b M(a + 1, b + 1, x) (13.3.15). ∂M/∂a and ∂M/∂b raise NotImplementedError.
    """
    return scipy.special.hyp1f1(a, b, x)


@special("a b x")
def hyperu(a: Array, b: Array, x: Array) -> Array:
    """Tricomi's confluent function U(a, b, x) (DLMF 13.2.6), for x > 0.

    ∂U/∂x = -a U(a + 1, b + 1, x) (13.3.22). ∂U/∂a and ∂U/∂b raise NotImplementedError.
    """
    return scipy.special.hyperu(a, b, x)


def hyp2f1_rule(grad: Array, a: Array, b: Array, c: Array, x: Array) -> Array:
    """∂F/∂x = ab/c F(a + 1, b + 1; c + 1; x) (DLMF 15.5.1)."""
    return grad * (a * b / c * hyp2f1(a + 1, b + 1, c + 1, x))


@special("a b c x")
def hyp2f1(a: Array, b: Array, c: Array, x: Array) -> Array:
    """Gauss's hypergeometric function ₂F₁(a, b; c; x) (DLMF 15.2.1).

    ∂F/∂x = ab/c F(a + 1, b + 1; c + 1; x) (15.5.1). ∂F/∂a, ∂F/∂b and ∂F/∂c raise
    NotImplementedError.
    """
    # SciPy returns float64 if float32 is mixed with Python numbers.
    return scipy.special.hyp2f1(a, b, c, x).astype(floating(a, b, c, x))


@special("m")
def ellipk(m: Array) -> Array:
    """The complete elliptic integral of the first kind, K, of the parameter m = k² < 1.

    K = π/2 ₂F₁(1/2, 1/2; 1; m) (DLMF 19.5.1), so K' = π/8 ₂F₁(3/2, 3/2; 2; m).
    """
    return scipy.special.ellipk(m)


@special("m")
def ellipe(m: Array) -> Array:
    """The complete elliptic integral of the second kind, E, of the parameter m = k² < 1.

    E = π/2 ₂F₁(-1/2, 1/2; 1; m) (DLMF 19.5.2), so E' = -π/8 ₂F₁(1/2, 3/2; 2; m).
    """
    return scipy.special.ellipe(m)


rule(hyp0f1, UNKNOWN, lambda grad, b, x: grad * hyp0f1(b + 1, x) / b)
rule(hyp1f1, UNKNOWN, UNKNOWN, lambda grad, a, b, x: grad * (a * hyp1f1(a + 1, b + 1, x) / b))
rule(hyperu, UNKNOWN, UNKNOWN, lambda grad, a, b, x: -grad * (a * hyperu(a + 1, b + 1, x)))
rule(hyp2f1, UNKNOWN, UNKNOWN, UNKNOWN, hyp2f1_rule)
rule(ellipk, lambda grad, m: grad * (math.pi / 8 * hyp2f1(1.5, 1.5, 2.0, m)))
rule(ellipe, lambda grad, m: grad * (-math.pi / 8 * hyp2f1(0.5, 1.5, 2.0, m)))
