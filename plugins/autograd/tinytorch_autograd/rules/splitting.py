"""Functions that cut an array into several; each part is an indexing of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.axes import before
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.ufuncs import layers

Array = Any

family = Family()


def _cut(function: Callable[..., Any], x: Array, sections: Any, axis: int) -> list[Array]:
    """The parts that NumPy's function makes of the indices along `axis`."""
    head = before(axis, len(x.shape))
    parts = function(np.arange(x.shape[axis]), unwrap(sections))
    return [x[(*head, slice(int(p[0]), int(p[-1]) + 1) if p.size else slice(0, 0))] for p in parts]


@family.composed(np.split)
def split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Equal parts along an axis, or parts between given indices."""
    return _cut(np.split, ary, indices_or_sections, axis)


@family.composed(np.array_split)
def array_split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """As `split`, in parts as equal as can be."""
    return _cut(np.array_split, ary, indices_or_sections, axis)


@family.composed(np.vsplit)
def vsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    """Along the first axis."""
    return _cut(np.split, ary, indices_or_sections, 0)


@family.composed(np.hsplit)
def hsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    """Along the second axis, or the only one."""
    return _cut(np.split, ary, indices_or_sections, 1 if len(ary.shape) > 1 else 0)


@family.composed(np.dsplit)
def dsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    """Along the third axis."""
    return _cut(np.split, ary, indices_or_sections, 2)


if hasattr(np, "unstack"):  # since NumPy 2.1

    @family.composed(np.unstack)
    def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
        """The layers along an axis."""
        return tuple(layers(x, axis))
