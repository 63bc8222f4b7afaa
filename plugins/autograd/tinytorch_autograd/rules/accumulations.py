"""Cumulative sums and products."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from tinytorch_autograd.complex_numbers import cast
from tinytorch_autograd.rules.arrays import as_array
from tinytorch_autograd.rules.axes import whole_axes_before
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def cumsum_rule(grad: Array, x_shape: tuple[int, ...], x_dtype: Any, axis: int | None) -> Array:
    """y_i = x_0 + ... + x_i: the gradient of x_i is grad_i + grad_(i+1) + ..."""
    grad = grad if grad.dtype == x_dtype else cast(grad, x_dtype)
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
    """Return y_i = x_0 x_1 ... x_i, exact where an element is 0."""
    return scan(np.multiply, as_array(a, dtype), axis)


@family.composed(np.cumulative_sum)
def cumulative_sum(
    x: Array,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: None = None,
    include_initial: bool = False,
) -> Array:
    """Return `cumsum`, with a leading 0 if `include_initial` is True."""
    return _with_initial(np.add, x, axis, dtype, include_initial)


@family.composed(np.cumulative_prod)
def cumulative_prod(
    x: Array,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: None = None,
    include_initial: bool = False,
) -> Array:
    """Return `cumprod`, with a leading 1 if `include_initial` is True."""
    return _with_initial(np.multiply, x, axis, dtype, include_initial)


def _with_initial(ufunc: Any, x: Array, axis: int | None, dtype: Any, include: bool) -> Array:
    if axis is None and len(x.shape) > 1:
        return NotImplemented  # NumPy raises its own error
    function: Any = np.cumsum if ufunc is np.add else np.cumprod
    found = function(x, axis=axis, dtype=dtype)
    if not include:
        return found
    shape = list(x.shape or (1,))
    shape[axis or 0] = 1
    return np.concatenate([np.full(shape, ufunc.identity, found.dtype), found], axis=axis or 0)


def scan(ufunc: Any, x: Array, axis: int | None) -> Array:
    """Return the ufunc of all elements up to each one, in log(n) steps.

    W. Hillis and G. Steele, "Data parallel algorithms" (1986).
    """
    if axis is None or not x.shape:
        x, axis = x.reshape(-1), axis or 0
    axis = normalize_axis_index(axis, len(x.shape))
    step, length = 1, x.shape[axis]
    others = whole_axes_before(axis, len(x.shape))
    while step < length:
        head, tail = x[(*others, slice(step))], x[(*others, slice(step, None))]
        joined = ufunc(tail, x[(*others, slice(-step))])
        x = np.concatenate([head, joined], axis=axis)
        step *= 2
    return x
