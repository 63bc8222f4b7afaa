"""Products of a kernel with the windows of images, for NumPy arrays, block by block.

Images are unfolded along their width only: a line of the buffer contains, for each position in
the width of the kernel, the pixels at this position of all windows in a row. A window of height kh
then consists of kh successive lines. These are contiguous in memory, so BLAS multiplies them
without another copy. Each pixel is copied kw times, into a buffer that fits into the cache of a
core; im2col makes kw · kh copies of it in main memory, which takes about twice as long.

Groups of channels are one more axis of the products, so grouped and depthwise convolutions use the
same code. For them the gain is larger, from 5 and 7 times the time of PyTorch to 1.3 and 1.8, for
kernels of 3 x 3 and images of 32 x 32.

The shapes determine three choices, each next to the constant for it below: the size of a block,
whether the batch is the innermost axis, and the length of the matrices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinytorch_layers.arguments import Pair
from tinytorch_layers.functional.windows import Windows, batch_first, batch_last

Array = Any
Shape = tuple[int, ...]

# The aim for the size of the buffer in bytes, half of a usual L2 cache. With 4 MiB, depthwise
# convolutions take a quarter longer.
_BUFFER = 1 << 20

# OpenBLAS multiplies matrices without packing them if it needs at most this many multiplications.
# This halves the time if the kernel is small, so the matrices of pixels are kept short enough,
# unless they become shorter than _SHORTEST.
_UNPACKED = 1_000_000
_LONGEST, _SHORTEST = 256, 48

# Below this width, the products of single rows are slow unless the batch is the innermost axis; for
# kernels that must be packed, below twice this width.
_WIDE = 32

# With at least this many images and fewer channels, images are copied to make the batch the
# innermost axis, which makes a network with pooling layers a fifth faster. This is the first layer
# of most networks; for more channels, the copy would take too long.
_MANY = 8


def multiply(x: Array, kernel: Array, bias: Array, windows: Windows, size: Pair) -> Array:
    """Return the products of a kernel with the windows of images, plus `bias`.

    Args:
        x: images, of shape (N, C, H, W).
        kernel: of shape (groups, O / groups, C / groups, kh, kw).
        bias: an array of shape (O,), or None.
        windows: the geometry. Only the padding at the top and on the left is used; it may be
            negative.
        size: the number of windows in each direction.

    Returns:
        An array of shape (N, O, *size).
    """
    groups, outputs = kernel.shape[:2]
    # A line of the buffer has the order (kw, C). BLAS does not accept negative strides.
    matrix = np.ascontiguousarray(kernel.transpose((0, 1, 3, 4, 2)), like=kernel)
    matrix = matrix.reshape((groups, 1, outputs, -1))
    offset = 0 if bias is None else bias.reshape((groups, 1, outputs, 1))
    inner = _is_batch_inner(x, matrix[0].size)
    dtype = np.result_type(x, kernel, offset)
    out = _empty((len(x), groups * outputs, *size), dtype, inner, x)
    results = _pixels(out, groups, inner).swapaxes(2, 3)
    length = _UNPACKED // matrix[0].size
    unfolded = Unfolded(_pixels(x, groups, inner), windows, size)
    for block, columns in unfolded.columns(length if length >= _SHORTEST else _LONGEST):
        result = _merge_last(results[block.images, :, block.rows, :, block.columns], 2)
        np.matmul(matrix, columns, out=result)
        if bias is not None:
            result += offset
    return out


def accumulate(values: Array, x: Array, windows: Windows, groups: int) -> Array:
    """Return the sum over all windows of their pixels times `values`.

    Args:
        values: one number for each window and output, of shape (N, O, h, w).
        x: images, of shape (N, C, H, W).
        windows: the geometry.
        groups: the number of groups of channels.

    Returns:
        An array of shape (groups, O / groups, C / groups, kh, kw).
    """
    channels, outputs = x.shape[1] // groups, values.shape[1] // groups
    shape = (groups, *windows.kernel, channels, outputs)
    inner = _is_batch_inner(x, math.prod(shape[1:]))
    unfolded = Unfolded(_pixels(x, groups, inner), windows, values.shape[2:])
    values = _pixels(values, groups, inner).transpose((1, 3, 2, 0, 4, 5))
    dtype = np.result_type(values, x)
    out = np.zeros((groups, math.prod(shape[1:4]), outputs), dtype, like=x)
    # The result is small, so many images are multiplied at once.
    for block, columns in unfolded.columns(_LONGEST, together=True):
        rows = _merge_last(values[:, block.rows, :, block.images, block.columns], 3)
        out += (columns[0] @ rows.mT).sum(axis=1)
    return out.reshape(shape).transpose((0, 4, 3, 1, 2))


class Block(NamedTuple):
    """A part of the images, and a part of their windows."""

    images: slice
    rows: slice
    columns: slice


class Unfolded(NamedTuple):
    """Images that are unfolded block by block.

    Attributes:
        images: an array of shape (B, groups, C / groups, H, W, P), from `_pixels`.
        windows: the geometry.
        size: the number of windows in each direction.
    """

    images: Array
    windows: Windows
    size: Pair

    def columns(self, length: int, *, together: bool = False) -> Iterator[tuple[Block, Array]]:
        """Yield each block with its windows, as the columns of matrices in a buffer.

        The columns have the shape (images, groups, rows, kh · kw · C / groups, columns · P).

        Args:
            length: the number of columns to aim for.
            together: whether the matrices contain the columns of all images of the block.
        """
        _, groups, channels, _, _, inner = self.images.shape
        (kh, kw), jump = self.windows.kernel, self._jump
        memory: Any = None
        for block in self._blocks(min(length, _LONGEST), together):
            count, rows, wide = (part.stop - part.start for part in block)
            lines = (rows - 1) * jump + kh
            outer, within = (1, count) if together else (count, 1)
            line = (kw, channels, within, wide, inner)
            size = outer * groups * lines * math.prod(line)
            if memory is None:  # the first block is the largest one
                memory = np.empty(size, self.images.dtype, like=self.images)
            buffer = memory[:size].reshape((outer, groups, lines, *line))
            self._fill(buffer, block)
            image, group, step, _, channel, _, _, item = buffer.strides
            shape = (outer, groups, rows, kh * kw * channels, within * wide * inner)
            strides = (image, group, step * jump, channel, item)
            yield block, type(memory)(shape, memory.dtype, memory, 0, strides)

    @property
    def _overlap(self) -> bool:
        """Whether successive rows of windows share lines of the buffer."""
        return self.windows.dilation[0] == 1 and self.windows.stride[0] < self.windows.kernel[0]

    @property
    def _jump(self) -> int:
        """The number of lines from one row of windows to the next."""
        return self.windows.stride[0] if self._overlap else self.windows.kernel[0]

    def _blocks(self, length: int, together: bool) -> Iterator[Block]:
        """Yield blocks whose lines fit into the buffer, the largest one first."""
        count, groups, channels, _, _, inner = self.images.shape
        (high, wide), (kh, kw), jump = self.size, self.windows.kernel, self._jump
        pixel = self.images.itemsize * groups * kw * channels * inner
        columns = _equal_parts(wide, min(length // inner, _BUFFER // (pixel * kh)))
        line = pixel * columns
        images = max(min(length // (columns * inner), _BUFFER // (line * kh)), 1) if together else 1
        # With fewer rows than kh, most lines would be unfolded again for the next block.
        rows = min(max((_BUFFER // (line * images) - kh) // jump + 1, kh), high)
        if rows == high and not together:
            images = max(_BUFFER // (line * ((high - 1) * jump + kh)), 1)
        for n in range(0, count, images):
            for y in range(0, high, rows):
                for z in range(0, wide, columns):
                    yield Block(
                        slice(n, min(n + images, count)),
                        slice(y, min(y + rows, high)),
                        slice(z, min(z + columns, wide)),
                    )

    def _fill(self, buffer: Array, block: Block) -> None:
        """Unfold a block into the buffer (outer, groups, lines, kw, C, within, w, P)."""
        step, spacing = self.windows.stride[0], self.windows.dilation[0]
        first = block.rows.start * step - self.windows.padding[0]
        if self._overlap:
            self._fill_lines(buffer, block, first, 1)
        else:
            kh = self.windows.kernel[0]
            for i in range(kh):
                self._fill_lines(buffer[:, :, i::kh], block, first + i * spacing, step)

    def _fill_lines(self, buffer: Array, block: Block, first: int, step: int) -> None:
        """Unfold the rows first, first + step, ... of the images into the lines of a buffer."""
        outer, _, count, _, _, within, wide, _ = buffer.shape
        _, groups, channels, high, length, inner = self.images.shape
        images = self.images[block.images].swapaxes(2, 3)
        images = images.reshape((outer, within, groups, high, channels, length, inner))
        images = images.transpose((0, 2, 3, 4, 1, 5, 6))
        lines, rows = _inside(first, step, count, high)
        if lines != slice(0, count):
            buffer[:, :, : lines.start] = 0
            buffer[:, :, lines.stop :] = 0
        shift = self.windows.stride[1]
        for j in range(self.windows.kernel[1]):
            start = block.columns.start * shift + j * self.windows.dilation[1]
            columns, pixels = _inside(start - self.windows.padding[2], shift, wide, length)
            target = buffer[:, :, lines, j]
            if columns != slice(0, wide):
                target[..., : columns.start, :] = 0
                target[..., columns.stop :, :] = 0
            target[..., columns, :] = images[:, :, rows, :, :, pixels]


def _is_batch_inner(x: Array, elements: int) -> bool:
    """Return whether images have the batch as the innermost axis, or are to be copied so.

    Args:
        x: the images.
        elements: the number of elements of the kernel in a group.
    """
    count, channels, _, wide = x.shape
    is_inner: bool = x.strides[0] < x.strides[3]
    is_narrow = wide < (_WIDE if elements <= _UNPACKED // _SHORTEST else 2 * _WIDE)
    return count > 1 and (is_inner or is_narrow or channels < _MANY <= count)


def _empty(shape: Shape, dtype: Any, inner: bool, like: Array) -> Array:
    """Return an uninitialized array (N, C, H, W) of which `_pixels` is a view."""
    count, *rest = shape
    if inner:
        return batch_first(np.empty((*rest, count), dtype, like=like))
    return np.empty(shape, dtype, like=like)


def _pixels(images: Array, groups: int, inner: bool) -> Array:
    """Return (N, C, H, W) as (B, groups, C / groups, H, W, P), contiguous in memory.

    The batch is P if it is the innermost axis, and B if not; the other axis has length 1.
    """
    count, channels, high, wide = images.shape
    images = np.ascontiguousarray(batch_last(images) if inner else images, like=images)
    outer, last = (1, count) if inner else (count, 1)
    return images.reshape((outer, groups, channels // groups, high, wide, last))


def _merge_last(array: Array, axes: int) -> Array:
    """Return `array` with its last axes merged into one, without copying if possible."""
    shape = array.shape
    return array.reshape((*shape[:-axes], math.prod(shape[-axes:])))


def _equal_parts(length: int, largest: int) -> int:
    """Return the length of the fewest equal parts of at most `largest`, and at least 1."""
    return -(-length // -(-length // max(largest, 1)))


def _inside(first: int, step: int, count: int, length: int) -> tuple[slice, slice]:
    """Return which of first, first + step, ... (`count` numbers) are in range(length).

    The first slice selects them by position, the second one by value.
    """
    low = min(max(-(first // step), 0), count)
    high = max(min((length - 1 - first) // step + 1, count), low)
    return slice(low, high), slice(max(first + low * step, 0), max(first + high * step, 0), step)
