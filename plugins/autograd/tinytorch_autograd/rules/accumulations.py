"""Running sums and products."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_autograd.rules.axes import before
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.ufuncs import converted

Array = Any

family = Family()

# `cumulative_sum` and `cumulative_prod` are there since NumPy 2.1.


def cumsum_rule(grad: Array, x_shape: tuple[int, ...], x_dtype: Any, axis: int | None) -> Array:
    """Each element goes into the sums from its own on, and so gets Σ of the gradients there."""
    grad = grad if grad.dtype == x_dtype else np.astype(grad, x_dtype)
    along = 0 if axis is None else axis
    return np.flip(np.cumsum(np.flip(grad, along), axis=along), along).reshape(x_shape)


family.function(
    "cumsum",
    np.cumsum,
    cumsum_rule,
    forward=lambda x, axis=None, dtype=None: np.cumsum(x, axis, dtype),
)


@family.composed(np.cumprod)
def cumprod(a: Array, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
    """Y_i = x_1 ... x_i, as log(n) products of shifted elements, also where one is 0."""
    return scanned(np.multiply, a if dtype is None else converted(a, dtype), axis)


@family.composed(*(getattr(np, name) for name in ("cumulative_sum",) if hasattr(np, name)))
def cumulative_sum(
    x: Array,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: None = None,
    include_initial: bool = False,
) -> Array:
    """`cumsum`, beginning with 0 if that is wanted."""
    return _with_initial(np.add, x, axis, dtype, include_initial)


@family.composed(*(getattr(np, name) for name in ("cumulative_prod",) if hasattr(np, name)))
def cumulative_prod(
    x: Array,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: None = None,
    include_initial: bool = False,
) -> Array:
    """`cumprod`, beginning with 1 if that is wanted."""
    return _with_initial(np.multiply, x, axis, dtype, include_initial)


def _with_initial(ufunc: Any, x: Array, axis: int | None, dtype: Any, include: bool) -> Array:
    if axis is None and len(x.shape) > 1:
        return NotImplemented  # as NumPy refuses it
    scan: Any = np.cumsum if ufunc is np.add else np.cumprod
    made = scan(x, axis=axis, dtype=dtype)
    if not include:
        return made
    shape = list(x.shape or (1,))
    shape[axis or 0] = 1
    return np.concatenate([np.full(shape, ufunc.identity, made.dtype), made], axis=axis or 0)


def scanned(ufunc: Any, x: Array, axis: int | None) -> Array:
    """The ufunc of all elements up to each, by Hillis and Steele's scan (1986)."""
    if axis is None or not x.shape:
        x, axis = x.reshape(-1), 0
    step, length = 1, x.shape[axis]
    others = before(axis, len(x.shape))
    while step < length:
        head, tail = x[(*others, slice(step))], x[(*others, slice(step, None))]
        joined = ufunc(tail, x[(*others, slice(-step))])
        x = np.concatenate([head, joined], axis=axis)
        step *= 2
    return x
