"""Functions that only move elements: where each comes from tells where its gradient goes.

The common ones are views, made by indexing. The others are applied to the places of the elements,
and the result indexes the elements themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd.rules.axes import checked_axes
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.statistics import array

Array = Any

family = Family()


class Places:
    """The elements of some arrays in one row, and the place of each in it.

    The row begins with a 0, for functions that fill up with zeros.
    """

    def __init__(self, dtype: Any = None) -> None:
        self.dtype = dtype
        self.parts: list[Array] = []
        self.size = 1

    def of(self, value: Any) -> Any:
        """The places of the elements of an array, or of arrays in nested lists."""
        if isinstance(value, list | tuple) and any(isinstance(v, Tensor) for v in leaves(value)):
            return type(value)(self.of(v) for v in value)
        x = array(value)
        x = x if self.dtype is None else np.astype(x, self.dtype)
        places = np.arange(self.size, self.size + x.size).reshape(x.shape)
        self.parts.append(x.reshape(-1))
        self.size += x.size
        return places

    def fetch(self, places: Any) -> Array:
        """The elements at some places."""
        first = self.parts[0]
        row = np.concatenate([np.zeros(1, first.dtype), *self.parts])
        if isinstance(places, list | tuple):
            return type(places)(row[p] for p in places)
        return row[places]


def leaves(value: Any) -> list[Any]:
    """What is in nested lists and tuples."""
    if isinstance(value, list | tuple):
        return [leaf for v in value for leaf in leaves(v)]
    return [value]


def moves(*functions: Callable[..., Any]) -> None:
    """NumPy functions that move the elements of their first argument, an array or several."""
    for function in functions:
        family.composed(function)(_moved(function))


def _moved(function: Callable[..., Any]) -> Callable[..., Any]:
    def moved(x: Any, *args: Any, **options: Any) -> Array:
        """The elements, moved as the function moves their places."""
        row = Places()
        return row.fetch(function(row.of(x), *args, **options))

    return moved


# Of one array; `reshape` and `ravel` with another order than that of rows.
moves(np.reshape, np.ravel)
moves(np.tile, np.repeat, np.rot90, np.delete, np.resize, np.roll)
moves(np.tril, np.triu, np.diag, np.diagflat, np.take_along_axis)
# Of several.
moves(np.block)


@family.composed(np.moveaxis)
def moveaxis(a: Array, source: Any, destination: Any) -> Array:
    """Some axes at other places, the others in order."""
    axes = np.moveaxis(_shaped_like(a), source, destination)
    return np.transpose(a, _order(axes))


@family.composed(np.rollaxis)
def rollaxis(a: Array, axis: int, start: int = 0) -> Array:
    """One axis before another."""
    return np.transpose(a, _order(np.rollaxis(_shaped_like(a), axis, start)))


@family.composed(np.atleast_1d)
def atleast_1d(*arys: Array) -> Any:
    """One axis for what has none."""
    return _each(arys, lambda x: x if x.shape else x.reshape(1))


@family.composed(np.atleast_2d)
def atleast_2d(*arys: Array) -> Any:
    """New axes in front."""
    return _each(arys, lambda x: x if len(x.shape) > 1 else x.reshape(1, -1))


@family.composed(np.atleast_3d)
def atleast_3d(*arys: Array) -> Any:
    """New axes around a row, and after a matrix."""
    return _each(arys, lambda x: x.reshape(np.atleast_3d(_shaped_like(x)).shape))


def _each(arrays: Sequence[Any], function: Callable[[Array], Array]) -> Any:
    made = tuple(function(array(x)) for x in arrays)
    return made[0] if len(made) == 1 else made


def _shaped_like(x: Array) -> Any:
    """An array of this shape that takes no memory; its strides number the axes."""
    numbered = tuple(range(1, len(x.shape) + 1))
    return np.lib.stride_tricks.as_strided(np.empty(1, np.int8), x.shape, numbered, writeable=False)


def _order(view: Any) -> list[int]:
    return [stride - 1 for stride in view.strides]


@family.composed(np.flip)
def flip(m: Array, axis: Any = None) -> Array:
    """In reverse order along some axes."""
    axes = checked_axes(axis, len(m.shape))
    backwards = slice(None, None, -1)
    return m[tuple(backwards if i in axes else slice(None) for i in range(len(m.shape)))]


@family.composed(np.fliplr)
def fliplr(m: Array) -> Array:
    """In reverse order along the second axis."""
    return m[:, ::-1]


@family.composed(np.flipud)
def flipud(m: Array) -> Array:
    """In reverse order along the first axis."""
    return m[::-1]


@family.composed(np.broadcast_arrays)
def broadcast_arrays(*args: Array, subok: bool = False) -> tuple[Array, ...]:
    """Each array repeated to the shape that they have together."""
    arrays = [array(x) for x in args]
    shape = np.broadcast_shapes(*(x.shape for x in arrays))
    return tuple(np.broadcast_to(x, shape) for x in arrays)


@family.composed(np.meshgrid)
def meshgrid(
    *xi: Array, copy: bool = True, sparse: bool = False, indexing: Any = "xy"
) -> tuple[Array, ...]:
    """The coordinates of a grid, each vector repeated along the axes of the others."""
    rows = [Places() for _ in xi]
    places = [row.of(x) for row, x in zip(rows, xi, strict=True)]
    grids = np.meshgrid(*places, sparse=sparse, indexing=indexing)
    return tuple(row.fetch(grid) for row, grid in zip(rows, grids, strict=True))


@family.composed(np.insert)
def insert(arr: Array, obj: Any, values: Any, axis: int | None = None) -> Array:
    """The elements of `values` before those that `obj` tells, in the dtype of `arr`."""
    row = Places(array(arr).dtype)
    return row.fetch(np.insert(row.of(arr), obj, row.of(values), axis))


@family.composed(np.diagonal)
def diagonal(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The elements whose indices on two axes differ by `offset`."""
    row = Places()
    return row.fetch(np.diagonal(row.of(a), offset, axis1, axis2))


@family.composed(np.trace)
def trace(
    a: Array,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    dtype: Any = None,
    out: None = None,
) -> Array:
    """The sum of the diagonal."""
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)
