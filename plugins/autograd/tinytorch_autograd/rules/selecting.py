"""Functions that select elements by indices, masks or conditions, or apply others to parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core.tensor import plain

from tinytorch_autograd.rules.axes import before, checked_axes
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.moving import Places
from tinytorch_autograd.rules.shapes import scatter_add
from tinytorch_autograd.rules.statistics import array

Array = Any

family = Family()


@family.composed(np.take)
def take(
    a: Array, indices: Any, axis: int | None = None, out: None = None, mode: Any = "raise"
) -> Array:
    """The elements, or layers along an axis, of these numbers."""
    if axis is None or mode != "raise":
        row = Places()
        return row.fetch(np.take(row.of(a), plain(indices), axis, mode=mode))
    return a[(*before(axis, len(a.shape)), np.asarray(plain(indices)))]


@family.composed(np.compress)
def compress(condition: Any, a: Array, axis: int | None = None, out: None = None) -> Array:
    """The elements, or layers along an axis, where the condition holds."""
    return take(a, np.flatnonzero(plain(condition)), axis)


@family.composed(np.extract)
def extract(condition: Any, arr: Array) -> Array:
    """The elements where the condition holds."""
    return arr.reshape(-1)[np.flatnonzero(plain(condition))]


@family.composed(np.trim_zeros)
def trim_zeros(filt: Array, trim: str = "fb", axis: Any = None) -> Array:
    """Without the zeros at the ends."""
    found = np.argwhere(plain(filt))
    if not found.size:
        return NotImplemented
    axes = checked_axes(axis, len(filt.shape))
    part = [slice(None)] * len(filt.shape)
    for i in axes:
        start = int(np.min(found[:, i])) if "f" in trim.lower() else None
        stop = int(np.max(found[:, i])) + 1 if "b" in trim.lower() else None
        part[i] = slice(start, stop)
    return filt[tuple(part)]


@family.composed(np.choose)
def choose(a: Any, choices: Sequence[Any], out: None = None, mode: Any = "raise") -> Array:
    """For each index the element of the array of that number."""
    arrays = [array(c) for c in (choices if isinstance(choices, list | tuple) else [*choices])]
    layers = np.stack(np.broadcast_arrays(*arrays, subok=False))
    row = Places()
    return row.fetch(np.choose(plain(a), list(row.of(layers)), mode=mode))


@family.composed(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Array:
    """From the first array whose condition holds; the others have the gradient 0."""
    if not condlist:
        return NotImplemented  # which NumPy refuses, and explains
    made = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        made = np.where(plain(condition), choice, made)
    return made


@family.composed(np.piecewise)
def piecewise(x: Array, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Array:
    """To each part of the elements its own function; where several hold, the last one's."""
    conditions = [np.broadcast_to(plain(array(c)), x.shape) for c in _listed(condlist, x)]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    made: Any = np.zeros(x.shape, x.dtype)
    for condition, function in zip(conditions, funclist, strict=True):
        value = function(x[condition], *args, **kw) if callable(function) else function
        if hasattr(value, "shape") and value.shape:
            value = scatter_add(value, condition, x.shape)
        made = np.where(condition, np.astype(array(value), x.dtype), made)
    return made


def _listed(conditions: Any, x: Array) -> list[Any]:
    """The conditions as a list, also if it is one alone."""
    several = isinstance(conditions, list | tuple) or np.ndim(plain(conditions)) > len(x.shape)
    if isinstance(conditions, list | tuple) and isinstance(plain(conditions[0]), bool | np.bool_):
        several = not x.shape
    return list(conditions) if several else [conditions]


@family.composed(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Array, *args: Any, **kwargs: Any
) -> Array:
    """A function of tensors applied to each row along an axis."""
    rows = np.moveaxis(arr, axis, -1)
    outer = rows.shape[:-1]
    made = [array(func1d(row, *args, **kwargs)) for row in rows.reshape(-1, rows.shape[-1])]
    if not made:
        return NotImplemented
    found = np.stack(made).reshape(outer + made[0].shape)
    inner = len(made[0].shape)
    places = range(len(outer), len(outer) + inner)
    start = len(before(axis, len(arr.shape)))
    return np.moveaxis(found, list(places), list(range(start, start + inner)))


@family.composed(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Array, axes: Any) -> Array:
    """A reduction over one axis after the other, which all stay."""
    for axis in checked_axes(axes, len(a.shape)):
        made = func(a, axis)
        a = made if len(made.shape) == len(a.shape) else np.expand_dims(made, axis)
    return a


@family.composed(np.unique_values)
def unique_values(x: Array, /) -> Array:
    """Each value once, in order; equal elements share its gradient equally."""
    return unique(x)


@family.composed(np.union1d)
def union1d(ar1: Array, ar2: Array) -> Array:
    """Each value of two arrays once, in order; equal elements share its gradient equally."""
    return np.unique(np.append(ar1, ar2))


@family.composed(np.unique)
def unique(ar: Array, *, axis: None = None, equal_nan: bool = True, sorted: bool = True) -> Array:
    """Each value once, in order; equal elements share its gradient equally."""
    ordered = np.sort(ar.reshape(-1))
    values = plain(ordered)
    new = np.ones(values.shape, bool)
    new[1:] = values[1:] != values[:-1]
    if equal_nan:
        new[1:] &= ~(np.isnan(values[1:]) & np.isnan(values[:-1]))
    group = np.cumsum(new) - 1
    return scatter_add(ordered, group, (int(new.sum()),)) / np.bincount(group).astype(values.dtype)
