"""The arrays that a program writes its results into, reused as soon as a result is dead."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_compile.program import Layout, Program, Value

_FOREVER = 1 << 60


class Lifetimes:
    """When the memory of each value is read for the last time."""

    def __init__(self, program: Program) -> None:
        self._last: dict[Value, int] = {}
        for i, step in enumerate(program.steps):
            for value in step.reads:
                self._last[value.memory] = i
        for value in program.needed:
            self._last[value.memory] = _FOREVER
        # By the index of a step: the memory that is not read after it.
        self.ending: dict[int, list[Value]] = {}
        for memory, last in self._last.items():
            self.ending.setdefault(last, []).append(memory)

    def ends_at(self, value: Value, step: int) -> bool:
        """Return whether nothing reads the memory of a value after a step."""
        return self._last.get(value.memory, -1) <= step


class Pool:
    """Arrays by their size in bytes, to be used again for other results of this size."""

    def __init__(self) -> None:
        self._free: dict[int, list[Any]] = {}
        self.bytes = 0

    def take(self, layout: Layout) -> Any:
        """Return an array of a layout."""
        size = layout.size * layout.dtype.itemsize
        free = self._free.get(size)
        if free:
            memory = free.pop()
        else:
            # Zeros, because products of whatever was in the memory can take ten times as long.
            memory = np.zeros(size, np.uint8)
            self.bytes += size
        return np.ndarray(layout.shape, layout.dtype, memory, 0, layout.strides)

    def give_back(self, array: Any) -> None:
        """Take back an array that `take` returned."""
        self._free.setdefault(array.nbytes, []).append(array.base)
