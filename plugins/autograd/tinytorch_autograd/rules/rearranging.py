"""Functions that only move elements.

The common ones are basic indexing or transpositions. Any other is applied to the positions of the
elements instead of the elements, and the resulting positions index the elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd.rules.arrays import as_array
from tinytorch_autograd.rules.axes import normalize_axes
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.tree import leaves

Array = Any

family = Family()


class Positions:
    """The elements of arrays in one vector, and the position of each element in the vector.

    Position 0 holds a 0, because functions such as np.tril fill with zeros.
    """

    def __init__(self, dtype: Any = None) -> None:
        self.dtype = dtype
        self.parts: list[Array] = []
        self.size = 1

    def of(self, value: Any) -> Any:
        """Return an array of the positions of an array's elements; nested lists stay lists."""
        if isinstance(value, list | tuple) and any(isinstance(v, Tensor) for v in leaves(value)):
            return type(value)(self.of(v) for v in value)
        x = as_array(value)
        x = x if self.dtype is None else np.astype(x, self.dtype)
        positions = np.arange(self.size, self.size + x.size).reshape(x.shape)
        self.parts.append(x.reshape(-1))
        self.size += x.size
        return positions

    def take(self, positions: Any) -> Array:
        """Return the elements at positions, an array of them or a list or tuple of arrays."""
        first = self.parts[0]
        elements = np.concatenate([np.zeros(1, first.dtype), *self.parts])
        if isinstance(positions, list | tuple):
            return type(positions)(elements[p] for p in positions)
        return elements[positions]


def _rearrange(function: Callable[..., Any]) -> Callable[..., Any]:
    def rearranged(x: Any, *args: Any, **options: Any) -> Array:
        """Return the rearranged elements; each gets the sum of the gradients at its positions."""
        positions = Positions()
        return positions.take(function(positions.of(x), *args, **options))

    return rearranged


# `reshape` and `ravel` come here with an order other than "C".
for _function in (
    *(np.reshape, np.ravel, np.tile, np.repeat, np.rot90, np.delete, np.resize, np.roll),
    *(np.tril, np.triu, np.diag, np.diagflat, np.take_along_axis),
    np.lib.stride_tricks.sliding_window_view,
):
    family.composed(_function)(_rearrange(_function))


@family.composed(np.block)
def block(arrays: Any) -> Array:
    """Return the array that nested lists of blocks form."""
    positions = Positions()
    return positions.take(np.block(_of_each_block(positions, arrays)))


def _of_each_block(positions: Positions, blocks: Any) -> Any:
    if isinstance(blocks, list):
        return [_of_each_block(positions, block) for block in blocks]
    return positions.of(blocks)


@family.composed(np.moveaxis)
def moveaxis(a: Array, source: Any, destination: Any) -> Array:
    """Return a transposition that moves some axes and keeps the order of the others."""
    axes = np.moveaxis(_shaped_like(a), source, destination)
    return np.transpose(a, _order(axes))


@family.composed(np.rollaxis)
def rollaxis(a: Array, axis: int, start: int = 0) -> Array:
    """Return a transposition that moves one axis before another."""
    return np.transpose(a, _order(np.rollaxis(_shaped_like(a), axis, start)))


@family.composed(np.atleast_1d)
def atleast_1d(*arys: Array) -> Any:
    """Return each number as an array of one axis."""
    return _each(arys, lambda x: x if x.shape else x.reshape(1))


@family.composed(np.atleast_2d)
def atleast_2d(*arys: Array) -> Any:
    """Return each array with new axes in front, up to two."""
    return _each(arys, lambda x: x if len(x.shape) > 1 else x.reshape(1, -1))


@family.composed(np.atleast_3d)
def atleast_3d(*arys: Array) -> Any:
    """Return each vector with new axes on both sides, and each matrix with one behind."""
    return _each(arys, lambda x: x.reshape(np.atleast_3d(_shaped_like(x)).shape))


def _each(arrays: Sequence[Any], function: Callable[[Array], Array]) -> Any:
    found = tuple(function(as_array(x)) for x in arrays)
    return found[0] if len(found) == 1 else found


def _shaped_like(x: Array) -> Any:
    """Return an array of the shape of x, of one byte, whose strides number its axes."""
    numbered = tuple(range(1, len(x.shape) + 1))
    return np.lib.stride_tricks.as_strided(np.empty(1, np.int8), x.shape, numbered, writeable=False)


def _order(view: Any) -> list[int]:
    return [stride - 1 for stride in view.strides]


@family.composed(np.flip)
def flip(m: Array, axis: Any = None) -> Array:
    """Return the elements in reverse order along some axes."""
    axes = normalize_axes(axis, len(m.shape))
    reverse = slice(None, None, -1)
    return m[tuple(reverse if i in axes else slice(None) for i in range(len(m.shape)))]


@family.composed(np.fliplr)
def fliplr(m: Array) -> Array:
    """Return the elements in reverse order along the second axis."""
    return m[:, ::-1]


@family.composed(np.flipud)
def flipud(m: Array) -> Array:
    """Return the elements in reverse order along the first axis."""
    return m[::-1]


@family.composed(np.broadcast_arrays)
def broadcast_arrays(*args: Array, subok: bool = False) -> tuple[Array, ...]:
    """Return the arrays broadcast against each other."""
    arrays = [as_array(x) for x in args]
    shape = np.broadcast_shapes(*(x.shape for x in arrays))
    return tuple(np.broadcast_to(x, shape) for x in arrays)


@family.composed(np.meshgrid)
def meshgrid(
    *xi: Array, copy: bool = True, sparse: bool = False, indexing: Any = "xy"
) -> Sequence[Array]:
    """Return the coordinates of a grid: each vector repeated along the axes of the others."""
    each = [Positions() for _ in xi]
    vectors = [positions.of(x) for positions, x in zip(each, xi, strict=True)]
    grids = np.meshgrid(*vectors, copy=copy, sparse=sparse, indexing=indexing)
    return type(grids)(positions.take(grid) for positions, grid in zip(each, grids, strict=True))


@family.composed(np.insert)
def insert(arr: Array, obj: Any, values: Any, axis: int | None = None) -> Array:
    """Return `arr` with `values` inserted before the indices `obj`, in the dtype of `arr`."""
    positions = Positions(as_array(arr).dtype)
    return positions.take(np.insert(positions.of(arr), obj, positions.of(values), axis))


@family.composed(np.diagonal)
def diagonal(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """Return the elements whose indices on two axes differ by `offset`."""
    positions = Positions()
    return positions.take(np.diagonal(positions.of(a), offset, axis1, axis2))


@family.composed(np.trace)
def trace(
    a: Array,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    dtype: Any = None,
    out: None = None,
) -> Array:
    """Return the sum of the diagonal."""
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)
