"""Writes a program as the text of a function that calls NumPy.

Results go into arrays that exist before the first call, and an elementwise call writes over an
argument that is not read again. Views of these arrays are created once, so they cost nothing.
"""

from __future__ import annotations

import builtins
import keyword
import linecache
import operator
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch_compile.forms import (
    ADAPTING,
    Form,
    Text,
    arguments,
    form_of,
    index_text,
    is_elementwise,
    write_lines,
)
from tinytorch_compile.inlining import Inlined, NotFixed
from tinytorch_compile.memory import Lifetimes, Pool
from tinytorch_compile.passes.constants import array_of
from tinytorch_compile.passes.grouping import Stacked
from tinytorch_compile.program import (
    Block,
    Call,
    Constant,
    Guard,
    Layout,
    Location,
    Program,
    Step,
    Value,
    mapped,
)
from tinytorch_compile.tracing import Writing

_SIGNS: dict[Any, str] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.floordiv: "//",
    operator.mod: "%",
    operator.pow: "**",
    operator.eq: "==",
    operator.ne: "!=",
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
}

# At most so many calls of a kernel are written as lines, and not as a loop.
_FEW_CALLS = 4
# The bytes from which on an input is not copied to make its array the same in every call.
_LARGE_INPUT = 1 << 20


class Names:
    """The global names of a function, and the objects they stand for."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self._known: dict[int, str] = {}
        self._counts: dict[str, int] = {}

    def new(self, wanted: str) -> str:
        """Return a name that is not used yet, such as "relu", "relu_2", "relu_3"."""
        base = re.sub(r"\W+", "_", wanted).strip("_") or "value"
        if base[0].isdigit() or keyword.iskeyword(base):
            base = f"_{base}"
        if hasattr(builtins, base):  # the function uses some of them
            base += "_"
        while True:
            count = self._counts[base] = self._counts.get(base, 0) + 1
            name = base if count == 1 else f"{base}_{count}"
            if name not in self.objects:
                self.objects[name] = None
                return name

    def of(self, thing: Any, wanted: str) -> str:
        """Return the name of an object, which gets a new one if it has none."""
        if getattr(builtins, wanted, self) is thing:
            return wanted
        name = self._known.get(id(thing))
        if name is None:
            name = self._known[id(thing)] = self.new(wanted)
            self.objects[name] = thing
        return name


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


class Source:
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
        self._program, self._slots, self._names = program, slots, names
        # The lines that end the function if a guard fails: they undo the random draws.
        self._ending = [changed]
        self._drawn: set[int] = set()
        self._lifetimes = Lifetimes(program)
        self.pool = Pool()
        self.lines: list[str] = []
        self.first_write: int | None = None
        self.saved: list[tuple[Any, str]] = []
        self._reserved: dict[Value, Any] = {}
        self.allocating: list[Call] = []
        self.blocks: list[Placed] = []
        # The text of each value, and the array of those that are in the same one in every call.
        self._texts: dict[Value, str] = dict(zip(program.inputs, inputs, strict=True))
        self._arrays: dict[Value, Any] = {}
        # The memory that came from the pool, and may be written over when it is dead.
        self._pooled: dict[Value, Any] = {}
        # Arrays for several values, which are never used for anything else, and their parts.
        self._stacks: dict[Value, Any] = {}
        self._parts: dict[Value, Any] = {}
        self._scalars: dict[tuple[Any, Any], str] = {}
        self._views: dict[str, Any] = {}
        self._scalar_arrays: dict[tuple[str, Any], Any] = {}
        self._location: Location | None = None
        self._errors: dict[str, str] | None = None
        self._written: set[Value] = set()
        calls = [step for step in program.steps if isinstance(step, Call)]
        blocks = [call for call in calls if isinstance(call.function, Block)]
        self._block_args = {value for call in blocks for value in call.args}
        self._last_check = max(
            (i for i, step in enumerate(program.steps) if self._may_end(step)), default=-1
        )
        self._place_parts()
        self._read_slots()
        for i, step in enumerate(program.steps):
            self._step(i, step)
            for memory in self._lifetimes.ending.get(i, ()):
                if memory in self._pooled:
                    self.pool.give_back(self._pooled.pop(memory))
        self.writes = self._slot_writes()
        self.outputs = [self._output(value) for value in program.outputs]
        self.kept = [self._kept(value) for value in program.kept]

    # Names of things.

    def text(self, thing: Any) -> str:
        """Return the text of an argument, a value or a function."""
        if isinstance(thing, Value):
            return self._texts[thing]
        if isinstance(thing, Constant):
            return self._names.of(thing.array, "constant")
        kind = type(thing)
        if thing is None or kind in (bool, int, str):
            return repr(thing)
        if kind is float and thing - thing == 0:  # finite
            return repr(thing)
        if thing is Ellipsis:
            return "..."
        if kind is tuple:
            return f"({', '.join(map(self.text, thing))}{',' if len(thing) == 1 else ''})"
        if kind is list:
            return f"[{', '.join(map(self.text, thing))}]"
        if kind is slice:
            return f"slice({', '.join(map(self.text, (thing.start, thing.stop, thing.step)))})"
        if kind is dict:
            return f"{{{', '.join(f'{k!r}: {self.text(v)}' for k, v in thing.items())}}}"
        return self._names.of(thing, _wanted(thing))

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

    def _place(self, container: Any, key: Any) -> str:
        return f"{self._names.of(container, 'state')}{key_text(container, key, self._names)}"

    def _fix(self, value: Value, array: Any) -> None:
        """Let a value be in the same array in every call."""
        self._arrays[value] = array
        self._texts[value] = self._names.of(array, value.label)

    # Steps.

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

    def _end(self) -> None:
        for line in self._ending:
            self._line(f"    {line}")

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

    def _may_end(self, step: Step) -> bool:
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

    def _enter(self, errors: dict[str, str] | None) -> dict[str, str] | None:
        if errors != self._errors:
            self._errors = errors
            if errors is not None:
                self._line(f"with {self.text(np.errstate)}(**{self.text(errors)}):", indent="")
        return errors

    def _line(self, line: str, indent: str | None = None) -> None:
        if indent is None:
            indent = "    " if self._errors is not None else ""
        self.lines.append(indent + line)

    def _comment(self, location: Location | None) -> None:
        if location is not None and location != self._location:
            self._location = location
            code = linecache.getline(location.file, location.line).strip()
            if code:
                self._line(f"# {code}")

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

    def _call_text(self, call: Call) -> str:
        function, text = call.function, self.text
        if function is operator.getitem:
            return f"{text(call.args[0])}[{index_text(call.args[1], text)}]"
        if function is np.transpose and len(call.args) == 1 and not call.kwargs:
            return f"{text(call.args[0])}.T"
        if function in _SIGNS:
            x, y = map(text, call.args)
            return f"{x} {_SIGNS[function]} {y}"
        if getattr(function, "__objclass__", None) is np.ndarray:
            return f"{text(call.args[0])}.{function.__name__}({arguments(call, text, skip=1)})"
        return f"{text(function)}({arguments(call, text)})"

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
        if not getattr(call.function, "fixed", False) or call.kwargs or not self._fix_inputs(call):
            return False
        (result,) = call.results
        args = mapped(call.reading(self._arrays.__getitem__).args, array_of)
        try:
            inlined = Inlined(call.function, args, self.pool)
        except NotFixed:
            return False
        if Layout.of(inlined.result) != result.layout:
            self.pool.give_back(inlined.memory)
            return False
        self._pooled[result] = inlined.result
        self._fix(result, inlined.result)
        name = call.function.__name__
        if len(inlined.calls) <= _FEW_CALLS:
            for function, given in inlined.calls:
                texts = [
                    self._names.of(arg, f"{name}_part")
                    if isinstance(arg, np.ndarray)
                    else self.text(arg)
                    for arg in given
                ]
                self._line(f"{self.text(function)}({', '.join(texts)})")
        else:
            calls = self._names.of(inlined.calls, f"calls_of_{name}")
            self._line(f"for call, arguments in {calls}:")
            self._line("    call(*arguments)")
        return True

    def _fix_inputs(self, call: Call) -> bool:
        """Copy small inputs that a call reads; return whether all it reads is in fixed arrays."""
        for value in call.reads:
            if value in self._arrays:
                continue
            layout = value.layout
            if value not in self._program.inputs or layout is None:
                return False
            array = layout.empty()
            if array.nbytes > _LARGE_INPUT or Layout.of(array) != layout:
                return False
            passed = self._texts[value]
            self._arrays[value] = array
            self._texts[value] = self._names.of(array, f"{passed}_copy")
            self._line(f"{self.text(np.copyto)}({self._texts[value]}, {passed})")
        return True

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

    def _write_form(self, call: Call, form: Form, out: str) -> None:
        argument = self._argument_text(call)
        if call.function in ADAPTING and not any(v.layout and v.layout.shape for v in call.reads):
            # NumPy takes twice as long for arrays of no dimensions.
            argument, out = self._as_vector(argument), self._as_vector(str)(out)
        for line in form(call, argument, out) or ():
            self._line(line)

    def _as_vector(self, text: Text) -> Text:
        """Return a function that writes views of length 1 in place of arrays of no dimensions."""

        def vector(thing: Any) -> str:
            name = text(thing)
            array = self._names.objects.get(name)
            if isinstance(array, np.ndarray) and not array.shape:
                key = f"{name} as a vector"
                view = self._views.setdefault(key, array.reshape(1))
                return self._names.of(view, f"{name}_item")
            return name

        return vector

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
                self._written.add(slot)
                if self.first_write is None:
                    self.first_write = len(self.lines)
                self._fix(result, self._arrays[slot])
            elif self._may_keep(i, block, result):
                assert result.layout is not None
                self._reserved[result] = result.layout.empty()
                self._fix(result, self._reserved[result])
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

    # Where results go.

    def _target(self, i: int, call: Call, result: Value) -> Any:
        """Return the array for a result: a slot, an argument that is dead, or one of the pool."""
        is_kept = result in self._program.kept
        # What was kept by the last call may be read until the last check.
        if result in self._parts and (i > self._last_check or not is_kept):
            return self._parts[result]
        slot = self._slot_for(i, call, result)
        if i > self._last_check and is_kept:
            self._reserved[result] = result.layout.empty()  # type: ignore[union-attr]
            return self._reserved[result]
        if slot is not None:
            self._written.add(slot)
            if self.first_write is None:
                self.first_write = len(self.lines)
            return self._arrays[slot]
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

    def _is_returned(self, result: Value) -> bool:
        """Return whether the only use of a result at the end is to be returned."""
        program = self._program
        others = [*program.writes.values(), *program.kept]
        return result in program.outputs and result not in others

    # Numbers among the arguments of ufuncs.

    def _argument_text(self, call: Call) -> Any:
        """Return the function that writes the arguments of a call.

        A Python number becomes an array of no dimensions: converting it takes longer than most
        small calls.
        """
        dtype = self._adapting_dtype(call)
        if dtype is None:
            return self.text

        def text(thing: Any) -> str:
            if type(thing) in (int, float):
                return self._names.of(self._scalar(thing, dtype), f"number_{thing!r}")
            if isinstance(thing, Value) and thing.layout is None:
                return self._cell(thing, dtype)
            return self.text(thing)

        return text

    def _adapting_dtype(self, call: Call) -> Any:
        if call.function not in ADAPTING or call.kwargs:
            return None
        layouts = [v.layout for v in call.reads] + [
            Layout.of(a.array) for a in call.args if isinstance(a, Constant)
        ]
        dtypes = {layout.dtype for layout in layouts if layout is not None}
        others = [a for a in call.args if not isinstance(a, Value | Constant | int | float)]
        if len(dtypes) != 1 or others or any(isinstance(a, bool) for a in call.args):
            return None
        (dtype,) = dtypes
        return dtype if dtype.char in "fd" else None

    def _scalar(self, number: Any, dtype: Any) -> Any:
        key = (repr(number), dtype)
        if key not in self._scalar_arrays:
            self._scalar_arrays[key] = np.array(number, dtype)
        return self._scalar_arrays[key]

    def _cell(self, number: Value, dtype: Any) -> str:
        """Return the name of an array that holds a number of the program."""
        key = (number, dtype)
        if key not in self._scalars:
            cell = np.zeros((), dtype)
            name = self._scalars[key] = self._names.of(cell, f"{number.label}_array")
            self._line(f"{name}[()] = {self.text(number)}")
        return self._scalars[key]

    # The end.

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


def key_text(container: Any, key: Any, names: Names) -> str:
    """Return the text that selects an item of a container, or an attribute of something else."""
    if not isinstance(container, Mapping | list | deque):
        return f".{key}"
    return f"[{key!r}]" if isinstance(key, int | str) else f"[{names.of(key, 'key')}]"


def _wanted(thing: Any) -> str:
    """Return a readable name for an object."""
    if isinstance(thing, np.ndarray):
        return "constant"
    if isinstance(thing, np.dtype):
        return str(thing)
    if isinstance(thing, np.random.Generator):
        return "generator"
    owner = getattr(thing, "__self__", None)
    name = getattr(thing, "__name__", type(thing).__name__)
    return f"{owner.__name__}_{name}" if isinstance(owner, np.ufunc) else str(name)
