"""Functions of compiled code: their operands, loops and arguments."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch_compile.native.emitter import Emitter, literal
from tinytorch_compile.native.geometry import Part
from tinytorch_compile.native.machine import has_feature
from tinytorch_compile.program import Constant, Value

Root = Value | Constant


@dataclass(frozen=True)
class Scalar:
    """A number: a Python number, or a number of the program, which is a float64."""

    number: Any


@dataclass(frozen=True)
class Taken:
    """Elements that arrays of indices select from an array.

    Attributes:
        rest: the elements for the index 0.
        indices: for each indexed axis the indices, how many elements apart neighbours along the
            axis are, and the length of the axis. Negative indices count from its end.
    """

    rest: Part
    indices: tuple[tuple[Part, int, int], ...]

    def broadcast(self, shape: tuple[int, ...]) -> Taken:
        """Return the elements repeated along new axes and those of length 1."""
        indices = tuple((part.broadcast(shape), step, n) for part, step, n in self.indices)
        return Taken(self.rest.broadcast(shape), indices)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.rest.dtype


Operand = Part | Taken | Scalar


def parts_of(operand: Operand) -> Iterator[Part]:
    """Yield the parts that an operand reads."""
    if isinstance(operand, Part):
        yield operand
    elif isinstance(operand, Taken):
        yield operand.rest
        for part, _, _ in operand.indices:
            yield part


class Function:
    """A function of compiled code: an emitter, and the names of its arguments.

    Attributes:
        emitter: the emitter.
        pointers: the arguments for the memory of roots.
        numbers: the arguments for numbers.
    """

    def __init__(self, place_of: Callable[[Root], Root]) -> None:
        self.emitter = Emitter()
        self._place_of = place_of
        self.pointers: dict[Root, str] = {}
        self.numbers: dict[Value, str] = {}

    def pointer(self, root: Root) -> str:
        """Return the pointer to the memory of a root."""
        return self.pointers.setdefault(self._place_of(root), f"%p{len(self.pointers)}")

    def number(self, value: Value) -> str:
        """Return the argument for a number."""
        return self.numbers.setdefault(value, f"%x{len(self.numbers)}")

    def load(self, operand: Operand, indices: Indices, dtype: np.dtype[Any]) -> str:
        """Return an element of an operand, converted to a dtype."""
        emitter = self.emitter
        if isinstance(operand, Scalar):
            if not isinstance(operand.number, Value):
                return literal(operand.number, dtype)
            return emitter.cast(self.number(operand.number), np.dtype("d"), dtype)
        if isinstance(operand, Taken):
            terms = indices.terms(operand.rest)
            for part, step, length in operand.indices:
                number = self.load(part, indices, np.dtype("q"))
                terms.append((self.wrapped(number, length), step))
            part, position = operand.rest, emitter.sum(terms, operand.rest.offset)
        else:
            part, position = operand, emitter.sum(indices.terms(operand), operand.offset)
        value = emitter.load(self.pointer(part.root), part.dtype, position)
        return emitter.cast(value, part.dtype, dtype)

    def wrapped(self, number: str, length: int) -> str:
        emitter = self.emitter
        negative = emitter.new(f"icmp slt i64 {number}, 0")
        added = emitter.new(f"add i64 {number}, {length}")
        return emitter.new(f"select i1 {negative}, i64 {added}, i64 {number}")

    def store(self, value: str, part: Part, indices: Indices) -> None:
        """Store an element."""
        position = self.emitter.sum(indices.terms(part), part.offset)
        self.emitter.store(value, self.pointer(part.root), part.dtype, position)

    def nest(
        self, axes: Sequence[list[int]], shape: Sequence[int], body: Callable[[Indices], None]
    ) -> None:
        """Add nested loops over groups of axes, the first outermost."""

        def inner(found: tuple[str, ...], rest: Sequence[list[int]]) -> None:
            if not rest:
                body(Indices(axes, found))
                return
            count = math.prod(shape[axis] for axis in rest[0])

            def one(index: str) -> None:
                inner((*found, index), rest[1:])

            self.emitter.loop(count, one)

        inner((), axes)


@dataclass
class Indices:
    """The variables of nested loops, each for a group of axes that are next to each other."""

    axes: Sequence[list[int]]
    names: Sequence[str]

    def terms(self, part: Part) -> list[tuple[str, int]]:
        """Return the products whose sum is the position of an element."""
        pairs = zip(self.axes, self.names, strict=False)
        return [(name, part.strides[group[-1]]) for group, name in pairs]


def ordered_axes(
    shape: Sequence[int], parts: Sequence[Part], among: Iterable[int] | None = None
) -> list[list[int]]:
    """Return groups of axes for loops: the first part is passed through in order of memory.

    Args:
        shape: the shape.
        parts: all parts that the loops use, of this shape.
        among: the axes; by default all.
    """
    axes = [axis for axis in (range(len(shape)) if among is None else among) if shape[axis] != 1]
    lead = parts[0]
    axes.sort(key=lambda axis: -abs(lead.strides[axis]))
    groups: list[list[int]] = []
    for axis in axes:
        if groups and all(
            part.strides[groups[-1][-1]] == part.strides[axis] * shape[axis] for part in parts
        ):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


class Kernel(ABC):
    """Loops that become one function. The base of all kinds."""

    # Whether the function returns true if the program does not hold any more.
    checks = False

    @abstractmethod
    def reads(self) -> Iterator[Part]:
        """Yield the parts that the loops read."""

    @abstractmethod
    def targets(self) -> Iterator[Part]:
        """Yield the parts that they write."""

    def writes(self) -> Iterator[Root]:
        """Yield the roots of what they write."""
        return (part.root for part in self.targets())

    @abstractmethod
    def emit(self, function: Function) -> str:
        """Add the loops to a function, and return what it returns, or ""."""

    @abstractmethod
    def text(self, name: Callable[[Root], str]) -> list[str]:
        """Return the loops as lines that people can read."""


def headers(variables: Sequence[str], shape: Sequence[int]) -> list[str]:
    """Return the first lines of nested loops, as people can read them."""
    pairs = enumerate(zip(variables, shape, strict=True))
    return [f"{'    ' * depth}for {i} in range({n}):" for depth, (i, n) in pairs]


def element_text(name: str, variables: Sequence[str]) -> str:
    """Return the text of an element of an array."""
    return f"{name}[{', '.join(variables)}]" if variables else f"{name}[()]"


def part_text(part: Part, variables: Sequence[str], name: Callable[[Root], str]) -> str:
    """Return the text of an element of a part."""
    if not any(part.strides) and part.size == 1 and isinstance(part.root, Constant):
        return repr(part.root.array.reshape(-1)[part.offset].item())
    if part.is_whole:
        return element_text(name(part.root), variables)
    pairs = zip(variables, part.strides, strict=True)
    terms = [v if s == 1 else f"{v} * {s}" for v, s in pairs if s]
    if part.offset or not terms:
        terms.append(str(part.offset))
    return f"{name(part.root)}.flat[{' + '.join(terms)}]"


def operand_text(
    operand: Operand, variables: Sequence[str], name: Callable[[Root], str], own: set[Root]
) -> str:
    """Return the text of an element of an operand; values in `own` are not in arrays."""
    if isinstance(operand, Scalar):
        number = operand.number
        return name(number) if isinstance(number, Value) else repr(number)
    if isinstance(operand, Taken):
        rest = part_text(operand.rest, variables, name)
        added = [f"{part_text(p, variables, name)} * {s}" for p, s, _ in operand.indices]
        return f"{rest[:-1]} + {' + '.join(added)}]"
    if operand.root in own:
        return name(operand.root)
    return part_text(operand, variables, name)


def vector_widths(length: int, dtype: np.dtype[Any], most: int = 1) -> list[tuple[int, int]]:
    """Return how to divide a length into vectors: pairs of a width and a count.

    Args:
        length: the number of elements.
        dtype: their dtype.
        most: how many registers a vector may take.
    """
    register = (64 if has_feature("avx512f") else 32) // dtype.itemsize
    width, pairs = register * most, []
    while length:
        while width > length:
            width //= 2
        pairs.append((width, length // width))
        length %= width
    return pairs
