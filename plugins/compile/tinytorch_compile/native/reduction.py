"""Reductions: loops that combine elements along some axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch_compile.native.elementwise import OPERATIONS, intrinsic
from tinytorch_compile.native.emitter import Emitter, literal, scalar_type
from tinytorch_compile.native.function import (
    Function,
    Indices,
    Kernel,
    Root,
    element_text,
    headers,
    ordered_axes,
    part_text,
    vector_widths,
)
from tinytorch_compile.native.geometry import Part

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

    def targets(self) -> Iterator[Part]:
        yield self.result

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
        lines = headers(kept, lengths)
        every = [f"i{a}" for a in range(len(self.source.shape))]
        source = part_text(self.source, every, name)
        over = ", ".join(f"i{a} < {self.source.shape[a]}" for a in self.axes)
        target = element_text(name(self.result.root), kept)
        text = f"{target} = {self.ufunc.__name__}.reduce({source} for {over})"
        return [*lines, "    " * len(lines) + text]
