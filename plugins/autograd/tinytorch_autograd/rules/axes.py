"""Axes as users give them, checked as NumPy checks them."""

from __future__ import annotations

from typing import Any

from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

Axis = int | tuple[int, ...] | None


def normalize_axes(axis: Axis, ndim: int, allow_duplicate: bool = False) -> tuple[int, ...]:
    """Return axes as a tuple of numbers from 0; None means all axes.

    Raises:
        AxisError: an axis is out of bounds.
        ValueError: an axis is given twice, unless `allow_duplicate` is True.
    """
    if axis is None:
        return tuple(range(ndim))
    # NumPy's function handles every case. The first two here take a quarter of its time.
    if isinstance(axis, int):
        return (normalize_axis_index(axis, ndim),)
    if isinstance(axis, tuple):
        axes = tuple([normalize_axis_index(i, ndim) for i in axis])
        if allow_duplicate or len(set(axes)) == len(axes):
            return axes
    return normalize_axis_tuple(axis, ndim, allow_duplicate=allow_duplicate)


def whole_axes_before(axis: int, ndim: int) -> tuple[slice, ...]:
    """Return an index that takes everything on the axes before one axis.

    >>> whole_axes_before(-1, 3)
    (slice(None, None, None), slice(None, None, None))
    """
    return (slice(None),) * normalize_axis_index(axis, ndim)


def shape_along(axis: int, ndim: int, length: Any) -> list[Any]:
    """Return a shape of `ndim` axes with `length` along one axis and 1 along the others."""
    shape = [1] * ndim
    shape[normalize_axis_index(axis, ndim)] = length
    return shape


def slices_along(x: Any, axis: int) -> list[Any]:
    """Return the slice of an array at each index of one axis, without that axis."""
    before = whole_axes_before(axis, len(x.shape))
    return [x[(*before, i)] for i in range(x.shape[axis])]
