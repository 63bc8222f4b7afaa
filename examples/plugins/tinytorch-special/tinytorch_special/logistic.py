"""The logistic function, its inverse, its logarithm, and the logarithm of a sum of exponentials."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from tinytorch_core.extend import unwrap

from tinytorch_special.family import Array, rule, special


@special("x")
def expit(x: Array) -> Array:
    """The logistic function 1 / (1 + exp(-x)).

    expit' = expit(x) expit(-x).
    """
    return scipy.special.expit(x)


@special("y")
def logit(y: Array) -> Array:
    """The inverse of expit, log(y / (1 - y)), infinite at 0 and 1.

    logit' = 1 / (y (1 - y)), infinite at 0 and 1.
    """
    return scipy.special.logit(y)


@special("x")
def log_expit(x: Array) -> Array:
    """The logarithm of expit, which does not overflow; -log_expit(-x) is softplus.

    log_expit' = expit(-x).
    """
    return scipy.special.log_expit(x)


def _share(out: Array, a: Array, axis: Any, keepdims: bool, ndim: int) -> Array:
    """Exp(a - out), with the axes of `out` back in their places; 0 where the whole sum is 0."""
    return np.exp(a - _restored(np.where(unwrap(out == -np.inf), 0, out), axis, keepdims, ndim))


def _restored(value: Array, axis: Any, keepdims: bool, ndim: int) -> Array:
    if keepdims:
        return value
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return np.expand_dims(value, tuple(a % ndim for a in axes))


def _ndim(a: Array, b: Array) -> int:
    return int(max(a.ndim, getattr(b, "ndim", 0)))


def logsumexp_a(grad: Array, out: Array, a: Array, b: Array, axis: Any, keepdims: bool) -> Array:
    """∂/∂a = b exp(a - out)."""
    ndim = _ndim(a, b)
    share = _share(out, a, axis, keepdims, ndim)
    return _restored(grad, axis, keepdims, ndim) * (share if b is None else b * share)


def logsumexp_b(grad: Array, out: Array, a: Array, b: Array, axis: Any, keepdims: bool) -> Array:
    """∂/∂b = exp(a - out), for each element of b that `a` stretches over or is stretched over."""
    ndim = _ndim(a, b)
    each = _restored(grad, axis, keepdims, ndim) * _share(out, a, axis, keepdims, ndim)
    return np.broadcast_to(each, np.broadcast_shapes(a.shape, b.shape))


@special("a b")
def logsumexp(a: Array, axis: Any = None, b: Array = None, keepdims: bool = False) -> Array:
    """log Σ b exp(a) over all elements or over `axis`, a number or a tuple, without overflow.

    ∂/∂a = b exp(a - out), and 0 where nothing is summed but exp(-inf); ∂/∂b = exp(a - out).

    Args:
        a: the exponents.
        axis: what to sum over.
        b: factors of the exponentials, which broadcast with `a`; 1 by default.
        keepdims: leave the reduced axes in place, with the length 1.
    """
    return scipy.special.logsumexp(a, axis=axis, b=b, keepdims=keepdims)


rule(expit, lambda grad, out, x: grad * (out * expit(-x)))
rule(logit, lambda grad, y: grad / (y * (1 - y)))
rule(log_expit, lambda grad, x: grad * expit(-x))
rule(logsumexp, logsumexp_a, logsumexp_b)
