"""The logistic function, its inverse and its logarithm, and logsumexp."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from tinytorch_core.extend import kernel, unwrap

from tinytorch_special.family import Array, rule, special


@special("x")
def expit(x: Array) -> Array:
    """The logistic function 1 / (1 + exp(-x)).

    expit' = expit(x) expit(-x).
    """
    return scipy.special.expit(x)


@special("y")
def logit(y: Array) -> Array:
    """The inverse of expit: log(y / (1 - y)), infinite at 0 and 1.

    logit' = 1 / (y (1 - y)), infinite at 0 and 1.
    """
    return scipy.special.logit(y)


@special("x")
def log_expit(x: Array) -> Array:
    """The logarithm of expit, without overflow; -log_expit(-x) is softplus.

    log_expit' = expit(-x).
    """
    return scipy.special.log_expit(x)


def _share(out: Array, a: Array, axis: Any, keepdims: bool, ndim: int) -> Array:
    """Return exp(a - out), with the reduced axes of `out` restored; 0 where the whole sum is 0."""
    return np.exp(a - _restore_axes(np.where(unwrap(out == -np.inf), 0, out), axis, keepdims, ndim))


def _restore_axes(value: Array, axis: Any, keepdims: bool, ndim: int) -> Array:
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
    return _restore_axes(grad, axis, keepdims, ndim) * (share if b is None else b * share)


def logsumexp_b(grad: Array, out: Array, a: Array, b: Array, axis: Any, keepdims: bool) -> Array:
    """∂/∂b = exp(a - out), broadcast to the common shape of `a` and `b`."""
    ndim = _ndim(a, b)
    each = _restore_axes(grad, axis, keepdims, ndim) * _share(out, a, axis, keepdims, ndim)
    return np.broadcast_to(each, np.broadcast_shapes(a.shape, b.shape))


@special("a b")
@kernel("a")
def logsumexp(a: Array, axis: Any = None, b: Array = None, keepdims: bool = False) -> Array:
    """The logarithm of a sum of exponentials, log Σ b exp(a), without overflow.

    ∂/∂a = b exp(a - out), for b = 1 the softmax (Boyd & Vandenberghe 2004, 3.1.5), and 0 where
    every exponential in the sum is 0; ∂/∂b = exp(a - out).

    Args:
        a: the exponents.
        axis: the axis or the tuple of axes to sum over; all by default.
        b: factors of the exponentials, broadcast with `a`; 1 by default.
        keepdims: keep the reduced axes, with length 1.
    """
    return scipy.special.logsumexp(a, axis=axis, b=b, keepdims=keepdims)


rule(expit, lambda grad, out, x: grad * (out * expit(-x)))
rule(logit, lambda grad, y: grad / (y * (1 - y)))
rule(log_expit, lambda grad, x: grad * expit(-x))
rule(logsumexp, logsumexp_a, logsumexp_b)
