"""Functions that copy an array or create a new one from numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.arithmetic import somewhere
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
    shape = a.shape if shape is None else (shape,) if isinstance(shape, int) else shape
    filled = as_array(fill_value)
    while len(filled.shape) > len(shape) and filled.shape[0] == 1:
        filled = filled[0]  # NumPy accepts further axes of length 1
    filled = np.broadcast_to(filled, shape)
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
    if dtype is not None or num < 0:
        return NotImplemented
    start, stop = as_array(start), as_array(stop)
    wide = np.result_type(start.dtype, stop.dtype, 1.0)
    parts = num - 1 if endpoint else num
    difference = np.astype(stop - start, wide)
    i = np.arange(num).reshape((-1,) + (1,) * len(difference.shape)).astype(wide)
    step = difference / parts if parts > 0 else difference
    numbers = start + i * step
    if endpoint and num > 1:
        last = np.broadcast_to(np.astype(stop, wide), difference.shape)
        numbers = np.concatenate([numbers[:-1], last[None]])
    numbers = np.moveaxis(numbers, 0, axis)
    return (numbers, step if parts > 0 else math.nan) if retstep else numbers


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
    return as_array(base ** np.linspace(start, stop, num, endpoint, axis=axis), dtype)


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
    if somewhere(unwrap(start) == 0) or somewhere(unwrap(stop) == 0):
        return NotImplemented  # NumPy raises its own error
    sign = np.sign(start)
    start, stop = start / sign, stop / sign
    numbers = np.logspace(np.log10(start), np.log10(stop), num, endpoint)
    whole = np.broadcast_to(stop, numbers.shape[1:])[None]
    ends = [whole] if endpoint and num > 1 else []
    first = np.broadcast_to(start, numbers.shape[1:])[None]
    numbers = np.concatenate([first[:num], numbers[1 : num - len(ends)], *ends])
    return np.moveaxis(numbers * sign, 0, axis)


@family.composed(np.bincount)
def bincount(x: Any, /, weights: Array = None, minlength: int = 0) -> Array:
    """Return for each n the sum of the weights w_i where x_i = n."""
    index, weights = np.asarray(unwrap(x)), as_array(weights)
    if index.ndim != 1 or index.shape != weights.shape or not index.size or (index < 0).any():
        return NotImplemented
    if minlength < 0 or not np.can_cast(index.dtype, int) or weights.dtype.kind == "c":
        return NotImplemented  # NumPy raises its own error
    size = max(int(index.max(initial=-1)) + 1, minlength)
    return scatter_add(np.astype(weights, np.float64), index, (size,))
