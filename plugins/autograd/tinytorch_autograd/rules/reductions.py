"""Sums, means, products, extremes and spreads over axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_autograd.complex_numbers import conj, real_part
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.shapes import broadcast_to

Array = Any
Axis = int | tuple[int, ...] | None
Shape = tuple[int, ...]

family = Family()


def normalize_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes as numbers from 0, whatever way they were given."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(a % ndim for a in (axis if isinstance(axis, tuple | list) else (axis,)))


def restore_axes(value: Array, shape: Shape, axis: Axis, keepdims: bool) -> Array:
    """A reduced value with its reduced axes back, of length 1, so that it fits `shape`."""
    if keepdims or not shape:
        return value
    if axis is None:
        return value.reshape((1,) * len(shape))
    reduced = normalize_axes(axis, len(shape))
    return value.reshape(tuple(1 if i in reduced else n for i, n in enumerate(shape)))


def count(shape: Shape, axis: Axis) -> int:
    """How many elements one reduced value comes from."""
    return math.prod(shape[a] for a in normalize_axes(axis, len(shape)))


def sum_rule(grad: Array, x_shape: Shape, axis: Axis, keepdims: bool) -> Array:
    """Each element has the gradient of the sum it went into."""
    return broadcast_to(restore_axes(grad, x_shape, axis, keepdims), x_shape)


def mean_rule(grad: Array, x_shape: Shape, axis: Axis, keepdims: bool) -> Array:
    """Each element has its share, one over the count."""
    return sum_rule(grad / count(x_shape, axis), x_shape, axis, keepdims)


def extreme_rule(grad: Array, out: Array, x: Array, axis: Axis, keepdims: bool) -> Array:
    """The elements that equal the extreme share its gradient equally."""
    hit = (x == restore_axes(out, x.shape, axis, keepdims)).astype(grad.dtype)
    share = hit / hit.sum(axis=axis, keepdims=True)
    return restore_axes(grad, x.shape, axis, keepdims) * share


def var_rule(grad: Array, x: Array, axis: Axis, keepdims: bool, ddof: int) -> Array:
    """d var / d x_i = 2 (x_i - mean)* / (n - ddof)."""
    grad = restore_axes(real_part(grad), x.shape, axis, keepdims)
    freedom = count(x.shape, axis) - ddof
    apart = conj(x - x.mean(axis=axis, keepdims=True))
    return grad * apart * (2 / freedom if freedom else math.inf)


def std_rule(grad: Array, out: Array, x: Array, axis: Axis, keepdims: bool, ddof: int) -> Array:
    """d std / d x_i = (x_i - mean)* / ((n - ddof) std), and 0 where the spread is 0."""
    spread = np.where(out == 0, 1, out)
    return var_rule(grad / (2 * spread), x, axis, keepdims, ddof)


def prod_rule(grad: Array, out: Array, x: Array, axis: Axis, keepdims: bool) -> Array:
    """The product of the others, also where an element is 0."""
    grad = restore_axes(grad, x.shape, axis, keepdims)
    if not np.any(x == 0):
        return grad * restore_axes(out, x.shape, axis, keepdims) / x
    axes = normalize_axes(axis, x.ndim)
    others = [a for a in range(x.ndim) if a not in axes]
    order = [*others, *axes]
    flat = np.transpose(x, order).reshape((*(x.shape[a] for a in others), -1))
    products = _before(flat) * _before(flat[..., ::-1])[..., ::-1]
    restored = products.reshape(tuple(x.shape[a] for a in order))
    return grad * np.transpose(restored, tuple(order.index(a) for a in range(x.ndim)))


def _before(x: Array) -> Array:
    """For each element the product of those before it on the last axis, in log(n) steps."""
    length = x.shape[-1]
    product = _shifted(x, 1)
    step = 1
    while step < length:
        product = product * _shifted(product, step)
        step *= 2
    return product


def _shifted(x: Array, by: int) -> Array:
    ones = np.ones((*x.shape[:-1], by), dtype=x.dtype)
    return np.concatenate([ones, x[..., :-by]], axis=-1)


family.rule("sum", sum_rule)
family.rule("mean", mean_rule)
family.rule("max", extreme_rule)
family.rule("min", extreme_rule)
family.rule("var", var_rule)
family.rule("std", std_rule)
family.rule("prod", prod_rule)
family.not_differentiable("argmax", "argmin")
