"""Where the results of calls go: into slots, arguments that are dead, or arrays of a pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_compile.forms import is_elementwise
from tinytorch_compile.memory import Lifetimes, Pool
from tinytorch_compile.names import Names
from tinytorch_compile.passes.grouping import Stacked
from tinytorch_compile.program import Block, Call, Constant, Layout, Program, Value
from tinytorch_compile.writer import Writer


class Placement(Writer):
    """A writer that knows the arrays of results.

    Args:
        program, inputs, names, changed: as for `Writer`.
        last_check: the index of the last step that may find that the program does not hold; -1
            if there is none.

    Attributes:
        pool: the arrays that are used for several results.
        first_write: the index of the first line that changes a slot, or None.
    """

    def __init__(
        self,
        program: Program,
        inputs: Sequence[str],
        names: Names,
        changed: str,
        last_check: int,
    ) -> None:
        super().__init__(program, inputs, names, changed)
        self.pool = Pool()
        self.first_write: int | None = None
        self._last_check = last_check
        self._lifetimes = Lifetimes(program)
        # The memory that came from the pool, and may be written over when it is dead.
        self._pooled: dict[Value, Any] = {}
        # The arrays of kept values, and the slots into which their last values were written.
        self._reserved: dict[Value, Any] = {}
        self._written: set[Value] = set()
        # Arrays for several values, which are never used for anything else, and their parts.
        self._stacks: dict[Value, Any] = {}
        self._parts: dict[Value, Any] = {}
        self._place_parts()

    def _place_parts(self) -> None:
        """Reserve the parts of arrays into which the arguments of `Stacked` calls are written."""
        for step in self._program.steps:
            if isinstance(step, Call) and isinstance(step.function, Stacked):
                (stack,) = step.results
                assert stack.layout is not None
                array = self._stacks[stack] = self.pool.take(stack.layout)
                start = 0
                for part in step.args:
                    size = part.layout.size
                    flat = array.reshape(-1)[start : start + size]
                    self._parts[part] = flat.reshape(part.layout.shape)
                    start += size

    def _give_back(self, i: int) -> None:
        """Give the memory back to the pool that nothing reads after a step."""
        for memory in self._lifetimes.ending.get(i, ()):
            if memory in self._pooled:
                self.pool.give_back(self._pooled.pop(memory))

    def _target(self, i: int, call: Call, result: Value) -> Any:
        """Return the array for a result: a slot, an argument that is dead, or one of the pool."""
        is_kept = result in self._program.kept
        # What was kept by the last call may be read until the last check.
        if result in self._parts and (i > self._last_check or not is_kept):
            return self._parts[result]
        slot = self._slot_for(i, call, result)
        if i > self._last_check and is_kept:
            return self._reserve(result)
        if slot is not None:
            return self._write_into(slot)
        if is_elementwise(call):
            for value in call.reads:
                if self._may_overwrite(i, value, result):
                    return self._taken_over(value, result)
        return self._new_array(result)

    def _slot_for(self, i: int, call: Call, result: Value) -> Value | None:
        """Return a slot whose last value is this result, if its old value is not needed again."""
        if i < self._last_check:
            return None
        for slot, end in self._program.writes.items():
            if (
                end is result
                and slot.layout is not None
                and slot.layout == result.layout
                and self._lifetimes.ends_at(slot, i)
                and _may_write_into(call, slot, result)
            ):
                return slot
        return None

    def _write_into(self, slot: Value) -> Any:
        """Return the array of a slot, into which the next line writes."""
        self._written.add(slot)
        if self.first_write is None:
            self.first_write = len(self.lines)
        return self._arrays[slot]

    def _may_overwrite(self, i: int, value: Any, result: Value) -> bool:
        return (
            isinstance(value, Value)
            and value in self._pooled
            and value.layout == result.layout
            and self._lifetimes.ends_at(value, i)
        )

    def _overwrite(self, value: Value, result: Value) -> None:
        self._fix(result, self._taken_over(value, result))

    def _taken_over(self, value: Value, result: Value) -> Any:
        array = self._pooled.pop(value)
        self._pooled[result] = array
        return array

    def _new_array(self, result: Value) -> Any:
        assert result.layout is not None
        array = self._pooled[result] = self.pool.take(result.layout)
        return array

    def _reserve(self, result: Value) -> Any:
        """Return a new array for a kept result, which the user may read until the next call."""
        assert result.layout is not None
        array = self._reserved[result] = result.layout.empty()
        return array

    def _is_returned(self, result: Value) -> bool:
        """Return whether the only use of a result at the end is to be returned."""
        program = self._program
        others = [*program.writes.values(), *program.kept]
        return result in program.outputs and result not in others

    def _kept(self, value: Value | Constant) -> Any:
        """Return the array of a kept value, which is in no other value's memory."""
        if isinstance(value, Value) and value in self._reserved:
            return self._reserved.pop(value)
        if value in self._parts and self._arrays.get(value) is self._parts[value]:
            return self._parts[value]
        layout = Layout.of(value.array) if isinstance(value, Constant) else value.layout
        assert layout is not None
        array = layout.empty()
        name = self._names.of(array, "kept")
        self._line(f"{self.text(np.copyto)}({name}, {self.text(value)})", indent="")
        return array


def _may_write_into(call: Call, slot: Value, result: Value) -> bool:
    """Return whether a call may write its result into a slot that it may also read."""
    if isinstance(call.function, Block):
        return call.function.may_write_into(slot, result)
    reads = [value for value in call.reads if value.memory is slot]
    return not reads or (is_elementwise(call) and all(value is slot for value in reads))
