"""Functions that select elements by index or condition, or apply a function to parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core.extend import from_array, unwrap

from tinytorch_autograd.rules.arrays import as_array
from tinytorch_autograd.rules.axes import normalize_axes, whole_axes_before
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.rearranging import Positions
from tinytorch_autograd.rules.shapes import scatter_add

Array = Any

family = Family()


@family.composed(np.take)
def take(
    a: Array, indices: Any, axis: int | None = None, out: None = None, mode: Any = "raise"
) -> Array:
    """Return the elements, or the slices along an axis, at the indices."""
    indices = as_array(unwrap(indices))
    if not indices.size:
        indices = indices.astype(int)  # an empty list is an array of floats
    if axis is None or mode != "raise" or not a.size or not a.shape:
        positions = Positions()
        return positions.take(np.take(positions.of(a), indices, axis, mode=mode))
    return a[(*whole_axes_before(axis, len(a.shape)), indices)]


@family.composed(np.compress)
def compress(condition: Any, a: Array, axis: int | None = None, out: None = None) -> Array:
    """Return the elements, or the slices along an axis, where the condition is true."""
    if np.ndim(unwrap(condition)) != 1:
        return NotImplemented  # NumPy raises its own error
    return take(a, np.flatnonzero(unwrap(condition)), axis)


@family.composed(np.extract)
def extract(condition: Any, arr: Array) -> Array:
    """Return the elements where the condition is true."""
    return arr.reshape(-1)[np.flatnonzero(unwrap(condition))]


@family.composed(np.trim_zeros)
def trim_zeros(filt: Array, trim: str = "fb", axis: Any = None) -> Array:
    """Return the elements without the zeros at the ends."""
    found = np.argwhere(unwrap(filt))
    if not found.size or not set(trim.lower()) <= set("fb"):
        return NotImplemented
    axes = normalize_axes(axis, len(filt.shape))
    part = [slice(None)] * len(filt.shape)
    for i in axes:
        start = int(np.min(found[:, i])) if "f" in trim.lower() else None
        stop = int(np.max(found[:, i])) + 1 if "b" in trim.lower() else None
        part[i] = slice(start, stop)
    return filt[tuple(part)]


@family.composed(np.choose)
def choose(a: Any, choices: Sequence[Any], out: None = None, mode: Any = "raise") -> Array:
    """Return for each index the element of the array with that index."""
    arrays = [as_array(c) for c in (choices if isinstance(choices, list | tuple) else [*choices])]
    stacked = np.stack(np.broadcast_arrays(*arrays, subok=False))
    positions = Positions()
    return positions.take(np.choose(unwrap(a), list(positions.of(stacked)), mode=mode))


@family.composed(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Array:
    """Return elements of the first array whose condition is true; the others get gradient 0."""
    if not condlist:
        return NotImplemented  # NumPy raises its own error
    selected = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        selected = np.where(unwrap(condition), choice, selected)
    return selected


@family.composed(np.piecewise)
def piecewise(x: Array, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Array:
    """Return for each element the function of the last condition that is true there."""
    conditions = list(np.asarray([unwrap(as_array(c)) for c in _as_list(condlist, x)], bool))
    if len(funclist) - len(conditions) not in (0, 1):
        return NotImplemented  # NumPy raises its own error
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    result: Any = np.zeros(x.shape, x.dtype)
    for condition, function in zip(conditions, funclist, strict=True):
        part = x[condition]  # a condition may have fewer axes than x
        if not part.size:
            continue
        value = as_array(function(part, *args, **kw) if callable(function) else function)
        value = np.broadcast_to(np.astype(value, x.dtype), part.shape)
        selected = np.zeros(x.shape, bool)
        selected[condition] = True
        result = np.where(selected, scatter_add(value, condition, x.shape), result)
    return result


def _as_list(conditions: Any, x: Array) -> list[Any]:
    """Return the conditions as a list, from a list, an array of several, or a single one."""
    several = isinstance(conditions, list | tuple) or np.ndim(unwrap(conditions)) > len(x.shape)
    if isinstance(conditions, list | tuple) and isinstance(unwrap(conditions[0]), bool | np.bool_):
        several = not x.shape
    return list(conditions) if several else [conditions]


@family.composed(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Array, *args: Any, **kwargs: Any
) -> Array:
    """Return the results of a function of tensors for each vector along an axis."""
    if not arr.size:
        return NotImplemented
    vectors = np.moveaxis(arr, axis, -1)
    outer = vectors.shape[:-1]
    results = [
        as_array(func1d(vector, *args, **kwargs))
        for vector in vectors.reshape(-1, vectors.shape[-1])
    ]
    found = np.stack(results).reshape(outer + results[0].shape)
    inner = len(results[0].shape)
    (start,) = normalize_axes(axis, len(arr.shape))
    new_axes = range(len(outer), len(outer) + inner)
    return np.moveaxis(found, list(new_axes), list(range(start, start + inner)))


@family.composed(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Array, axes: Any) -> Array:
    """Return the result of a reduction over one axis after the other, all of which stay."""
    ndim = len(a.shape)
    for axis in np.atleast_1d(np.asarray(axes, int)).tolist():
        axis = axis + ndim if axis < 0 else axis
        reduced = func(a, axis)
        a = reduced if len(reduced.shape) == ndim else np.expand_dims(reduced, axis)
        if len(a.shape) != ndim:
            return NotImplemented  # NumPy raises its own error
    return a


@family.composed(np.union1d)
def union1d(ar1: Array, ar2: Array) -> Array:
    """Return each value of two arrays once, sorted; equal elements share its gradient equally."""
    return np.unique(np.append(ar1, ar2))


@family.composed(np.unique)
def unique(
    ar: Array,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """Return each value once, sorted; equal elements share its gradient equally."""
    found = np.unique(unwrap(ar), True, True, True, axis, equal_nan=equal_nan)
    indices = zip((return_index, return_inverse, return_counts), found[1:], strict=True)
    wanted = [from_array(type(ar), each) for is_wanted, each in indices if is_wanted]
    values = _distinct(ar, found[0], found[2], found[3], axis)
    return (values, *wanted) if wanted else values


def _distinct(x: Array, values: Any, inverse: Any, counts: Any, axis: int | None) -> Array:
    """Return `values`, of which each is the mean of the equal elements, or slices along an axis."""
    rows = x.reshape(-1) if axis is None else np.moveaxis(x, axis, 0)
    inverse = inverse.reshape(-1)
    numbers = counts.astype(x.dtype)[inverse].reshape(-1, *[1] * (len(rows.shape) - 1))
    # Complex infinities divided by a number are NaN.
    shares = np.where(np.isfinite(unwrap(rows)), rows / numbers, rows)
    means = scatter_add(shares, inverse, (len(counts), *rows.shape[1:]))
    exact = np.moveaxis(values, axis or 0, 0)
    # The mean may be rounded, so it contributes only its derivative.
    is_finite = np.isfinite(exact)
    finite = np.where(is_finite, means, 0)
    found = np.where(is_finite, exact - (unwrap(finite) - finite), means)
    return np.moveaxis(found, 0, axis or 0)


@family.composed(np.unique_values)
def unique_values(x: Array, /) -> Array:
    """Return each value once; equal elements share its gradient equally."""
    found = unique(x, equal_nan=False)
    order = np.argsort(np.unique_values(unwrap(x)), kind="stable")  # NumPy may not sort them
    return found[np.argsort(order)]


def _register(function: Callable[..., Any]) -> None:
    def unique_and_more(x: Array, /) -> Any:
        """Return what `unique` returns; equal elements share the gradient of a value equally."""
        found = function(unwrap(x))
        values, _, inverse, counts = np.unique(unwrap(x), True, True, True, equal_nan=False)
        others = {name: from_array(type(x), each) for name, each in found._asdict().items()}
        return type(found)(**others | {"values": _distinct(x, values, inverse, counts, None)})

    family.composed(function)(unique_and_more)


for _function in (np.unique_all, np.unique_counts, np.unique_inverse):
    _register(_function)
