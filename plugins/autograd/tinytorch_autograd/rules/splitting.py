"""Functions that split an array into several by indexing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.axes import normalize_axes, slices_along, whole_axes_before
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def _split(function: Callable[..., Any], x: Array, sections: Any, axis: int) -> list[Array]:
    """Split an array along `axis` as a NumPy function splits the indices along that axis."""
    before = whole_axes_before(axis, len(x.shape))
    parts = function(np.arange(x.shape[axis]), unwrap(sections))
    slices = [slice(int(p[0]), int(p[-1]) + 1) if p.size else slice(0, 0) for p in parts]
    return [x[(*before, part)] for part in slices]


@family.composed(np.split)
def split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Return equal parts along an axis, or the parts between given indices."""
    return _split(np.split, ary, indices_or_sections, axis)


@family.composed(np.array_split)
def array_split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Return what `split` returns, of parts that may differ by one element."""
    return _split(np.array_split, ary, indices_or_sections, axis)


@family.composed(np.vsplit)
def vsplit(ary: Array, indices_or_sections: Any) -> Any:
    """Return parts along the first axis."""
    if len(ary.shape) < 2:
        return NotImplemented  # NumPy raises its own error
    return _split(np.split, ary, indices_or_sections, 0)


@family.composed(np.hsplit)
def hsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    """Return parts along the second axis, or the only one."""
    return _split(np.split, ary, indices_or_sections, 1 if len(ary.shape) > 1 else 0)


@family.composed(np.dsplit)
def dsplit(ary: Array, indices_or_sections: Any) -> Any:
    """Return parts along the third axis."""
    if len(ary.shape) < 3:
        return NotImplemented  # NumPy raises its own error
    return _split(np.split, ary, indices_or_sections, 2)


@family.composed(np.unstack)
def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    """Return the slices at each index of an axis."""
    if axis is None:
        return NotImplemented  # NumPy raises its own error
    (axis,) = normalize_axes(axis, len(x.shape))
    return tuple(slices_along(x, axis))
