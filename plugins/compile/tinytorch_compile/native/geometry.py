"""Where the elements of values are: the value that owns the memory, an offset and strides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinytorch_compile.native.emitter import is_supported
from tinytorch_compile.program import Call, Constant, Layout, Program, Value


@dataclass(frozen=True)
class Part:
    """Elements of an array that owns its memory.

    Attributes:
        root: the value or constant that owns the memory.
        dtype: the dtype of the elements.
        shape: the number of elements along each axis.
        strides: how many elements apart neighbours are, along each axis.
        offset: the index of the first element.
    """

    root: Value | Constant
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def is_whole(self) -> bool:
        """Whether the part has each element of its root in the same place."""
        root = self.root
        layout = Layout.of(root.array) if isinstance(root, Constant) else root.layout
        if layout is None:
            return False
        strides = tuple(s // self.dtype.itemsize for s in layout.strides)
        return not self.offset and (self.shape, self.strides) == (layout.shape, strides)

    @property
    def is_inside(self) -> bool:
        """Whether all elements are in the memory of the root."""
        if not self.size:
            return True
        root = self.root
        layout = Layout.of(root.array) if isinstance(root, Constant) else root.layout
        assert layout is not None
        first, last = _bounds(layout.shape, layout.strides)
        own_first, own_last = _bounds(self.shape, self.strides)
        size = self.dtype.itemsize
        start = (self.offset + own_first) * size
        end = (self.offset + own_last + 1) * size
        return first <= start and end <= last + layout.dtype.itemsize

    def broadcast(self, shape: tuple[int, ...]) -> Part:
        """Return the part repeated along new axes and those of length 1."""
        added = len(shape) - len(self.shape)
        kept = zip(self.shape, self.strides, shape[added:], strict=True)
        strides = (0,) * added + tuple(s if n == m else 0 for n, s, m in kept)
        return replace(self, shape=shape, strides=strides)

    def transposed(self, axes: list[int]) -> Part:
        """Return the part with its axes in another order, or without some."""
        shape = tuple(self.shape[axis] for axis in axes)
        return replace(self, shape=shape, strides=tuple(self.strides[axis] for axis in axes))


def _bounds(shape: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Return the lowest and the highest position of elements."""
    steps = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    return sum(s for s in steps if s < 0), sum(s for s in steps if s > 0)


def of_array(root: Value | Constant, layout: Layout, first: int = 0) -> Part | None:
    """Return the elements of an array, or None if compiled code cannot use them."""
    size = layout.dtype.itemsize
    if not is_supported(layout.dtype) or first % size or any(s % size for s in layout.strides):
        return None
    strides = tuple(stride // size for stride in layout.strides)
    return Part(root, layout.dtype, layout.shape, strides, first // size)


class Geometry:
    """The parts of all values of a program."""

    def __init__(self, program: Program) -> None:
        self._parts: dict[Value, Part | None] = {}
        self._models: dict[Value, Any] = {}
        for step in program.steps:
            if isinstance(step, Call) and not step.several and step.results[0].view_of is not None:
                self._view(step)

    def of(self, thing: Any) -> Part | None:
        """Return the part of a value, a constant or an array; None if it is not known."""
        if isinstance(thing, np.ndarray | np.generic):
            thing = Constant(np.asarray(thing))
        if isinstance(thing, Constant):
            return of_array(thing, Layout.of(thing.array))
        if thing.layout is None:
            return None
        if thing.view_of is None and thing not in self._parts:
            self._parts[thing] = of_array(thing, thing.layout)
        return self._parts.get(thing)

    def _view(self, call: Call) -> None:
        """Find out by a call of the function on an array of the same layout what it returns."""
        (result,) = call.results
        self._parts[result] = None
        root = result.memory
        source = call.reads[0] if call.reads else None
        if len(call.reads) != 1 or source is None or source.memory is not root:
            return
        model = self._model(source)
        if model is None:
            return
        change = call.reading(lambda value: model)
        view = change.function(*change.args, **change.kwargs)
        base = self._model(root)
        if not isinstance(view, np.ndarray) or Layout.of(view) != result.layout:
            return
        if view.size and not np.may_share_memory(view, base):
            return
        self._models[result] = view
        first = _address(view) - _address(base) if view.size else 0
        self._parts[result] = of_array(root, Layout.of(view), first)

    def _model(self, value: Value) -> Any:
        """Return an array of the layout of a value, whose elements mean nothing."""
        if value not in self._models:
            is_root = value.view_of is None and value.layout is not None
            self._models[value] = _model_of(value.layout) if is_root and value.layout else None
        return self._models[value]


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def _model_of(layout: Layout) -> Any:
    """Return an array of exactly this layout, without its own memory if it is large."""
    if not layout.size:
        return np.empty(layout.shape, layout.dtype)
    lengths = [(n - 1) * s for n, s in zip(layout.shape, layout.strides, strict=True)]
    before = -sum(length for length in lengths if length < 0)
    after = sum(length for length in lengths if length > 0)
    memory = np.empty(before + after + layout.dtype.itemsize, np.uint8)
    return np.ndarray(layout.shape, layout.dtype, memory, before, layout.strides)
