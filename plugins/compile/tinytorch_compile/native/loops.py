"""Loops over elements: elementwise calls, writes and checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinytorch_compile.native.elementwise import OPERATIONS
from tinytorch_compile.native.emitter import Emitter, literal, scalar_type
from tinytorch_compile.native.function import (
    Function,
    Indices,
    Kernel,
    Operand,
    Root,
    Taken,
    element_text,
    headers,
    operand_text,
    ordered_axes,
    part_text,
    parts_of,
)
from tinytorch_compile.native.geometry import Part


@dataclass(eq=False)
class Statement:
    """Computes one element of a value from the same elements of operands.

    Attributes:
        result: the elements of the value.
        operands: the operands, broadcast to the shape of the result.
        dtypes: the dtype that each operand is converted to.
        compute: takes the emitter and the operands; returns the result.
        dtype: the dtype of what it returns, which is converted to that of the result.
        label: the name of the function.
    """

    result: Part
    operands: tuple[Operand, ...]
    dtypes: tuple[np.dtype[Any], ...]
    compute: Callable[[Emitter, list[str]], str]
    dtype: np.dtype[Any]
    label: str


@dataclass(eq=False)
class Elementwise(Kernel):
    """Statements in one loop.

    Attributes:
        statements: the statements.
        stored: the roots that are stored; other results exist only within a round of the loop.
    """

    statements: list[Statement]
    stored: set[Root] = field(default_factory=set)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the loops."""
        return self.statements[0].result.shape

    def joins(self, statement: Statement) -> bool:
        """Return whether a statement can be added."""
        own = {s.result.root for s in self.statements}
        for operand in statement.operands:
            for part in parts_of(operand):
                if part.root in own and not (part is operand and part.is_whole):
                    return False
        return statement.result.shape == self.shape

    def reads(self) -> Iterator[Part]:
        own: set[Root] = set()
        for statement in self.statements:
            for operand in statement.operands:
                yield from (p for p in parts_of(operand) if p.root not in own)
            own.add(statement.result.root)

    def targets(self) -> Iterator[Part]:
        return (s.result for s in self.statements)

    def emit(self, function: Function) -> str:
        stored = [s.result for s in self.statements if s.result.root in self.stored]
        parts = [*stored, *self.reads()]
        if stored and 0 not in self.shape:
            axes = ordered_axes(self.shape, parts)
            function.nest(axes, self.shape, lambda indices: self._round(function, indices))
        return ""

    def _round(self, function: Function, indices: Indices) -> None:
        known: dict[Root, str] = {}
        emitter = function.emitter
        for s in self.statements:
            operands = []
            for operand, dtype in zip(s.operands, s.dtypes, strict=True):
                if isinstance(operand, Part) and operand.root in known:
                    value = emitter.cast(known[operand.root], operand.dtype, dtype)
                else:
                    value = function.load(operand, indices, dtype)
                operands.append(value)
            value = emitter.cast(s.compute(emitter, operands), s.dtype, s.result.dtype)
            known[s.result.root] = value
            if s.result.root in self.stored:
                function.store(value, s.result, indices)

    def text(self, name: Callable[[Root], str]) -> list[str]:
        variables = [f"i{axis}" for axis in range(len(self.shape))]
        lines = headers(variables, self.shape)
        indent = "    " * len(lines)
        own: set[Root] = set()
        for s in self.statements:
            operands = [operand_text(o, variables, name, own) for o in s.operands]
            root = s.result.root
            is_stored = root in self.stored
            target = element_text(name(root), variables) if is_stored else name(root)
            own.add(root)
            lines.append(f"{indent}{target} = {s.label}({', '.join(operands)})")
        return lines


@dataclass(eq=False)
class Write(Kernel):
    """Writes values into elements of an array that exists, one after the other.

    Attributes:
        target: the elements.
        value: what is written.
        label: "=", "+=" or "-=".
    """

    target: Part | Taken
    value: Operand
    label: str

    @property
    def _part(self) -> Part:
        return self.target.rest if isinstance(self.target, Taken) else self.target

    def reads(self) -> Iterator[Part]:
        yield from parts_of(self.target)
        yield from parts_of(self.value)

    def targets(self) -> Iterator[Part]:
        yield self._part

    def emit(self, function: Function) -> str:
        emitter, part = function.emitter, self._part
        if not part.size:
            return ""
        operation = {"+=": np.add, "-=": np.subtract}.get(self.label)

        def one(indices: Indices) -> None:
            value = function.load(self.value, indices, part.dtype)
            terms = indices.terms(part)
            if isinstance(self.target, Taken):
                for index, step, length in self.target.indices:
                    number = function.load(index, indices, np.dtype("q"))
                    terms.append((function.wrapped(number, length), step))
            position = emitter.sum(terms, part.offset)
            pointer = function.pointer(part.root)
            if operation is not None:
                old = emitter.load(pointer, part.dtype, position)
                value = OPERATIONS[operation](emitter, [old, value], part.dtype)
            emitter.store(value, pointer, part.dtype, position)

        parts = [part, *self.reads()]
        # In the order of the indices, because an element may be written several times.
        axes = [[axis] for axis in range(len(part.shape))]
        if not isinstance(self.target, Taken):
            axes = ordered_axes(part.shape, parts)
        function.nest(axes, part.shape, one)
        return ""

    def text(self, name: Callable[[Root], str]) -> list[str]:
        variables = [f"i{axis}" for axis in range(len(self._part.shape))]
        lines = headers(variables, self._part.shape)
        target = operand_text(self.target, variables, name, set())
        value = operand_text(self.value, variables, name, set())
        return [*lines, f"{'    ' * len(lines)}{target} {self.label} {value}"]


@dataclass(eq=False)
class Bounds(Kernel):
    """Checks that integers are at least `low` and below `high`."""

    part: Part
    low: int
    high: int
    checks = True

    def reads(self) -> Iterator[Part]:
        yield self.part

    def targets(self) -> Iterator[Part]:
        return iter(())

    def emit(self, function: Function) -> str:
        emitter = function.emitter
        axes = ordered_axes(self.part.shape, [self.part])

        def level(rest: list[list[int]], names: tuple[str, ...], wrong: str) -> str:
            if not rest:
                value = function.load(self.part, Indices(axes, names), np.dtype("q"))
                if self.low:
                    value = emitter.new(f"sub i64 {value}, {self.low}")
                here = emitter.new(f"icmp uge i64 {value}, {self.high - self.low}")
                return emitter.new(f"or i1 {wrong}, {here}")

            def body(index: str, carried: str) -> list[str]:
                return [level(rest[1:], (*names, index), carried)]

            count = math.prod(self.part.shape[axis] for axis in rest[0])
            return emitter.loop(count, body, [("i1", wrong)])[0]

        return level(axes, (), "false") if self.part.size else "false"

    def text(self, name: Callable[[Root], str]) -> list[str]:
        variables = [f"i{axis}" for axis in range(len(self.part.shape))]
        element = part_text(self.part, variables, name)
        return [f"# leave unless {self.low} <= {element} < {self.high} for all indices"]


@dataclass(eq=False)
class Decision(Kernel):
    """Checks that a number, or an array of one element, is what it was in the capture."""

    operand: Operand
    dtype: np.dtype[Any]
    expected: Any
    checks = True

    def reads(self) -> Iterator[Part]:
        return parts_of(self.operand)

    def targets(self) -> Iterator[Part]:
        return iter(())

    def emit(self, function: Function) -> str:
        emitter = function.emitter
        value = function.load(self.operand, Indices([], []), self.dtype)
        if self.dtype.kind != "f":
            expected = literal(self.expected, self.dtype)
            return emitter.new(f"icmp ne {scalar_type(self.dtype)} {value}, {expected}")
        # 0.0 and -0.0 are equal as numbers, but a step may tell them apart.
        bits = emitter.new(f"bitcast double {value} to i64")
        return emitter.new(f"icmp ne i64 {bits}, {np.float64(self.expected).view(np.int64)}")

    def text(self, name: Callable[[Root], str]) -> list[str]:
        element = operand_text(self.operand, [], name, set())
        return [f"# leave unless {element} == {self.expected!r}"]
