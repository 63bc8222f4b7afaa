"""The kernels for images in tinytorch-layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_compile.native.calls.arguments import Arguments, Lowering
from tinytorch_compile.native.elementwise import OPERATIONS, UnsupportedError
from tinytorch_compile.native.emitter import Emitter, literal
from tinytorch_compile.native.function import Kernel, Scalar
from tinytorch_compile.native.geometry import Part
from tinytorch_compile.native.images import Convolution, Correlation, Unpooling
from tinytorch_compile.native.loops import Elementwise, Statement, Write
from tinytorch_compile.program import Call, Layout, Value

# The most pixels of a window whose maximum is computed in one loop.
_MOST_PIXELS = 16
# The smallest batch, and the most elements of a kernel for one output, of convolutions that are
# not left to BLAS.
_SMALLEST_BATCH, _LARGEST_KERNEL = 16, 512


def _windows(part: Part, windows: Any, size: tuple[int, ...]) -> list[Part]:
    """Return, for each position in the kernel, that pixel of all windows of unpadded images."""
    if any(windows.padding):
        raise UnsupportedError("with padding")
    (down, right), (high, wide) = windows.dilation, windows.stride
    rows, columns = part.strides[2:]
    found = []
    for i in range(windows.kernel[0]):
        for j in range(windows.kernel[1]):
            offset = part.offset + i * down * rows + j * right * columns
            strides = (*part.strides[:2], rows * high, columns * wide)
            found.append(Part(part.root, part.dtype, (*part.shape[:2], *size), strides, offset))
    return found


def _float_parts(arguments: Arguments, *things: Any) -> list[Part]:
    parts = [arguments.part(thing) for thing in things]
    if len({part.dtype for part in parts}) != 1 or parts[0].dtype.char not in "fd":
        raise UnsupportedError
    return parts


def _pooling(combine: Callable[[Emitter, list[str], np.dtype[Any]], str]) -> Lowering:
    def lowering(arguments: Arguments, call: Call) -> list[Kernel]:
        x, windows = call.args
        source, result = _float_parts(arguments, x, call.results[0])
        pixels = _windows(source, windows, result.shape[2:])
        if len(pixels) > _MOST_PIXELS:
            raise UnsupportedError("large windows")

        def compute(emitter: Emitter, operands: list[str]) -> str:
            return combine(emitter, operands, result.dtype)

        dtypes = tuple(result.dtype for _ in pixels)
        label = f"{call.function.__name__} of window"
        statement = Statement(result, tuple(pixels), dtypes, compute, result.dtype, label)
        return [Elementwise([statement])]

    return lowering


def _largest(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
    largest, *others = operands
    for other in others:
        largest = OPERATIONS[np.maximum](emitter, [largest, other], dtype)
    return largest


def _average(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
    total, *others = operands
    for other in others:
        total = OPERATIONS[np.add](emitter, [total, other], dtype)
    share = literal(1 / len(operands), dtype)
    return OPERATIONS[np.multiply](emitter, [total, share], dtype)


def _unpool(arguments: Arguments, call: Call) -> list[Kernel]:
    *arrays, windows = call.args
    values, x, largest, result = _float_parts(arguments, *arrays, call.results[0])
    if not windows.disjoint:
        raise UnsupportedError("windows that overlap")
    targets = _windows(result, windows, values.shape[2:])
    pixels = _windows(x, windows, values.shape[2:])
    if len(pixels) > _MOST_PIXELS:
        raise UnsupportedError("large windows")
    unpooling = Unpooling(targets, values, largest, pixels)
    if values.size * len(pixels) == result.size:
        return [unpooling]
    return [Write(result, Scalar(0), "="), unpooling]


def _batch_last(part: Part) -> tuple[list[Kernel], Part]:
    """Return images with the batch last in memory, and the loop that copies them if needed."""
    count, channels, high, wide = part.shape
    if part.strides[0] == 1:
        return [], part
    shape = (channels, high, wide, count)
    layout = Layout.of(np.empty(shape, part.dtype))
    copy = Value(layout, "batch_last")
    strides = (1, high * wide * count, wide * count, count)
    target = Part(copy, part.dtype, part.shape, strides)
    return [Write(target, part, "=")], target


def _convolve(arguments: Arguments, call: Call) -> list[Kernel]:
    x, weight, bias, windows, groups = call.args
    images, kernel, result = _float_parts(arguments, x, weight, call.results[0])
    offset = None if bias is None else arguments.part(bias)
    _check_images(images, result, kernel, windows, groups)
    copies, images = _batch_last(images)
    before = windows.padding[0], windows.padding[2]
    return [*copies, Convolution(result, images, kernel, offset, windows.stride, before)]


def _check_images(images: Part, result: Part, kernel: Part, windows: Any, groups: int) -> None:
    """Raise UnsupportedError where the product of unfolded images is faster, or needed."""
    if groups != 1 or windows.dilation != (1, 1):
        raise UnsupportedError("groups or dilation")
    if images.shape[0] < _SMALLEST_BATCH or math.prod(kernel.shape[1:]) > _LARGEST_KERNEL:
        raise UnsupportedError("a product, by BLAS")
    if not images.size or not result.size or result.strides[0] != 1:
        raise UnsupportedError
    if any(before >= k for before, k in zip(windows.padding[::2], windows.kernel, strict=True)):
        raise UnsupportedError("with large padding")
    if any(after >= k for after, k in zip(windows.padding[1::2], windows.kernel, strict=True)):
        raise UnsupportedError("with large padding")


def _convolve_transposed(arguments: Arguments, call: Call) -> list[Kernel]:
    values, weight, _, windows, groups = call.args
    grad, kernel, result = _float_parts(arguments, values, weight, call.results[0])
    _check_images(grad, result, kernel.transposed([1, 0, 2, 3]), windows, groups)
    if windows.stride != (1, 1):
        raise UnsupportedError("with a stride")
    # The convolution with the kernel in reverse order, and as much padding as it lacked.
    high, wide = kernel.shape[2:]
    o, c, rows, columns = kernel.strides
    reverse = Part(
        kernel.root,
        kernel.dtype,
        (kernel.shape[1], kernel.shape[0], high, wide),
        (c, o, -rows, -columns),
        kernel.offset + (high - 1) * rows + (wide - 1) * columns,
    )
    before = high - 1 - windows.padding[0], wide - 1 - windows.padding[2]
    copies, grad = _batch_last(grad)
    return [*copies, Convolution(result, grad, reverse, None, (1, 1), before)]


def _correlate(arguments: Arguments, call: Call) -> list[Kernel]:
    values, x, windows, groups = call.args
    grad, images, result = _float_parts(arguments, values, x, call.results[0])
    _check_images(images, grad, result, windows, groups)
    if images.shape[0] % 16:
        raise UnsupportedError("a product, by BLAS")
    before = windows.padding[0], windows.padding[2]
    for axis, length in enumerate(windows.kernel):
        first = -(-before[axis] // windows.stride[axis])
        rest = images.shape[2 + axis] + before[axis] - length
        if first >= grad.shape[2 + axis] or rest < 0:
            raise UnsupportedError("with elements that are always in the padding")
    copies, images = _batch_last(images)
    return [*copies, Correlation(result, grad, images, windows.stride, before)]


# By name, because this package does not import the plugins.
TABLE: dict[Any, Lowering] = {
    f"tinytorch_layers.functional.{name}": lowering
    for name, lowering in {
        "pooling.maxima": _pooling(_largest),
        "pooling.average": _pooling(_average),
        "pooling.unpool": _unpool,
        "convolution.convolve": _convolve,
        "convolution.convolve_transposed": _convolve_transposed,
        "convolution.correlate": _correlate,
    }.items()
}
