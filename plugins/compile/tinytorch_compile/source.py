"""Writes a program as the text of a function that calls NumPy.

Results go into arrays that exist before the first call, and an elementwise call writes over an
argument that is not read again. Views of these arrays are created once, so they cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch_compile.forms import form_of, write_lines
from tinytorch_compile.inlining import Inlined, NotFixed
from tinytorch_compile.names import Names
from tinytorch_compile.passes.constants import array_of
from tinytorch_compile.passes.grouping import Stacked
from tinytorch_compile.placement import Placement
from tinytorch_compile.program import (
    Block,
    Call,
    Constant,
    Guard,
    Layout,
    Program,
    Step,
    Value,
    mapped,
)
from tinytorch_compile.tracing import Writing

# At most so many calls of a kernel are written as lines, and not as a loop.
_FEW_CALLS = 4
# The bytes from which on an input is not copied to make its array the same in every call.
_LARGE_INPUT = 1 << 20


@dataclass(eq=False)
class Placed:
    """A block of which the arrays are known.

    Attributes:
        block: the block.
        name: the name of its function.
        arrays: the arrays that are the same in each call, by the values they hold.
        slots: the slots by the results that are written into them.
        passed: the arrays, and then the numbers, that are arguments of the call.
    """

    block: Any
    name: str
    arrays: dict[Value, Any]
    slots: dict[Value, Value]
    passed: list[Value]


class Source(Placement):
    """The lines of a function that runs a program.

    Args:
        program: the program.
        slots: the array of each slot, or for a number the dict that contains it and its key.
        inputs: the names of the variables that hold the inputs.
        names: the global names of the function.
        changed: the text that ends the function if a guard fails.

    Attributes:
        lines: the lines up to the results.
        outputs: the text of each output.
        kept: the array of each kept value.
        writes: the lines that change the slots.
        pool: the arrays that are used for several results.
        allocating: the calls that create new arrays each time.
        first_write: the index of the first line that changes a slot, or None.
        saved: generators, each with the variable that holds its state at the start.
        blocks: the compiled blocks, whose functions must be added to the names.
    """

    def __init__(
        self,
        program: Program,
        slots: Mapping[Value, Any],
        inputs: Sequence[str],
        names: Names,
        changed: str,
    ) -> None:
        last_check = max((i for i, s in enumerate(program.steps) if _may_end(s)), default=-1)
        super().__init__(program, inputs, names, changed, last_check)
        self._slots = slots
        self._drawn: set[int] = set()
        self.saved: list[tuple[Any, str]] = []
        self.allocating: list[Call] = []
        self.blocks: list[Placed] = []
        calls = [step for step in program.steps if isinstance(step, Call)]
        blocks = [call for call in calls if isinstance(call.function, Block)]
        self._block_args = {value for call in blocks for value in call.args}
        self._read_slots()
        for i, step in enumerate(program.steps):
            self._step(i, step)
            self._give_back(i)
        self.writes = self._slot_writes()
        self.outputs = [self._output(value) for value in program.outputs]
        self.kept = [self._kept(value) for value in program.kept]

    def _read_slots(self) -> None:
        needed = {value.memory for step in self._program.steps for value in step.reads}
        needed |= {value.memory for value in self._program.needed}
        for value in self._program.slots:
            if value not in needed and value not in self._program.writes:
                continue
            if value.layout is not None:
                self._fix(value, self._slots[value])
            else:
                container, key = self._slots[value]
                self._texts[value] = self._names.new(value.label)
                place = self._place(container, key)
                self.lines.append(f"{self._texts[value]} = {place}")

    def _step(self, i: int, step: Step) -> None:
        self._comment(step.location)
        if isinstance(step, Guard):
            found, expected = f"{self.text(step.convert)}({self.text(step.value)})", step.expected
            if isinstance(expected, float | complex):  # 0.0 and -0.0 differ
                found, expected = f"repr({found})", repr(expected)
            self._line(f"if {found} != {self.text(expected)}:")
            self._end()
            return
        self._errors = self._enter(step.errors)
        self._save_generators(step)
        if isinstance(step.function, Stacked):
            self._stack(step)
        elif isinstance(step.function, Block):
            self._block(i, step)
        elif step.several or step.results[0].layout is None:
            self._allocating(step)
        elif isinstance(step.function, Writing):
            self._writing(i, step)
        elif not self._view(step) and not self._inlined(step):
            self._computed(i, step)

    def _save_generators(self, call: Call) -> None:
        """Save the states of generators, to restore them if a guard fails or a call raises."""
        for generator in call.args if call.effect else ():
            if isinstance(generator, np.random.Generator) and id(generator) not in self._drawn:
                self._drawn.add(id(generator))
                place = f"{self.text(generator)}.bit_generator.state"
                saved = self._names.new("saved_state")
                self._line(f"{saved} = {place}")
                self._ending.insert(0, f"{place} = {saved}")
                self.saved.append((generator, saved))

    def _view(self, call: Call) -> bool:
        """Create a view, once if its array is always the same; return False if it is not a view."""
        (result,) = call.results
        if result.view_of is None:
            return False
        found = self._known_view(call, result)
        if found is not None:
            self._fix(result, found)
            return True
        if result.view_of.memory in self._pooled or result.view_of in self._arrays:
            return False  # in another layout than in the capture, it would be a copy
        self._assign(call, result)
        return True

    def _known_view(self, call: Call, result: Value) -> Any:
        if not all(value in self._arrays for value in call.reads):
            return None
        arrays = call.reading(self._arrays.__getitem__)
        view = arrays.function(*arrays.args, **arrays.kwargs)
        is_view = isinstance(view, np.ndarray) and Layout.of(view) == result.layout
        return view if is_view and np.may_share_memory(view, self._arrays[call.reads[0]]) else None

    def _assign(self, call: Call, result: Value) -> None:
        self._texts[result] = self._names.new(result.label)
        self._line(f"{self._texts[result]} = {self._call_text(call)}")

    def _allocating(self, call: Call) -> None:
        """Write a call that returns new arrays, or numbers, and check their layouts."""
        if any(result.layout for result in call.results):
            self.allocating.append(call)
        for result in call.results:
            self._texts[result] = self._names.new(result.label)
        targets = ", ".join(self._texts[result] for result in call.results)
        comma = "," if call.several and len(call.results) == 1 else ""
        self._line(f"{targets}{comma} = {self._call_text(call)}")
        for result in call.results:
            if result.layout is not None:
                shape, dtype = self.text(result.layout.shape), self.text(result.layout.dtype)
                name = self._texts[result]
                wrong = f"{name}.shape != {shape} or {name}.dtype != {dtype}"
                if result in self._block_args:
                    # Compiled code needs an array of exactly this layout.
                    self._line(f"{name} = {self.text(np.asarray)}({name})")
                    if 1 in result.layout.shape:
                        layout = self._names.of(result.layout, "layout")
                        wrong = f"{self.text(Layout.of)}({name}) != {layout}"
                    else:
                        wrong += f" or {name}.strides != {self.text(result.layout.strides)}"
                self._line(f"if {wrong}:")
                self._end()

    def _stack(self, call: Call) -> None:
        """Use an array whose parts have been computed; copy the parts that could not be."""
        for part in call.args:
            array = self._parts[part]
            if self._arrays.get(part) is not array:
                name = self._names.of(array, f"{part.label}_part")
                self._line(f"{self.text(np.copyto)}({name}, {self.text(part)})")
        (stack,) = call.results
        self._fix(stack, self._stacks[stack])

    def _inlined(self, call: Call) -> bool:
        """Write the NumPy calls that a kernel makes, if they depend on layouts only."""
        if not getattr(call.function, "fixed", False) or call.kwargs:
            return False
        copies = self._copies_of_inputs(call)
        if copies is None:
            return False
        (result,) = call.results
        args = mapped(call.reading({**self._arrays, **copies}.__getitem__).args, array_of)
        try:
            inlined = Inlined(call.function, args, self.pool)
        except NotFixed:
            return False
        if Layout.of(inlined.result) != result.layout:
            self.pool.give_back(inlined.memory)
            return False
        self._pooled[result] = inlined.result
        self._fix(result, inlined.result)
        self._write_inlined(call.function.__name__, inlined, copies)
        return True

    def _write_inlined(self, name: str, inlined: Inlined, copies: dict[Value, Any]) -> None:
        few = len(inlined.calls) <= _FEW_CALLS
        read = [arg for _, given in inlined.calls for arg in given if isinstance(arg, np.ndarray)]
        passed: dict[int, str] = {}
        for value, copy in copies.items():
            # Lines can read the input itself, but not a view that is created once.
            if few and not any(x is not copy and np.may_share_memory(x, copy) for x in read):
                passed[id(copy)] = self._texts[value]
            else:
                self._copy_input(value, copy)
        if not few:
            calls = self._names.of(inlined.calls, f"calls_of_{name}")
            self._line(f"for call, arguments in {calls}:")
            self._line("    call(*arguments)")
            return
        for function, given in inlined.calls:
            texts = [
                (passed.get(id(arg)) or self._names.of(arg, f"{name}_part"))
                if isinstance(arg, np.ndarray)
                else self.text(arg)
                for arg in given
            ]
            self._line(f"{self.text(function)}({', '.join(texts)})")

    def _copies_of_inputs(self, call: Call) -> dict[Value, Any] | None:
        """Return an array for each small input that a call reads, if the others are fixed."""
        copies = {}
        for value in call.reads:
            if value in self._arrays:
                continue
            layout = value.layout
            if value not in self._program.inputs or layout is None:
                return None
            copy = copies[value] = layout.empty()
            if copy.nbytes > _LARGE_INPUT or Layout.of(copy) != layout:
                return None
        return copies

    def _copy_input(self, value: Value, copy: Any) -> None:
        """Copy an input, so that its array is the same in every call."""
        passed = self._texts[value]
        self._arrays[value] = copy
        self._texts[value] = self._names.of(copy, f"{passed}_copy")
        self._line(f"{self.text(np.copyto)}({self._texts[value]}, {passed})")

    def _computed(self, i: int, call: Call) -> None:
        form = form_of(call)
        (result,) = call.results
        assert result.layout is not None
        if form is None or form(call, self._argument_text(call), "") is None:
            self._allocating(call)
        elif self._is_returned(result) and result.layout.shape:
            self._assign(call, result)
        else:
            array = self._target(i, call, result)
            self._fix(result, array)
            self._write_form(call, form, self._texts[result])

    def _writing(self, i: int, call: Call) -> None:
        """Write into a copy of the first argument, or into the argument itself if it is dead."""
        target = call.args[0]
        (result,) = call.results
        assert result.layout is not None
        others = [v for v in call.reads[1:] if isinstance(target, Value)]
        if self._may_overwrite(i, target, result) and all(
            value.memory is not target.memory for value in others
        ):
            self._overwrite(target, result)
        else:
            self._fix(result, self._new_array(result))
            self._line(f"{self.text(np.copyto)}({self._texts[result]}, {self.text(target)})")
        for line in write_lines(call, self.text, self._texts[result]):
            self._line(line)

    def _block(self, i: int, call: Call) -> None:
        """Write the call of a compiled block."""
        block: Any = call.function
        slots = {}
        for result in call.results:
            slot = self._slot_for(i, call, result)
            if slot is not None:
                slots[result] = slot
                self._fix(result, self._write_into(slot))
            elif self._may_keep(i, block, result):
                self._fix(result, self._reserve(result))
            else:
                self._fix(result, self._new_array(result))
        for line in block.lines(self._block_text):
            self._line(f"# {line}")
        fixed = {v: self._arrays[v] for v in (*call.args, *call.results) if v in self._arrays}
        inputs = self._program.inputs
        passed = [v for v in inputs if v in call.args]
        passed += [v for v in call.args if v not in fixed and v not in passed]
        passed.sort(key=lambda value: value.layout is None)
        name = self._names.of(block, "region")
        self.blocks.append(Placed(block, name, fixed, slots, passed))
        text = f"{name}({', '.join(map(self.text, passed))})"
        if block.checks:
            self._line(f"if {text}:")
            self._end()
        else:
            self._line(text)

    def _may_keep(self, i: int, block: Any, result: Value) -> bool:
        """Return whether the user may read the array of a result until the next call writes it."""
        is_kept = result in self._program.kept
        return is_kept and i >= self._last_check and block.is_after_checks(result)

    def _block_text(self, thing: Any) -> str:
        """Return the name of a value in the lines of a block, which may be its own."""
        if isinstance(thing, Value) and thing not in self._texts:
            self._texts[thing] = self._names.new(thing.label)
        return self.text(thing)

    def _slot_writes(self) -> list[str]:
        lines = []
        for slot, end in self._program.writes.items():
            if slot in self._written or end is slot:
                continue
            text = self.text(end)
            if slot.layout is None:
                container, key = self._slots[slot]
                lines.append(f"{self._place(container, key)} = {text}")
                continue
            if isinstance(end, Value) and end.memory in self._slots:
                # The old value of a slot, which may be overwritten before it is read.
                old = self._names.new(f"old_{end.label}")
                self._line(f"{old} = {text}.copy()", indent="")
                text = old
            lines.append(f"{self.text(np.copyto)}({self.text(slot)}, {text})")
        return lines

    def _output(self, value: Value | Constant) -> str:
        """Return the text of an output: a number, or an array that nothing else refers to."""
        text = self.text(value)
        if isinstance(value, Constant):
            return f"{text}.copy()"
        if value.layout is None:
            return text
        memory = value.memory
        if memory in self._arrays or memory in self._program.inputs:
            return f"{text}.copy()"
        # A function of NumPy may have returned a scalar.
        return text if value.layout.shape else f"{self.text(np.asarray)}({text})"


def _may_end(step: Step) -> bool:
    """Return whether a step may find that the program does not hold any more."""
    if isinstance(step, Guard):
        return True
    if isinstance(step.function, Block):
        return step.function.checks
    if isinstance(step.function, Writing | Stacked):
        return False
    if not any(result.layout for result in step.results):
        return False
    return step.several or not (step.results[0].view_of or form_of(step))
