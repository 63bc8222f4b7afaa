"""Entropies and divergences, x log y, and the Huber losses."""

from __future__ import annotations

import numpy as np
import scipy

from tinytorch_core.extend import unwrap

from tinytorch_special.family import Array, floating, rule, special


def ratio(x: Array, y: Array) -> Array:
    """Return x / y, and 0 where both are 0: there x log y is constant in y."""
    return x / np.where(unwrap(x == 0) & unwrap(y == 0), 1, y)


# SciPy returns float64 if float32 is mixed with Python numbers; `astype` restores the dtype.


@special("x y")
def xlogy(x: Array, y: Array) -> Array:
    """The function x log(y), which is 0 where x = 0, for any y.

    ∂/∂x = log y; ∂/∂y = x / y, and 0 where both are 0.
    """
    return scipy.special.xlogy(x, y).astype(floating(x, y))


@special("x y")
def xlog1py(x: Array, y: Array) -> Array:
    """The function x log(1 + y), which is 0 where x = 0, for any y.

    ∂/∂x = log(1 + y); ∂/∂y = x / (1 + y), and 0 where x and 1 + y are 0.
    """
    return scipy.special.xlog1py(x, y).astype(floating(x, y))


@special("x")
def entr(x: Array) -> Array:
    """The entropy -x log(x), which is 0 at 0 and -inf for negative x.

    entr' = -log x - 1, infinite at 0.
    """
    return scipy.special.entr(x)


@special("x y")
def rel_entr(x: Array, y: Array) -> Array:
    """The relative entropy x log(x / y) of positive x and y (Boyd & Vandenberghe 2004).

    It is 0 where x = 0 and y ≥ 0, and otherwise inf.

    ∂/∂x = log(x / y) + 1, -inf at x = 0; ∂/∂y = -x / y.
    """
    return scipy.special.rel_entr(x, y)


@special("x y")
def kl_div(x: Array, y: Array) -> Array:
    """The divergence x log(x / y) - x + y of positive x and y (Kullback & Leibler 1951).

    It is y where x = 0 and y ≥ 0, and otherwise inf.

    ∂/∂x = log(x / y), -inf at x = 0; ∂/∂y = 1 - x / y.
    """
    return scipy.special.kl_div(x, y)


@special("delta r")
def huber(delta: Array, r: Array) -> Array:
    """The Huber loss: r²/2 where |r| ≤ delta, otherwise delta (|r| - delta/2) (Huber 1964).

    ∂/∂r = r where |r| ≤ delta, otherwise delta sign(r). ∂/∂delta = max(|r| - delta, 0).
    """
    return scipy.special.huber(delta, r)


def _root(delta: Array, r: Array) -> Array:
    return np.sqrt(1 + (r / delta) ** 2)


@special("delta r")
def pseudo_huber(delta: Array, r: Array) -> Array:
    """The smooth Huber loss delta² (s - 1) with s = √(1 + (r/delta)²).

    (Hartley & Zisserman 2003, Multiple View Geometry in Computer Vision, A6.8.)
    ∂/∂delta = delta (s - 1)² / s; ∂/∂r = r / s.
    """
    return scipy.special.pseudo_huber(delta, r)


rule(xlogy, lambda grad, y: grad * np.log(y), lambda grad, x, y: grad * ratio(x, y))
rule(xlog1py, lambda grad, y: grad * np.log1p(y), lambda grad, x, y: grad * ratio(x, 1 + y))
rule(entr, lambda grad, x: grad * (-np.log(x) - 1))
rule(rel_entr, lambda grad, x, y: grad * (np.log(x / y) + 1), lambda grad, x, y: -grad * (x / y))
rule(kl_div, lambda grad, x, y: grad * np.log(x / y), lambda grad, x, y: grad * (1 - x / y))
rule(
    huber,
    lambda grad, delta, r: grad * np.maximum(abs(r) - delta, 0),
    lambda grad, delta, r: grad * np.clip(r, -delta, delta),
)
rule(
    pseudo_huber,
    lambda grad, delta, r: grad * delta * (_root(delta, r) - 1) ** 2 / _root(delta, r),
    lambda grad, delta, r: grad * r / _root(delta, r),
)
