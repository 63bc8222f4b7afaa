"""The loops that compiled code consists of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinytorch_compile.native.elementwise import OPERATIONS, intrinsic
from tinytorch_compile.native.emitter import Emitter, literal, scalar_type
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
                terms.append((self._wrapped(number, length), step))
            part, position = operand.rest, emitter.sum(terms, operand.rest.offset)
        else:
            part, position = operand, emitter.sum(indices.terms(operand), operand.offset)
        value = emitter.load(self.pointer(part.root), part.dtype, position)
        return emitter.cast(value, part.dtype, dtype)

    def _wrapped(self, number: str, length: int) -> str:
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


class Kernel:
    """Loops that become one function. The base of all kinds."""

    # Whether the function returns true if the program does not hold any more.
    checks = False

    def reads(self) -> Iterator[Part]:
        """Yield the parts that the loops read."""
        raise NotImplementedError

    def writes(self) -> Iterator[Root]:
        """Yield the roots of what they write."""
        raise NotImplementedError

    def emit(self, function: Function) -> str:
        """Add the loops to a function, and return what it returns, or ""."""
        raise NotImplementedError

    def text(self, name: Callable[[Root], str]) -> list[str]:
        """Return the loops as lines that people can read."""
        raise NotImplementedError


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

    def writes(self) -> Iterator[Root]:
        return (s.result.root for s in self.statements)

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
        lines = _headers(variables, self.shape)
        indent = "    " * len(lines)
        own: set[Root] = set()
        for s in self.statements:
            operands = [_operand_text(o, variables, name, own) for o in s.operands]
            root = s.result.root
            is_stored = root in self.stored
            target = _element_text(name(root), variables) if is_stored else name(root)
            own.add(root)
            lines.append(f"{indent}{target} = {s.label}({', '.join(operands)})")
        return lines


def _headers(variables: Sequence[str], shape: Sequence[int]) -> list[str]:
    pairs = enumerate(zip(variables, shape, strict=True))
    return [f"{'    ' * depth}for {i} in range({n}):" for depth, (i, n) in pairs]


def _element_text(name: str, variables: Sequence[str]) -> str:
    return f"{name}[{', '.join(variables)}]" if variables else f"{name}[()]"


def part_text(part: Part, variables: Sequence[str], name: Callable[[Root], str]) -> str:
    """Return the text of an element of a part."""
    if not any(part.strides) and part.size == 1 and isinstance(part.root, Constant):
        return repr(part.root.array.reshape(-1)[part.offset].item())
    if part.is_whole:
        return _element_text(name(part.root), variables)
    pairs = zip(variables, part.strides, strict=True)
    terms = [v if s == 1 else f"{v} * {s}" for v, s in pairs if s]
    if part.offset or not terms:
        terms.append(str(part.offset))
    return f"{name(part.root)}.flat[{' + '.join(terms)}]"


def _operand_text(
    operand: Operand, variables: Sequence[str], name: Callable[[Root], str], own: set[Root]
) -> str:
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


# The operations of reductions: the first value, the number of operands of each reduction in
# LLVM's text, for scalars and vectors.
_FIRST: dict[Any, Any] = {
    np.add: 0,
    np.multiply: 1,
    np.maximum: -math.inf,
    np.minimum: math.inf,
    np.logical_or: 0,
    np.logical_and: 1,
}
REDUCTIONS = frozenset(_FIRST)


def _combined(emitter: Emitter, ufunc: Any, x: str, y: str, kind: str) -> str:
    """Return two values combined, scalars or vectors of floats."""
    if "i1" in kind:
        return emitter.new(f"{'or' if ufunc is np.logical_or else 'and'} {kind} {x}, {y}")
    is_float = "float" in kind or "double" in kind
    if ufunc in (np.add, np.multiply):
        name = {np.add: "add", np.multiply: "mul"}[ufunc]
        full = f"f{name} reassoc nsz contract" if is_float else name
        return emitter.new(f"{full} {kind} {x}, {y}")
    return intrinsic(emitter, "maximum" if ufunc is np.maximum else "minimum", [x, y], kind)


@dataclass(eq=False)
class Reduction(Kernel):
    """The elements of a value, each computed from the elements along some axes.

    Attributes:
        result: the elements of the value, of the shape of `source`; strides of 0 along the axes.
        source: the elements.
        axes: the axes.
        ufunc: the ufunc that combines two elements.
        dtype: the dtype in which they are combined.
    """

    result: Part
    source: Part
    axes: tuple[int, ...]
    ufunc: Any
    dtype: np.dtype[Any]

    def reads(self) -> Iterator[Part]:
        yield self.source

    def writes(self) -> Iterator[Root]:
        yield self.result.root

    def emit(self, function: Function) -> str:
        shape, source = self.source.shape, self.source
        kept = [axis for axis in range(len(shape)) if axis not in self.axes]
        outer = ordered_axes(shape, [source, self.result], kept)
        inner = ordered_axes(shape, [source], self.axes)
        if math.prod(shape[axis] for axis in kept) == 0:
            return ""
        last = outer[-1][-1] if outer else -1
        is_column = outer and source.strides[last] == 1 == self.result.strides[last]
        plain = source.dtype == self.dtype == self.result.dtype and self.dtype.char in "fd"
        if is_column and plain and inner and source.strides[inner[-1][-1]] != 1:
            self._columns(function, outer, inner)
        else:
            body = lambda indices: self._element(function, indices, inner)  # noqa: E731
            function.nest(outer, shape, body)
        return ""

    def _first(self, dtype: np.dtype[Any]) -> str:
        first = _FIRST[self.ufunc]
        if dtype.kind in "iu" and not isinstance(first, int):
            limits = np.iinfo(dtype)
            first = limits.min if first < 0 else limits.max
        return literal(first, dtype)

    def _element(self, function: Function, outer: Indices, inner: list[list[int]]) -> None:
        """Compute one element of the result."""
        emitter, shape = function.emitter, self.source.shape
        count = math.prod(shape[axis] for axis in self.axes)
        dtype = self.dtype
        if dtype.char == "f" and self.ufunc is np.add and count > 64:
            dtype = np.dtype("d")  # NumPy adds pairs of partial sums, which is as exact
        kind = scalar_type(dtype)

        def level(axes: list[list[int]], names: tuple[str, ...], total: str) -> str:
            if not axes:
                indices = Indices([*outer.axes, *inner], [*outer.names, *names])
                value = function.load(self.source, indices, dtype)
                if kind[0] == "i" and kind != "i1" and self.ufunc in (np.maximum, np.minimum):
                    return OPERATIONS[self.ufunc](emitter, [total, value], dtype)
                return _combined(emitter, self.ufunc, total, value, kind)

            def body(index: str, carried: str) -> list[str]:
                return [level(axes[1:], (*names, index), carried)]

            count = math.prod(shape[axis] for axis in axes[0])
            return emitter.loop(count, body, [(kind, total)])[0]

        total = level(inner, (), self._first(dtype))
        function.store(emitter.cast(total, dtype, self.result.dtype), self.result, outer)

    def _columns(self, function: Function, outer: list[list[int]], inner: list[list[int]]) -> None:
        """Compute neighbouring elements at once, in registers."""
        shape = self.source.shape
        columns = math.prod(shape[axis] for axis in outer[-1])

        def row(indices: Indices) -> None:
            start = 0
            for width, count in vector_widths(columns, self.dtype, 4):
                self._strip(function, indices, outer, inner, start, width, count)
                start += width * count

        function.nest(outer[:-1], shape, row)

    def _strip(
        self,
        function: Function,
        outer: Indices,
        groups: list[list[int]],
        inner: list[list[int]],
        start: int,
        width: int,
        count: int,
    ) -> None:
        emitter, dtype = function.emitter, self.dtype
        kind = f"<{width} x {scalar_type(dtype)}>"
        first = emitter.spread(self._first(dtype), width, scalar_type(dtype))

        def strip(block: str) -> None:
            column = emitter.sum([(block, width)], start)

            def address(part: Part, indices: Indices) -> str:
                terms = [*indices.terms(part), (column, 1)]
                position = emitter.sum(terms, part.offset)
                return emitter.element(function.pointer(part.root), dtype, position)

            def level(axes: list[list[int]], names: tuple[str, ...], total: str) -> str:
                if not axes:
                    indices = Indices([*outer.axes, *inner], [*outer.names, *names])
                    where = address(self.source, indices)
                    value = emitter.new(f"load {kind}, ptr {where}, align 1")
                    return _combined(emitter, self.ufunc, total, value, kind)

                def body(index: str, carried: str) -> list[str]:
                    return [level(axes[1:], (*names, index), carried)]

                n = math.prod(self.source.shape[axis] for axis in axes[0])
                return emitter.loop(n, body, [(kind, total)])[0]

            total = level(inner, (), first)
            where = address(self.result, outer)
            emitter.line(f"store {kind} {total}, ptr {where}, align 1")

        emitter.loop(count, strip)

    def text(self, name: Callable[[Root], str]) -> list[str]:
        kept = [f"i{a}" for a in range(len(self.source.shape)) if a not in self.axes]
        lengths = [self.source.shape[int(v[1:])] for v in kept]
        lines = _headers(kept, lengths)
        every = [f"i{a}" for a in range(len(self.source.shape))]
        source = part_text(self.source, every, name)
        over = ", ".join(f"i{a} < {self.source.shape[a]}" for a in self.axes)
        target = _element_text(name(self.result.root), kept)
        text = f"{target} = {self.ufunc.__name__}.reduce({source} for {over})"
        return [*lines, "    " * len(lines) + text]


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

    def writes(self) -> Iterator[Root]:
        yield self._part.root

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
                    terms.append((function._wrapped(number, length), step))
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
        lines = _headers(variables, self._part.shape)
        target = _operand_text(self.target, variables, name, set())
        value = _operand_text(self.value, variables, name, set())
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

    def writes(self) -> Iterator[Root]:
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

    def writes(self) -> Iterator[Root]:
        return iter(())

    def emit(self, function: Function) -> str:
        emitter = function.emitter
        value = function.load(self.operand, Indices([], []), self.dtype)
        kind, expected = scalar_type(self.dtype), literal(self.expected, self.dtype)
        compare = "fcmp une" if self.dtype.kind == "f" else "icmp ne"
        return emitter.new(f"{compare} {kind} {value}, {expected}")

    def text(self, name: Callable[[Root], str]) -> list[str]:
        element = _operand_text(self.operand, [], name, set())
        return [f"# leave unless {element} == {self.expected!r}"]
