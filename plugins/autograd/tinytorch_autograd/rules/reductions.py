"""Reductions over axes: sum, mean, prod, max, min, var and std."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.complex_numbers import conj, real_part
from tinytorch_autograd.rules.arithmetic import nowhere
from tinytorch_autograd.rules.axes import Axis, normalize_axes
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.shapes import broadcast_to

Array = Any
Shape = tuple[int, ...]

family = Family()


def restore_axes(value: Array, shape: Shape, axis: Axis, keepdims: bool) -> Array:
    """Return a reduced value with its reduced axes restored, so that it broadcasts to `shape`."""
    if keepdims or not shape:
        return value
    if axis is None:
        return value.reshape((1,) * len(shape))
    reduced = normalize_axes(axis, len(shape))
    return value.reshape(tuple(1 if i in reduced else n for i, n in enumerate(shape)))


def count(shape: Shape, axis: Axis) -> int:
    """Return the number of elements that are reduced to one."""
    if not shape:
        return 1  # NumPy accepts the axes 0 and -1 of a number
    return math.prod(shape[a] for a in normalize_axes(axis, len(shape)))


def sum_rule(grad: Array, x_shape: Shape, axis: Axis, keepdims: bool) -> Array:
    """Each element gets the gradient of its sum."""
    return broadcast_to(restore_axes(grad, x_shape, axis, keepdims), x_shape)


def mean_rule(grad: Array, x_shape: Shape, axis: Axis, keepdims: bool) -> Array:
    """Each element gets grad / n."""
    return sum_rule(grad / count(x_shape, axis), x_shape, axis, keepdims)


def extreme_rule(grad: Array, out: Array, x: Array, axis: Axis, keepdims: bool) -> Array:
    """The elements that equal the extreme share its gradient equally; the others get 0."""
    hit = (x == restore_axes(out, x.shape, axis, keepdims)).astype(grad.dtype)
    share = hit / hit.sum(axis=axis, keepdims=True)
    return restore_axes(grad, x.shape, axis, keepdims) * share


def var_rule(grad: Array, x: Array, axis: Axis, keepdims: bool, ddof: int) -> Array:
    """2 grad (x_i - mean)* / (n - ddof)."""
    grad = restore_axes(real_part(grad), x.shape, axis, keepdims)
    freedom = max(count(x.shape, axis) - ddof, 0)
    deviations = conj(x - x.mean(axis=axis, keepdims=True))
    return grad * deviations * (2 / freedom if freedom else math.inf)


def std_rule(grad: Array, out: Array, x: Array, axis: Axis, keepdims: bool, ddof: int) -> Array:
    """grad (x_i - mean)* / ((n - ddof) std), and 0 where std is 0."""
    divisor = np.where(out == 0, 1, out)
    return var_rule(grad / (2 * divisor), x, axis, keepdims, ddof)


def prod_rule(grad: Array, out: Array, x: Array, axis: Axis, keepdims: bool) -> Array:
    """grad times the product of the other elements, exact where an element is 0."""
    grad = restore_axes(grad, x.shape, axis, keepdims)
    if not x.shape:
        return grad
    if nowhere(unwrap(x == 0)):
        return grad * restore_axes(out, x.shape, axis, keepdims) / x
    axes = normalize_axes(axis, x.ndim)
    others = [a for a in range(x.ndim) if a not in axes]
    order = [*others, *axes]
    rows = np.transpose(x, order).reshape((*(x.shape[a] for a in others), -1))
    products = _product_before(rows) * _product_before(rows[..., ::-1])[..., ::-1]
    restored = products.reshape(tuple(x.shape[a] for a in order))
    return grad * np.transpose(restored, tuple(order.index(a) for a in range(x.ndim)))


def _product_before(x: Array) -> Array:
    """Return for each element the product of those before it on the last axis, in log(n) steps."""
    length = x.shape[-1]
    product = _shift(x, 1)
    step = 1
    while step < length:
        product = product * _shift(product, step)
        step *= 2
    return product


def _shift(x: Array, by: int) -> Array:
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
