"""The function that a call of a compiled step runs.

It is generated once for each program, as straight-line Python: the guards, the numbers, the call of
the program, and the writes of the new state. Loops over the state would take longer than a small
program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch_core.extend import array_text, define, from_array

from tinytorch_xla.arguments import Leaf
from tinytorch_xla.array import Array
from tinytorch_xla.checks import FailedCheckError, InputCheck
from tinytorch_xla.engine import jax
from tinytorch_xla.guards import CHANGED, Guards, Slot, array_lines, item_text, set_line
from tinytorch_xla.numbers import Number, Tape
from tinytorch_xla.places import Box
from tinytorch_xla.random import seed_from
from tinytorch_xla.sharding import active_mesh, placed, unplaced
from tinytorch_xla.source import Source

# What the guards raise if something was removed, or a number cannot be computed any more.
_ERRORS = (LookupError, ArithmeticError, ValueError, TypeError, AttributeError)


@dataclass(frozen=True)
class Plan:
    """What a call does.

    Attributes:
        tree: the arguments of the step, with leaves in place of the arrays.
        inputs: the shapes and dtypes of these arrays.
        mesh: the mesh of the devices, or None.
        guards: what must be as it was.
        slots: where the step reads and writes arrays.
        read: the indices of the slots that the program reads, in its order.
        changed: the indices of those that it replaces, in its order.
        dropped: the indices of those that are None afterwards.
        numbers: the numbers among the state.
        first_equal: for each of them the index of the first number that it must be equal to.
        tape: what Python computes of them.
        uses: the indices of the numbers that the program reads.
        ends: the numbers that the step replaces, and their new values.
        generators: the generators that the step reaches.
        drawing: the indices of those from which the program draws.
        checks: the checks of arguments.
        is_checked: whether the last output of the program tells if its checks hold.
        waits: whether to wait for the end of the program, which calls Python functions.
        outputs: the number of arrays in the result.
        result: the result of the step, with leaves in place of the arrays.
        program: the function of JAX.
    """

    tree: Any
    inputs: Sequence[tuple[tuple[int, ...], np.dtype[Any]]]
    mesh: Any
    guards: Guards
    slots: Sequence[Slot]
    read: Sequence[int]
    changed: Sequence[int]
    dropped: Sequence[int]
    numbers: Sequence[tuple[Box, Any]]
    first_equal: Sequence[int]
    tape: Tape
    uses: Sequence[int]
    ends: Sequence[tuple[Box, Any, Any]]
    generators: Sequence[tuple[Box, Any, np.random.Generator]]
    drawing: Sequence[int]
    checks: Sequence[InputCheck]
    is_checked: bool
    waits: bool
    outputs: int
    result: Any
    program: Callable[..., Any]

    def function(self, name: str) -> Callable[[Any, Any], Any]:
        """Return a function of the arguments and keyword arguments of the step.

        It returns `CHANGED` if the program does not hold, and raises `FailedCheckError` if a check
        of values fails; the state is unchanged then.
        """
        args, kwargs = self.tree
        source = Source()
        source.add(f"if len(args) != {len(args)} or {_other_keys('kwargs', kwargs, source)}:")
        source.add(f"    return {source.name(CHANGED, 'CHANGED')}")
        for index, item in enumerate(args):
            self._add_argument(item, f"args[{index}]", source)
        for key, item in kwargs.items():
            self._add_argument(item, f"kwargs[{key!r}]", source)
        return self._function(name, "args, kwargs", source)

    def function_of_arrays(self, name: str) -> Callable[[Any], Any]:
        """Return a function of the arrays among arguments that are known to match the program."""
        source = Source()
        for index in range(len(self.inputs)):
            source.add(f"x{index} = arrays[{index}]")
            source.add(f"a{index} = {source.name(unplaced, 'unplaced')}(x{index})")
        return self._function(name, "arrays", source)

    def _function(self, name: str, arguments: str, source: Source) -> Callable[..., Any]:
        """Return the function, given the lines that assign the arguments to a0, a1 and so on.

        The variables x0, x1 and so on are these arrays, too, as an `Array` for one of JAX.
        """
        self._add_guards(source)
        errors = source.name(_ERRORS, "errors")
        changed = source.name(CHANGED, "CHANGED")
        guards = ["try:", *_indented(source.lines), f"except {errors}:", f"    return {changed}"]
        source.lines = []
        self._add_checks(source)
        self._add_run(source)
        self._add_writes(source)
        result = self._result_text(self.result, source)
        source.add(f"return {result}")
        lines = [f"def call({arguments}):", *_indented([*guards, *source.lines]), ""]
        return define(name, lambda names: "\n".join(lines), source.objects)

    def _add_argument(self, tree: Any, text: str, source: Source) -> None:
        """Add lines that compare an argument with the one of the program."""
        changed = f"    return {source.name(CHANGED, 'CHANGED')}"
        if isinstance(tree, Leaf):
            self._add_array(tree, text, source)
        elif isinstance(tree, tuple | list) or type(tree) is dict:
            kind = source.name(type(tree), "kind")
            items = tree if isinstance(tree, dict) else dict(enumerate(tree))
            differs = f"len({text}) != {len(tree)}"
            if isinstance(tree, dict):
                differs = _other_keys(text, tree, source)
            source.add(f"if {text}.__class__ is not {kind} or {differs}:", changed)
            for key, item in items.items():
                self._add_argument(item, f"{text}[{source.literal(key)}]", source)
        elif isinstance(tree, bool | int | float | complex | str | bytes):
            kind = source.name(type(tree), "kind")
            value = source.literal(tree)
            source.add(f"if {text}.__class__ is not {kind} or {text} != {value}:", changed)
        else:
            source.add(f"if {text} is not {source.name(tree, type(tree).__name__)}:", changed)

    def _add_array(self, leaf: Leaf, text: str, source: Source) -> None:
        changed = f"    return {source.name(CHANGED, 'CHANGED')}"
        shape, dtype = self.inputs[leaf.index]
        x, a = f"x{leaf.index}", f"a{leaf.index}"
        source.add(f"{x} = {text}")
        if leaf.kind is not None:
            kind = source.name(leaf.kind, "Tensor")
            tracked = f" or {x}.requires_grad" if hasattr(leaf.kind, "requires_grad") else ""
            source.add(f"if {x}.__class__ is not {kind}{tracked}:", changed)
            source.add(f"{x} = {array_text(x)}")
        array, ndarray = source.name(Array, "Array"), source.name(np.ndarray, "ndarray")
        jax_array = source.name(_array_class(), "JaxArray")
        kinds = f"{a}.__class__ is not {ndarray} and {a}.__class__ is not {jax_array}"
        name = source.name(dtype, "dtype")
        other_dtype = f"{a}.dtype is not {name} and {a}.dtype != {name}"
        source.add(
            f"{a} = {x}.value if {x}.__class__ is {array} else {x}",
            f"if {kinds} or {a}.shape != {shape} or {other_dtype}:",
            changed,
        )

    def _add_guards(self, source: Source) -> None:
        changed = f"    return {source.name(CHANGED, 'CHANGED')}"
        self.guards.add_modes(source)
        mesh = source.name(active_mesh, "active_mesh")
        differs = "is not None" if self.mesh is None else f"!= {source.name(self.mesh, 'mesh')}"
        source.add(f"if {mesh}() {differs}:", changed)
        self.guards.add_state(source, self.read)
        for box, key, generator in self.generators:
            known = source.name(generator, "generator")
            source.add(f"if {item_text(box, key, source)} is not {known}:", changed)
        for index, (box, key) in enumerate(self.numbers):
            source.add(f"n{index} = {item_text(box, key, source)}")
            if (first := self.first_equal[index]) != index:
                source.add(f"if n{index} != n{first}:", changed)
        self.tape.add_lines(source, changed)

    def _add_checks(self, source: Source) -> None:
        for check in self.checks:
            x, a, name = f"x{check.index}", f"a{check.index}", source.name(check, "check")
            # An array of JAX cannot change, so it is checked once.
            unchecked = f"{x}.__class__ is not {source.name(Array, 'Array')} or {x}.checked is not"
            source.add(f"if {unchecked} {name}:", f"    {name}.run({x}, {a})")

    def _add_run(self, source: Source) -> None:
        """Add lines that draw seeds, and run the program."""
        generators = [self.generators[i][2] for i in self.drawing]
        names = [source.name(generator, "generator") for generator in generators]
        if self.is_checked and names:
            states = source.tuple(f"{name}.bit_generator.state" for name in names)
            source.add(f"states = {states}")
        arrays = [f"v{i}" for i in self.read]
        inputs = [f"a{i}" for i in range(len(self.inputs))]
        if self.mesh is not None:
            # Before seeds are drawn, because it raises an error for a batch that cannot be split.
            place, mesh = source.name(placed, "placed"), source.name(self.mesh, "mesh")
            source.add(*(f"{array} = {place}({array}, {mesh}, True)" for array in arrays))
            source.add(*(f"{array} = {place}({array}, {mesh}, False)" for array in inputs))
        seeds = [f"{source.name(seed_from, 'seed_from')}({name})" for name in names]
        given = [*arrays, *(f"n{i}" for i in self.uses), *seeds, *inputs]
        outputs = [f"o{i}" for i in range(self.outputs)] + [f"w{i}" for i in self.changed]
        outputs += ["ok"] if self.is_checked else []
        run = f"{source.name(self.program, 'program')}({', '.join(given)})"
        source.add(f"{source.tuple(outputs)} = {run}" if outputs else run)

    def _add_writes(self, source: Source) -> None:
        if self.waits and self.changed:
            wait = source.name(jax.block_until_ready, "wait")
            source.add(f"{wait}({source.tuple(f'w{i}' for i in self.changed)})")
        # The array of a tensor is written before its gradient.
        tensors = {id(slot.owner) for i in self.changed if (slot := self.slots[i]).is_data}
        for i in self.changed:
            slot = self.slots[i]
            source.add(*slot.write_lines(f"w{i}", id(slot.owner) in tensors, source))
        if self.is_checked:
            # After the writes: if a check fails, the program returns the old values, in new arrays.
            # NumPy takes less time than bool() of an array of JAX.
            source.add(f"if not {source.name(np.asarray, 'asarray')}(ok):")
            for position, i in enumerate(self.drawing):
                name = source.name(self.generators[i][2], "generator")
                source.add(f"    {name}.bit_generator.state = states[{position}]")
            source.add(f"    raise {source.name(FailedCheckError, 'FailedCheckError')}")
        for i in self.dropped:
            source.add(f"{source.name(self.slots[i].write, 'write')}(None)")
        for box, key, end in self.ends:
            value = f"n{end.index}" if isinstance(end, Number) else source.literal(end)
            source.add(set_line(box, key, value, source))

    def _result_text(self, tree: Any, source: Source) -> str:
        """Return the text of the result, or of a part of it, and add lines that it needs."""
        if isinstance(tree, Leaf):
            result = f"r{tree.index}"
            source.add(*array_lines(result, f"o{tree.index}", source))
            if tree.kind is None:
                return result
            kind = source.name(tree.kind, "Tensor")
            return f"{source.name(from_array, 'from_array')}({kind}, {result})"
        if isinstance(tree, Number):
            return f"n{tree.index}"
        if type(tree) is dict:
            items = [
                f"{source.literal(k)}: {self._result_text(v, source)}" for k, v in tree.items()
            ]
            return f"{{{', '.join(items)}}}"
        if not isinstance(tree, tuple | list):
            return source.literal(tree)
        items = [self._result_text(item, source) for item in tree]
        if type(tree) is list:
            return f"[{', '.join(items)}]"
        if type(tree) is tuple:
            return source.tuple(items)
        kind = source.name(type(tree), "kind")
        given = ", ".join(items) if hasattr(tree, "_fields") else source.tuple(items)
        return f"{kind}({given})"


def _other_keys(text: str, items: dict[Any, Any], source: Source) -> str:
    """Return the condition that a dict has other keys, or in another order."""
    return f"[*{text}] != {source.name([*items], 'keys')}" if items else text


@functools.cache
def _array_class() -> type:
    """Return the class of arrays of JAX that have values; `jax.Array` is an abstract class."""
    return type(jax.device_put(np.zeros(())))


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]
