"""Axes as users give them, checked as NumPy checks them.

For functions that are composed of others. A rule runs after NumPy's own function, which has checked
them by then.
"""

from __future__ import annotations

from typing import Any

from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

Axis = int | tuple[int, ...] | None


def checked_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes as numbers from 0; all of them for None.

    Raises:
        AxisError: there is no such axis.
        ValueError: one is named twice.
    """
    return tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)


def before(axis: int, ndim: int) -> tuple[slice, ...]:
    """The beginning of an index along one axis: everything on the axes before it.

    >>> before(-1, 3)
    (slice(None, None, None), slice(None, None, None))
    """
    return (slice(None),) * normalize_axis_index(axis, ndim)


def lengthened(n: Any, axis: int, ndim: int) -> list[Any]:
    """The shape of a row of `n` along one axis of `ndim`."""
    row = [1] * ndim
    row[normalize_axis_index(axis, ndim)] = n
    return row
