"""Small products of matrices, computed in registers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch_compile.native.elementwise import intrinsic
from tinytorch_compile.native.emitter import Emitter, scalar_type
from tinytorch_compile.native.function import (
    Function,
    Indices,
    Kernel,
    Root,
    part_text,
    vector_widths,
)
from tinytorch_compile.native.geometry import Part
from tinytorch_compile.native.machine import has_feature

# The largest matrix, in bytes, that is copied to the stack.
_LARGEST_COPY = 128 * 1024


@dataclass(eq=False)
class Product(Kernel):
    """The product of matrices, or of stacks of them.

    Attributes:
        result: the elements of the value, of shape (..., rows, columns).
        left: of shape (..., rows, depth).
        right: of shape (..., depth, columns).
    """

    result: Part
    left: Part
    right: Part

    @property
    def fits(self) -> bool:
        """Whether the matrices fit on the stack whose rows must be copied there."""
        largest = _LARGEST_COPY // self.result.dtype.itemsize
        matrices = [_Matrix.at("", part) for part in self._parts]
        work = _Multiplication(Emitter(), self.result.dtype, *matrices)
        return all(math.prod(matrix.shape) <= largest for matrix in work.copied)

    def reads(self) -> Iterator[Part]:
        yield self.left
        yield self.right

    def targets(self) -> Iterator[Part]:
        yield self.result

    def emit(self, function: Function) -> str:
        stack = range(len(self.result.shape) - 2)
        axes = [[axis] for axis in stack]

        def one(indices: Indices) -> None:
            matrices = [_Matrix.of(p, indices, function) for p in self._parts]
            _Multiplication(function.emitter, self.result.dtype, *matrices).emit()

        if self.result.size:
            function.nest(axes, self.result.shape, one)
        return ""

    @property
    def _parts(self) -> tuple[Part, Part, Part]:
        return self.result, self.left, self.right

    def text(self, name: Callable[[Root], str]) -> list[str]:
        stack = [f"i{axis}" for axis in range(len(self.result.shape) - 2)]
        rows, columns = self.result.shape[-2:]
        depth = self.left.shape[-1]
        lengths = (*self.result.shape[:-2], rows, columns)
        lines = [
            f"{'    ' * i}for {v} in range({n}):"
            for i, (v, n) in enumerate(zip((*stack, "i", "j"), lengths, strict=True))
        ]
        left = part_text(self.left, [*stack, "i", "k"], name)
        right = part_text(self.right, [*stack, "k", "j"], name)
        target = part_text(self.result, [*stack, "i", "j"], name)
        text = f"{target} = sum({left} * {right} for k < {depth})"
        return [*lines, "    " * len(lines) + text]


@dataclass
class _Matrix:
    """A matrix in memory: a pointer, the shape and the strides in elements."""

    pointer: str
    shape: tuple[int, int]
    strides: tuple[int, int]

    @classmethod
    def of(cls, part: Part, indices: Indices, function: Function) -> _Matrix:
        emitter = function.emitter
        position = emitter.sum(indices.terms(part), part.offset)
        pointer = emitter.element(function.pointer(part.root), part.dtype, position)
        return cls.at(pointer, part)

    @classmethod
    def at(cls, pointer: str, part: Part) -> _Matrix:
        """Return the last two axes of a part as a matrix."""
        return cls(pointer, part.shape[-2:], part.strides[-2:])  # type: ignore[arg-type]

    @property
    def transposed(self) -> _Matrix:
        return _Matrix(self.pointer, self.shape[::-1], self.strides[::-1])

    @property
    def has_rows(self) -> bool:
        """Whether the elements of a row are next to each other."""
        return self.strides[1] == 1 or self.shape[1] == 1


class _Multiplication:
    """Writes the product of two matrices: blocks of the result are kept in registers.

    The vectors go along the columns. If that is better, the transposed product is computed.
    """

    def __init__(
        self,
        emitter: Emitter,
        dtype: np.dtype[Any],
        result: _Matrix,
        left: _Matrix,
        right: _Matrix,
    ) -> None:
        self._emitter, self._dtype = emitter, dtype
        self._kind = scalar_type(dtype)
        swapped = result.transposed, right.transposed, left.transposed
        if self._cost(*swapped) < self._cost(result, left, right):
            result, left, right = swapped
        self._result, self._left, self._right = result, left, right

    @property
    def copied(self) -> list[_Matrix]:
        """The matrices that are copied, so that their rows are contiguous."""
        return [matrix for matrix in (self._result, self._right) if not matrix.has_rows]

    def _cost(self, result: _Matrix, left: _Matrix, right: _Matrix) -> int:
        """Return about how many instructions a product takes."""
        rows, columns = result.shape
        vectors = sum(count for _, count in vector_widths(columns, self._dtype))
        cost = rows * left.shape[1] * vectors
        for matrix in (result, right):
            cost += 0 if matrix.has_rows else 2 * math.prod(matrix.shape)
        return cost

    def emit(self) -> None:
        if not self._right.has_rows:
            self._right = self._packed(self._right)
        target = self._result
        if not target.has_rows:
            self._result = self._new_matrix(target.shape)
        column = 0
        for widths, count in self._widths():
            self._strips(column, widths, count)
            column += sum(widths) * count
        if not target.has_rows:
            self._copy(self._result, target)

    def _widths(self) -> list[tuple[list[int], int]]:
        """Return how to divide the columns: the vectors of a strip, and the number of strips."""
        (width, count), *others = vector_widths(self._result.shape[1], self._dtype)
        most = 3 if has_feature("avx512f") else 2
        strips = -(-count // most)
        # Strips of about the same width.
        wide = count - strips * (count // strips)
        found = [
            ([width] * (count // strips + 1), wide),
            ([width] * (count // strips), strips - wide),
        ]
        if others:
            found.append(([w for w, _ in others], 1))
        return found

    def _new_matrix(self, shape: tuple[int, int]) -> _Matrix:
        count = math.prod(shape)
        pointer = self._emitter.array(self._kind, count)
        return _Matrix(pointer, shape, (shape[1], 1))

    def _packed(self, matrix: _Matrix) -> _Matrix:
        packed = self._new_matrix(matrix.shape)
        self._copy(matrix, packed)
        return packed

    def _copy(self, source: _Matrix, target: _Matrix) -> None:
        emitter, dtype = self._emitter, self._dtype

        def element(matrix: _Matrix, i: str, j: str) -> str:
            return emitter.sum([(i, matrix.strides[0]), (j, matrix.strides[1])])

        def one(i: str, j: str) -> None:
            value = emitter.load(source.pointer, dtype, element(source, i, j))
            emitter.store(value, target.pointer, dtype, element(target, i, j))

        rows, columns = source.shape
        if target.strides[1] == 1:
            emitter.loop(rows, lambda i: emitter.loop(columns, lambda j: one(i, j)) and None)
        else:
            emitter.loop(columns, lambda j: emitter.loop(rows, lambda i: one(i, j)) and None)

    def _strips(self, start: int, widths: list[int], count: int) -> None:
        """Compute `count` strips of neighbouring columns, each of vectors of these widths."""
        rows = self._result.shape[0]
        if not count:
            return
        registers = 24 if has_feature("avx512f") else 12
        most = max(1, min(8, registers // len(widths)))
        # Blocks of equal height, if there are such.
        height = next((h for h in range(most, most // 2, -1) if rows % h == 0), most)
        height = min(height, rows)

        def strip(number: str) -> None:
            column = self._emitter.sum([(number, sum(widths))], start)

            def block(index: str) -> None:
                row = self._emitter.sum([(index, height)])
                self._block(row, column, height, widths)

            self._emitter.loop(rows // height, block)
            if rows % height:
                self._block(str(rows - rows % height), column, rows % height, widths)

        self._emitter.loop(count, strip)

    def _block(self, row: str, column: str, height: int, widths: list[int]) -> None:
        emitter, dtype, kind = self._emitter, self._dtype, self._kind
        left, right, result = self._left, self._right, self._result
        types = [f"<{width} x {kind}>" for width in widths]
        first = emitter.sum([(row, left.strides[0])])
        offsets = [sum(widths[:i]) for i in range(len(widths))]
        places = []
        for i in range(height):
            for offset in offsets:
                terms = [(row, result.strides[0]), (column, 1)]
                position = emitter.sum(terms, i * result.strides[0] + offset)
                places.append(emitter.element(result.pointer, dtype, position))
        kinds = types * height

        def step(k: str, *totals: str) -> list[str]:
            found: list[str] = []
            start = emitter.sum([(k, right.strides[0]), (column, 1)])
            vectors = []
            for t, offset in zip(types, offsets, strict=True):
                position = emitter.sum([(start, 1)], offset)
                address = emitter.element(right.pointer, dtype, position)
                vectors.append(emitter.new(f"load {t}, ptr {address}, align 1"))
            for i in range(height):
                terms = [(first, 1), (k, left.strides[1])]
                position = emitter.sum(terms, i * left.strides[0])
                number = emitter.load(left.pointer, dtype, position)
                for j, t in enumerate(types):
                    spread = emitter.spread(number, widths[j], kind)
                    total = totals[i * len(types) + j]
                    found.append(intrinsic(emitter, "fmuladd", [spread, vectors[j], total], t))
            return found

        totals = emitter.loop(left.shape[1], step, [(t, "zeroinitializer") for t in kinds])
        for t, total, place in zip(kinds, totals, places, strict=True):
            emitter.line(f"store {t} {total}, ptr {place}, align 1")
