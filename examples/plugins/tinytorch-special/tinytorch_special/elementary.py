"""SciPy's elementary functions, and the Wright omega function."""

from __future__ import annotations

import math

import numpy as np
import scipy

from tinytorch_special.family import Array, rule, special


@special("x")
def cbrt(x: Array) -> Array:
    """The real cube root.

    cbrt' = 1 / (3 cbrt²), infinite at 0.
    """
    return scipy.special.cbrt(x)


@special("x")
def exp2(x: Array) -> Array:
    """The power 2ˣ; exp2' = log(2) 2ˣ."""
    return scipy.special.exp2(x)


@special("x")
def exp10(x: Array) -> Array:
    """The power 10ˣ; exp10' = log(10) 10ˣ."""
    return scipy.special.exp10(x)


@special("x")
def expm1(x: Array) -> Array:
    """The function exp(x) - 1, precise near 0 too; expm1' = exp(x)."""
    return scipy.special.expm1(x)


@special("x")
def log1p(x: Array) -> Array:
    """The function log(1 + x), precise near 0 too; log1p' = 1 / (1 + x)."""
    return scipy.special.log1p(x)


@special("x")
def cosm1(x: Array) -> Array:
    """The function cos(x) - 1, precise near 0 too; cosm1' = -sin(x)."""
    return scipy.special.cosm1(x)


@special("x")
def wrightomega(x: Array) -> Array:
    """The Wright omega function: the ω with ω + log ω = x (Corless & Jeffrey 2002).

    It is Lambert's W of exp(x).

    ω' = ω / (1 + ω).
    """
    return scipy.special.wrightomega(x)


rule(cbrt, lambda grad, out: grad / (3 * out * out))
rule(exp2, lambda grad, out: grad * (math.log(2) * out))
rule(exp10, lambda grad, out: grad * (math.log(10) * out))
rule(expm1, lambda grad, x: grad * np.exp(x))
rule(log1p, lambda grad, x: grad / (1 + x))
rule(cosm1, lambda grad, x: -grad * np.sin(x))
rule(wrightomega, lambda grad, out: grad * (out / (1 + out)))
