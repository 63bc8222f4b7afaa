"""Convolution and pooling of images of which the batch is the last axis in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch_compile.native.elementwise import intrinsic
from tinytorch_compile.native.emitter import Emitter, literal, scalar_type
from tinytorch_compile.native.function import (
    Function,
    Indices,
    Kernel,
    Root,
    ordered_axes,
    part_text,
    vector_widths,
)
from tinytorch_compile.native.geometry import Part
from tinytorch_compile.native.machine import has_feature

# The axes of images (N, C, H, W).
_BATCH, _CHANNEL, _HEIGHT, _WIDTH = range(4)


@dataclass(eq=False)
class Unpooling(Kernel):
    """Writes the value of each window at the position of its first maximum, and 0 elsewhere.

    Attributes:
        places: for each position in the window, the elements of the result.
        values, largest: the value and the maximum of each window.
        pixels: for each position in the window, the elements of the images.
    """

    places: Sequence[Part]
    values: Part
    largest: Part
    pixels: Sequence[Part]

    def reads(self) -> Iterator[Part]:
        yield from (self.values, self.largest, *self.pixels)

    def targets(self) -> Iterator[Part]:
        yield from self.places

    def emit(self, function: Function) -> str:
        shape, dtype = self.values.shape, self.values.dtype
        emitter, kind = function.emitter, scalar_type(self.values.dtype)

        def window(indices: Indices) -> None:
            value = function.load(self.values, indices, dtype)
            largest = function.load(self.largest, indices, dtype)
            remaining = "true"
            for target, pixel in zip(self.places, self.pixels, strict=True):
                x = function.load(pixel, indices, dtype)
                equal = emitter.new(f"fcmp oeq {kind} {x}, {largest}")
                is_nan = emitter.new(f"fcmp uno {kind} {x}, {x}")
                found = emitter.new(f"or i1 {equal}, {is_nan}")
                is_first = emitter.new(f"and i1 {found}, {remaining}")
                remaining = emitter.new(f"xor i1 {is_first}, {remaining}")
                factor = emitter.new(f"uitofp i1 {is_first} to {kind}")
                product = emitter.new(f"fmul {kind} {value}, {factor}")
                function.store(product, target, indices)

        if self.values.size:
            axes = ordered_axes(shape, [self.places[0], *self.places[1:], *self.reads()])
            function.nest(axes, shape, window)
        return ""

    def text(self, name: Callable[[Root], str]) -> list[str]:
        variables = [f"i{axis}" for axis in range(4)]
        value = part_text(self.values, variables, name)
        target = name(self.places[0].root)
        return [f"# {target} = {value} at the maximum of each window, 0 elsewhere"]


@dataclass(eq=False)
class Convolution(Kernel):
    """Products of windows of images with a kernel, of stride `stride` and dilation 1.

    Attributes:
        result: of shape (N, O, h, w).
        images: of shape (N, C, H, W).
        weight: of shape (O, C, kh, kw).
        bias: of shape (O,), or None.
        stride: the step of the windows, for height and width.
        before: the padding at the top and on the left.
    """

    result: Part
    images: Part
    weight: Part
    bias: Part | None
    stride: tuple[int, int]
    before: tuple[int, int]

    def reads(self) -> Iterator[Part]:
        yield from (self.images, self.weight)
        if self.bias is not None:
            yield self.bias

    def targets(self) -> Iterator[Part]:
        yield self.result

    def emit(self, function: Function) -> str:
        outputs = self.result.shape[_CHANNEL]
        for start, widths, count in _batches(self.result):
            most = max(1, (24 if has_feature("avx512f") else 12) // len(widths))
            height = min(most, outputs, 8)
            for first in range(0, outputs, height):
                block = _Block(self, function, first, min(height, outputs - first), widths)
                function.emitter.loop(count, lambda i, b=block, s=start: b.emit(i, s))
        return ""

    def text(self, name: Callable[[Root], str]) -> list[str]:
        images, weight = (name(part.root) for part in (self.images, self.weight))
        target = name(self.result.root)
        bias = "" if self.bias is None else f" + {name(self.bias.root)}"
        return [f"# {target} = products of windows of {images} with {weight}{bias}"]


def _batches(part: Part) -> Iterator[tuple[int, list[int], int]]:
    """Yield how to divide a batch into vectors: the start, the widths, and how often they occur."""
    start = 0
    for width, count in vector_widths(part.shape[_BATCH], part.dtype):
        together = next(n for n in (4, 3, 2, 1) if count % n == 0)
        yield start, [width] * together, count // together
        start += width * count


class _Block:
    """A block of outputs of a convolution, for the images of some vectors."""

    def __init__(
        self, work: Convolution, function: Function, first: int, height: int, widths: list[int]
    ) -> None:
        self.work, self.function, self.emitter = work, function, function.emitter
        self.first, self.height, self.widths = first, height, widths
        self.kind = scalar_type(work.result.dtype)
        self.types = [f"<{width} x {self.kind}>" for width in widths]

    def emit(self, number: str, start: int) -> None:
        emitter = self.emitter
        batch = emitter.sum([(number, sum(self.widths))], start)
        _, _, high, wide = self.work.result.shape
        emitter.loop(high, lambda y: emitter.loop(wide, lambda x: self._pixel(batch, y, x)) and ())

    def _pixel(self, batch: str, y: str, x: str) -> None:
        emitter, work = self.emitter, self.work
        channels, kernel = work.weight.shape[1], work.weight.shape[2:]
        tops = [
            emitter.sum([(i, step)], -before)
            for i, step, before in zip((y, x), work.stride, work.before, strict=True)
        ]
        # The elements of the kernel that are inside of the image.
        bounds = [
            inside(emitter, top, k, n)
            for top, k, n in zip(tops, kernel, work.images.shape[2:], strict=True)
        ]

        def channel(c: str, *totals: str) -> Sequence[str]:
            def row(i: str, *totals: str) -> Sequence[str]:
                def column(j: str, *totals: str) -> Sequence[str]:
                    return self._tap(batch, tops, c, i, j, totals)

                return emitter.loop_between(*bounds[1], column, self._carried(totals))

            return emitter.loop_between(*bounds[0], row, self._carried(totals))

        totals = emitter.loop(channels, channel, self._carried(self._start()))
        self._store(batch, y, x, totals)

    def _carried(self, totals: Sequence[str]) -> list[tuple[str, str]]:
        return list(zip(self.types * self.height, totals, strict=True))

    def _start(self) -> list[str]:
        bias, function = self.work.bias, self.function
        found = []
        for i in range(self.height):
            number = literal(0, self.work.result.dtype)
            if bias is not None:
                position = str(bias.offset + (self.first + i) * bias.strides[0])
                pointer = function.pointer(bias.root)
                number = self.emitter.load(pointer, bias.dtype, position)
            found += [self.emitter.spread(number, width, self.kind) for width in self.widths]
        return found

    def _tap(
        self, batch: str, tops: list[str], c: str, i: str, j: str, totals: Sequence[str]
    ) -> list[str]:
        emitter, work = self.emitter, self.work
        images, weight = work.images, work.weight
        terms = [(batch, 1), (c, images.strides[_CHANNEL])]
        for top, k, axis in ((tops[0], i, _HEIGHT), (tops[1], j, _WIDTH)):
            terms += [(top, images.strides[axis]), (k, images.strides[axis])]
        position = emitter.sum(terms, images.offset)
        pointer = self.function.pointer(images.root)
        vectors = load_vectors(emitter, pointer, images.dtype, position, self.widths)
        own = [(c, weight.strides[1]), (i, weight.strides[2]), (j, weight.strides[3])]
        start = emitter.sum(own, weight.offset + self.first * weight.strides[0])
        found = []
        for o in range(self.height):
            place = emitter.sum([(start, 1)], o * weight.strides[0])
            number = emitter.load(self.function.pointer(weight.root), weight.dtype, place)
            for n, kind in enumerate(self.types):
                spread = emitter.spread(number, self.widths[n], self.kind)
                total = totals[o * len(self.types) + n]
                found.append(intrinsic(emitter, "fmuladd", [spread, vectors[n], total], kind))
        return found

    def _store(self, batch: str, y: str, x: str, totals: list[str]) -> None:
        emitter, result = self.emitter, self.work.result
        terms = [(batch, 1), (y, result.strides[_HEIGHT]), (x, result.strides[_WIDTH])]
        start = emitter.sum(terms, result.offset)
        pointer = self.function.pointer(result.root)
        for o in range(self.height):
            row = (self.first + o) * result.strides[_CHANNEL]
            for n, kind in enumerate(self.types):
                position = emitter.sum([(start, 1)], row + sum(self.widths[:n]))
                address = emitter.element(pointer, result.dtype, position)
                total = totals[o * len(self.types) + n]
                emitter.line(f"store {kind} {total}, ptr {address}, align 1")


def inside(emitter: Emitter, top: str, kernel: int, image: int) -> tuple[str, str]:
    """Return the first and last index, plus 1, of the elements of a kernel inside of an image.

    Args:
        emitter: the emitter.
        top: the position of the first element, which may be negative.
        kernel: the number of elements.
        image: the number of pixels.
    """
    missing = emitter.new(f"sub i64 0, {top}")
    first = emitter.call("llvm.smax.i64", "i64", [missing, "0"], ["i64", "i64"])
    rest = emitter.new(f"sub i64 {image}, {top}")
    last = emitter.call("llvm.smin.i64", "i64", [rest, str(kernel)], ["i64", "i64"])
    return first, last


def load_vectors(
    emitter: Emitter, pointer: str, dtype: np.dtype[Any], position: str, widths: Sequence[int]
) -> list[str]:
    """Return neighbouring vectors of these widths."""
    found = []
    for n, width in enumerate(widths):
        place = emitter.sum([(position, 1)], sum(widths[:n]))
        address = emitter.element(pointer, dtype, place)
        found.append(emitter.new(f"load <{width} x {scalar_type(dtype)}>, ptr {address}, align 1"))
    return found


@dataclass(eq=False)
class Correlation(Kernel):
    """The sum over images and windows of values times images, for each element of a kernel.

    Attributes:
        result: of shape (O, C, kh, kw).
        values: of shape (N, O, h, w).
        images: of shape (N, C, H, W).
        stride, before: as for `Convolution`.
    """

    result: Part
    values: Part
    images: Part
    stride: tuple[int, int]
    before: tuple[int, int]

    def reads(self) -> Iterator[Part]:
        yield from (self.values, self.images)

    def targets(self) -> Iterator[Part]:
        yield self.result

    def emit(self, function: Function) -> str:
        emitter, (outputs, channels, high, wide) = function.emitter, self.result.shape
        most = 24 if has_feature("avx512f") else 12
        columns = next(n for n in (4, 3, 2, 1) if channels % n == 0)
        rows = min(outputs, most // columns, 6)
        while outputs % rows and rows > 3:
            rows -= 1

        def element(i: str, j: str) -> None:
            bounds = [self._range(emitter, k, axis) for axis, k in enumerate((i, j))]
            for first in range(0, outputs, rows):
                height = min(rows, outputs - first)

                def block(c: str, first: int = first, height: int = height) -> None:
                    channel = emitter.sum([(c, columns)])
                    self._block(function, (i, j), bounds, first, height, channel, columns)

                emitter.loop(channels // columns, block)

        emitter.loop(high, lambda i: emitter.loop(wide, lambda j: element(i, j)) and ())
        return ""

    def _range(self, emitter: Emitter, k: str, axis: int) -> tuple[str, str]:
        """Return for which windows element k of the kernel is inside of the image."""
        count, image = self.values.shape[2 + axis], self.images.shape[2 + axis]
        stride, before = self.stride[axis], self.before[axis]
        # 0 <= index * stride + k - before < image
        missing = emitter.new(f"sub i64 {before + stride - 1}, {k}")
        first = emitter.new(f"sdiv i64 {missing}, {stride}")
        first = emitter.call("llvm.smax.i64", "i64", [first, "0"], ["i64", "i64"])
        rest = emitter.new(f"sub i64 {image + before + stride - 1}, {k}")
        last = emitter.new(f"sdiv i64 {rest}, {stride}")
        last = emitter.call("llvm.smin.i64", "i64", [last, str(count)], ["i64", "i64"])
        return first, last

    def _block(
        self,
        function: Function,
        position: tuple[str, str],
        bounds: list[tuple[str, str]],
        first: int,
        height: int,
        channel: str,
        columns: int,
    ) -> None:
        emitter, values, images = function.emitter, self.values, self.images
        dtype, kind = values.dtype, scalar_type(values.dtype)
        (width, count), *_ = vector_widths(values.shape[_BATCH], dtype)
        vector = f"<{width} x {kind}>"
        zeros = ["zeroinitializer"] * (height * columns)

        def carried(totals: Sequence[str]) -> list[tuple[str, str]]:
            return [(vector, total) for total in totals]

        def window(y: str, x: str, totals: Sequence[str]) -> Sequence[str]:
            terms = [(y, values.strides[_HEIGHT]), (x, values.strides[_WIDTH])]
            start = emitter.sum(terms, values.offset + first * values.strides[_CHANNEL])
            terms = [(channel, images.strides[_CHANNEL])]
            for index, k, axis in ((y, position[0], 0), (x, position[1], 1)):
                stride = images.strides[_HEIGHT + axis]
                terms += [(index, stride * self.stride[axis]), (k, stride)]
            before = sum(n * s for n, s in zip(self.before, images.strides[_HEIGHT:], strict=True))
            place = emitter.sum(terms, images.offset - before)

            def batch(n: str, *totals: str) -> Sequence[str]:
                def load(part: Part, start: str, step: int) -> str:
                    where = emitter.sum([(start, 1), (n, width)], step)
                    address = emitter.element(function.pointer(part.root), dtype, where)
                    return emitter.new(f"load {vector}, ptr {address}, align 1")

                left = [load(values, start, o * values.strides[_CHANNEL]) for o in range(height)]
                right = [load(images, place, c * images.strides[_CHANNEL]) for c in range(columns)]
                pairs = [(x, y) for x in left for y in right]
                return [
                    intrinsic(emitter, "fmuladd", [x, y, total], vector)
                    for (x, y), total in zip(pairs, totals, strict=True)
                ]

            return emitter.loop(count, batch, carried(totals))

        def row(y: str, *totals: str) -> Sequence[str]:
            return emitter.loop_between(
                *bounds[1], lambda x, *totals: window(y, x, totals), carried(totals)
            )

        totals = emitter.loop_between(*bounds[0], row, carried(zeros))
        result = self.result
        for i, total in enumerate(totals):
            o, c = divmod(i, columns)
            name = f"llvm.vector.reduce.fadd.v{width}f{8 * dtype.itemsize}"
            zero = literal(-0.0, dtype)
            emitter.declared[name] = f"declare {kind} @{name}({kind}, {vector}) #0"
            number = emitter.new(f"call reassoc {kind} @{name}({kind} {zero}, {vector} {total})")
            terms = [(channel, result.strides[1])]
            terms += [(position[0], result.strides[2]), (position[1], result.strides[3])]
            extra = (first + o) * result.strides[0] + c * result.strides[1]
            where = emitter.sum(terms, result.offset + extra)
            emitter.store(number, function.pointer(result.root), dtype, where)

    def text(self, name: Callable[[Root], str]) -> list[str]:
        values, images = (name(part.root) for part in (self.values, self.images))
        return [f"# {name(self.result.root)} = sums of {values} times windows of {images}"]
