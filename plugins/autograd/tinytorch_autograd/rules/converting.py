"""Functions that copy an array or create a new one from numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.arrays import as_array
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.shapes import scatter_add

Array = Any

family = Family()


@family.composed(np.copy)
def copy(a: Array, order: str = "K", subok: bool = False) -> Array:
    """Return a copy."""
    return a.copy()


@family.composed(np.astype)
def astype(x: Array, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    """Return the elements in another dtype; the gradient has the dtype of the input."""
    return np.astype(x, dtype)


@family.composed(np.full_like)
def full_like(
    a: Array,
    fill_value: Array,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
) -> Array:
    """Return the fill value in each element; the derivative by the array `a` is 0."""
    filled = np.broadcast_to(as_array(fill_value), a.shape if shape is None else shape)
    return np.astype(filled, a.dtype if dtype is None else np.dtype(dtype)).copy()


@family.composed(np.full)
def full(
    shape: Any, fill_value: Array, dtype: Any = None, order: str = "C", *, device: Any = None
) -> Array:
    """Return the fill value in each element; `like=` must be a Tensor."""
    return np.broadcast_to(as_array(fill_value, dtype), shape).copy()


@family.composed(np.arange)
def arange(
    start: Array, stop: Any = None, step: Array = 1, dtype: Any = None, *, device: Any = None
) -> Array:
    """Return start + i step, for i from 0; `like=` must be a Tensor.

    The derivative by the end is 0.
    """
    start, stop = (0, start) if stop is None else (start, stop)
    values = np.arange(*map(unwrap, (start, stop, step)), dtype=dtype)
    return np.astype(start + np.arange(len(values)) * step, values.dtype)


@family.composed(np.linspace)
def linspace(
    start: Array,
    stop: Array,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return start + i (stop - start) / (n - 1), for i from 0."""
    if dtype is not None:
        return NotImplemented
    start, stop = as_array(start), as_array(stop)
    wide = np.result_type(start.dtype, stop.dtype, 1.0)
    parts = num - 1 if endpoint else num
    shape = np.broadcast_shapes(start.shape, stop.shape)
    i = (np.arange(num) / max(parts, 1)).reshape((num,) + (1,) * len(shape)).astype(wide)
    numbers = np.moveaxis(start * (1 - i) + stop * i, 0, axis)
    return (numbers, (stop - start) / parts) if retstep else numbers


@family.composed(np.logspace)
def logspace(
    start: Array,
    stop: Array,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return the base to the powers of `linspace`."""
    if len(np.shape(base)):
        return NotImplemented
    return base ** np.linspace(start, stop, num, endpoint, dtype=dtype, axis=axis)


@family.composed(np.geomspace)
def geomspace(
    start: Array,
    stop: Array,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return start (stop / start)^(i / (n - 1)), for i from 0."""
    if dtype is not None:
        return NotImplemented
    start, stop = (
        np.astype(v, np.result_type(v.dtype, float)) for v in map(as_array, (start, stop))
    )
    ratio = stop / start
    parts = np.linspace(0, np.ones(ratio.shape), num, endpoint)
    return np.moveaxis(start * ratio**parts, 0, axis)


@family.composed(np.bincount)
def bincount(x: Any, /, weights: Array = None, minlength: int = 0) -> Array:
    """Return for each n the sum of the weights w_i where x_i = n."""
    index = np.asarray(unwrap(x))
    size = max(int(index.max(initial=-1)) + 1, minlength)
    return scatter_add(np.astype(weights, np.float64), index, (size,))
