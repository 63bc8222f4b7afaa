"""From calls to loops: a table from the functions of NumPy to those that write their loops."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_compile.native.elementwise import COSTLY, OPERATIONS, UnsupportedError
from tinytorch_compile.native.emitter import Emitter, casts, is_supported, literal, scalar_type
from tinytorch_compile.native.geometry import Geometry, Part
from tinytorch_compile.native.images import Convolution, Correlation, Unpooling
from tinytorch_compile.native.loops import (
    REDUCTIONS,
    Bounds,
    Elementwise,
    Kernel,
    Operand,
    Reduction,
    Scalar,
    Statement,
    Taken,
    Write,
)
from tinytorch_compile.native.products import Product
from tinytorch_compile.program import Call, Constant, Layout, Value
from tinytorch_compile.tracing import Writing

# The most multiplications of a product that is not left to BLAS.
LARGEST_PRODUCT = 150_000
# The most elements of which a costly function is computed one by one: NumPy uses vectors.
_MOST_COSTLY = 2_048
# The most pixels of a window whose maximum is computed in one loop.
_MOST_PIXELS = 16
# The smallest batch, and the most elements of a kernel for one output, of convolutions that are
# not left to BLAS.
_SMALLEST_BATCH, _LARGEST_KERNEL = 16, 512

Lowering = Callable[["Lowered", Call], "list[Kernel]"]


class Lowered:
    """The loops of one call.

    Attributes:
        geometry: where the elements of values are.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

    def kernels(self, call: Call) -> list[Kernel]:
        """Return the loops of a call.

        Raises:
            UnsupportedError: the call cannot be compiled.
        """
        function: Any = call.function
        if call.several or call.effect or _may_raise(call.errors):
            raise UnsupportedError
        if isinstance(function, np.ufunc):
            lowering: Lowering = _matmul if function is np.matmul else _ufunc
        elif isinstance(function, Writing):
            lowering = _WRITERS.get(key_of(function.function), _unsupported)
        elif getattr(function, "__name__", "") == "reduce":
            lowering = _reduce
        else:
            lowering = _FUNCTIONS.get(key_of(function), _unsupported)
        return lowering(self, call)

    def part(self, thing: Any) -> Part:
        """Return the elements of an array."""
        is_array = isinstance(thing, Value | Constant | np.ndarray | np.generic)
        part = self.geometry.of(thing) if is_array else None
        if part is None:
            raise UnsupportedError
        return part

    def operand(self, thing: Any) -> Operand:
        """Return an argument: the elements of an array, or a number."""
        if isinstance(thing, bool | int | float):
            return Scalar(thing)
        if isinstance(thing, Value) and thing.layout is None:
            return Scalar(thing)
        if isinstance(thing, np.generic) and is_supported(thing.dtype):
            return Scalar(thing)
        return self.part(thing)

    def statement(
        self,
        call: Call,
        operands: list[Any],
        dtypes: list[np.dtype[Any]],
        compute: Callable[[Emitter, list[str]], str],
        dtype: np.dtype[Any] | None = None,
    ) -> list[Kernel]:
        """Return the loop of an elementwise call; the operands are broadcast."""
        result = self.part(call.results[0])
        found = []
        for thing, wanted in zip(operands, dtypes, strict=True):
            operand = thing if isinstance(thing, Taken) else self.operand(thing)
            if not isinstance(operand, Scalar):
                if not casts(operand.dtype, wanted):
                    raise UnsupportedError
                operand = operand.broadcast(result.shape)
            elif isinstance(operand.number, Value) and wanted.kind != "f":
                raise UnsupportedError
            found.append(operand)
        dtype = result.dtype if dtype is None else dtype
        if not casts(dtype, result.dtype):
            raise UnsupportedError
        compute(Emitter(), ["0"] * len(found))  # raises UnsupportedError
        label = getattr(call.function, "__name__", "write").strip("_")
        statement = Statement(result, tuple(found), tuple(dtypes), compute, dtype, label)
        return [Elementwise([statement])]


def key_of(function: Any) -> Any:
    """Return the key of a function in the tables: itself, or the name of a kernel of a plugin."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):
        return owner, function.__name__
    module = getattr(function, "__module__", "") or ""
    if module.startswith("tinytorch_"):
        return f"{module}.{function.__name__}"
    try:
        hash(function)
    except TypeError:
        return None
    return function


def _may_raise(errors: dict[str, str] | None) -> bool:
    return any(mode not in ("ignore", "warn") for mode in (errors or {}).values())


def _unsupported(lowered: Lowered, call: Call) -> list[Kernel]:
    raise UnsupportedError


# Elementwise functions.


def _ufunc(lowered: Lowered, call: Call) -> list[Kernel]:
    ufunc: Any = call.function
    operation = OPERATIONS.get(ufunc)
    if operation is None or call.kwargs:
        raise UnsupportedError
    result = lowered.part(call.results[0])
    if ufunc in COSTLY and result.size > _MOST_COSTLY and not _is_cheap_power(call):
        raise UnsupportedError("faster for large arrays")
    kinds = [_kind(arg) for arg in call.args]
    *dtypes, of_result = ufunc.resolve_dtypes((*kinds, None))
    if ufunc.__name__.startswith("logical_"):
        dtypes = [np.dtype("?")] * len(dtypes)
    if not all(map(is_supported, (*dtypes, of_result))) or of_result != result.dtype:
        raise UnsupportedError
    own = dtypes[0]

    def compute(emitter: Emitter, operands: list[str]) -> str:
        return operation(emitter, operands, own)

    return lowered.statement(call, list(call.args), dtypes, compute)


def _is_cheap_power(call: Call) -> bool:
    return call.function is np.power and call.args[1] in (3, 4, 5)


def _kind(arg: Any) -> Any:
    """Return what `resolve_dtypes` takes for an argument."""
    if isinstance(arg, Value):
        return float if arg.layout is None else arg.layout.dtype
    if isinstance(arg, Constant):
        return arg.array.dtype
    if isinstance(arg, np.ndarray | np.generic):
        return arg.dtype
    if type(arg) is bool:
        return np.dtype("?")
    if type(arg) in (int, float):
        return type(arg)
    raise UnsupportedError


def _first(emitter: Emitter, operands: list[str]) -> str:
    return operands[0]


def _astype(lowered: Lowered, call: Call) -> list[Kernel]:
    """A copy, perhaps of another dtype."""
    dtype = lowered.part(call.results[0]).dtype
    return lowered.statement(call, [call.args[0]], [dtype], _first)


def _reshape(lowered: Lowered, call: Call) -> list[Kernel]:
    """A copy in the order of the axes, in another shape."""
    source, result = lowered.part(call.args[0]), lowered.part(call.results[0])
    if call.kwargs or any(isinstance(arg, str) for arg in call.args[1:]) or not result.is_whole:
        raise UnsupportedError
    if result.strides != _strides(result.shape):
        raise UnsupportedError
    strides = _strides(source.shape)
    return [Write(Part(result.root, result.dtype, source.shape, strides), source, "=")]


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides in C order, 0 for axes of length 1."""
    return tuple(math.prod(shape[i + 1 :]) if n != 1 else 0 for i, n in enumerate(shape))


def _where(lowered: Lowered, call: Call) -> list[Kernel]:
    if len(call.args) != 3 or call.kwargs:
        raise UnsupportedError
    dtype = lowered.part(call.results[0]).dtype

    def compute(emitter: Emitter, operands: list[str]) -> str:
        condition, x, y = operands
        kind = scalar_type(dtype)
        return emitter.new(f"select i1 {condition}, {kind} {x}, {kind} {y}")

    return lowered.statement(call, list(call.args), [np.dtype("?"), dtype, dtype], compute)


def _clip(lowered: Lowered, call: Call) -> list[Kernel]:
    given = dict(zip(("x", "min", "max"), call.args, strict=False)) | call.kwargs
    if given.keys() - {"a", "x", "min", "max", "a_min", "a_max"}:
        raise UnsupportedError
    dtype = lowered.part(call.results[0]).dtype
    low = given.get("min", given.get("a_min"))
    high = given.get("max", given.get("a_max"))
    x = given.get("x", given.get("a"))
    limits = [(np.maximum, low), (np.minimum, high)]
    used = [(ufunc, limit) for ufunc, limit in limits if limit is not None]

    def compute(emitter: Emitter, operands: list[str]) -> str:
        value = operands[0]
        for (ufunc, _), limit in zip(used, operands[1:], strict=True):
            value = OPERATIONS[ufunc](emitter, [value, limit], dtype)
        return value

    operands = [x, *[limit for _, limit in used]]
    return lowered.statement(call, operands, [dtype] * len(operands), compute)


# Reductions.


def _reduce(lowered: Lowered, call: Call) -> list[Kernel]:
    ufunc = getattr(call.function, "__self__", None)
    given = dict(zip(("x", "axis", "dtype", "out", "keepdims"), call.args, strict=False))
    given |= call.kwargs
    wrong = given.keys() - {"x", "axis", "dtype", "out", "keepdims"}
    if ufunc not in REDUCTIONS or wrong or given.get("dtype") is not None:
        raise UnsupportedError
    return _reduction(lowered, call, ufunc, given.get("axis", 0), bool(given.get("keepdims")))


def _method_reduction(ufunc: Any) -> Lowering:
    def lowering(lowered: Lowered, call: Call) -> list[Kernel]:
        given = dict(zip(("axis", "out", "keepdims"), call.args[1:], strict=False)) | call.kwargs
        if given.keys() - {"axis", "keepdims"}:
            raise UnsupportedError
        return _reduction(lowered, call, ufunc, given.get("axis"), bool(given.get("keepdims")))

    return lowering


def _reduction(lowered: Lowered, call: Call, ufunc: Any, axis: Any, keepdims: bool) -> list[Kernel]:
    source, result = lowered.part(call.args[0]), lowered.part(call.results[0])
    dimensions = len(source.shape)
    if axis is None:
        axes = tuple(range(dimensions))
    else:
        given = axis if isinstance(axis, tuple) else (axis,)
        if not all(type(each) is int for each in given):
            raise UnsupportedError
        axes = tuple(sorted({each % dimensions for each in given}))
    dtype = np.dtype("?") if ufunc in (np.logical_or, np.logical_and) else result.dtype
    if not casts(source.dtype, dtype) or (dtype.kind == "b" and result.dtype.kind != "b"):
        raise UnsupportedError
    if dtype.kind == "b" and ufunc not in (np.logical_or, np.logical_and):
        raise UnsupportedError
    return [Reduction(_spread(result, source.shape, axes, keepdims), source, axes, ufunc, dtype)]


def _spread(result: Part, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> Part:
    """Return the result of a reduction with strides of 0 along the axes."""
    strides = list(result.strides)
    for axis in axes:
        if keepdims:
            strides[axis] = 0
        else:
            strides.insert(axis, 0)
    return Part(result.root, result.dtype, shape, tuple(strides), result.offset)


# Products.


def _dot(lowered: Lowered, call: Call) -> list[Kernel]:
    """`np.dot` of arrays of one or two dimensions."""
    left, right = (lowered.part(arg) for arg in call.args)
    if max(len(left.shape), len(right.shape)) > 2 or not left.shape or not right.shape:
        raise UnsupportedError
    if len(left.shape) == 1 and len(right.shape) == 2 and _is_ones(call.args[0]):
        source = right
        result = lowered.part(call.results[0])
        if source.dtype != result.dtype:
            raise UnsupportedError
        return [
            Reduction(
                _spread(result, source.shape, (0,), False), source, (0,), np.add, result.dtype
            )
        ]
    return _product(lowered, call, left, right)


def _is_ones(thing: Any) -> bool:
    return isinstance(thing, Constant) and bool((thing.array == 1).all())


def _matmul(lowered: Lowered, call: Call) -> list[Kernel]:
    left, right = (lowered.part(arg) for arg in call.args)
    return _product(lowered, call, left, right)


def _product(lowered: Lowered, call: Call, left: Part, right: Part) -> list[Kernel]:
    result = lowered.part(call.results[0])
    if call.kwargs or len({left.dtype, right.dtype, result.dtype}) != 1:
        raise UnsupportedError
    if result.dtype.char not in "fd" or not left.shape or not right.shape:
        raise UnsupportedError
    if result.size * left.shape[-1] > LARGEST_PRODUCT:
        raise UnsupportedError("a large product, by BLAS")
    if len(left.shape) == 1:
        left = _expanded(left, 0)
        result = _expanded(result, len(result.shape) - (1 if len(right.shape) > 1 else 0))
    if len(right.shape) == 1:
        right = _expanded(right, 1)
        result = _expanded(result, len(result.shape))
    stack = result.shape[:-2]
    left = left.broadcast((*stack, *left.shape[-2:]))
    right = right.broadcast((*stack, *right.shape[-2:]))
    return [Product(result, left, right)]


def _expanded(part: Part, axis: int) -> Part:
    """Return the part with a new axis of length 1."""
    shape = (*part.shape[:axis], 1, *part.shape[axis:])
    strides = (*part.strides[:axis], 0, *part.strides[axis:])
    return Part(part.root, part.dtype, shape, strides, part.offset)


# Indexing.


def _getitem(lowered: Lowered, call: Call) -> list[Kernel]:
    source, index = call.args
    target, checks = _taken(lowered, lowered.part(source), index)
    dtype = lowered.part(call.results[0]).dtype
    return [*checks, *lowered.statement(call, [target], [dtype], _first)]


def _take(lowered: Lowered, call: Call) -> list[Kernel]:
    """`np.take(x, indices, axis=0)`."""
    given = dict(zip(("x", "indices", "axis"), call.args, strict=False)) | call.kwargs
    source = lowered.part(given.get("x", given.get("a")))
    axis = given.get("axis")
    is_first = axis == 0 or (axis is None and len(source.shape) == 1)
    if given.keys() - {"x", "a", "indices", "axis"} or not is_first:
        raise UnsupportedError
    target, checks = _taken(lowered, source, given["indices"])
    dtype = lowered.part(call.results[0]).dtype
    return [*checks, *lowered.statement(call, [target], [dtype], _first)]


def _taken(lowered: Lowered, source: Part, index: Any) -> tuple[Taken, list[Kernel]]:
    """Return the elements that arrays of integers select along the first axes, and the checks."""
    items = index if isinstance(index, tuple) else (index,)
    while items and (items[-1] is Ellipsis or _is_all(items[-1])):
        items = items[:-1]
    if not items or len(items) > len(source.shape):
        raise UnsupportedError
    found, checks = [], []
    for item in items:
        if not isinstance(item, Value | Constant | np.ndarray):
            raise UnsupportedError
        part = lowered.part(item)
        if part.dtype.kind != "i":
            raise UnsupportedError
        found.append(part)
    shape = np.broadcast_shapes(*(part.shape for part in found))
    rest_shape = source.shape[len(items) :]
    indices = []
    for axis, part in enumerate(found):
        length = source.shape[axis]
        checks.append(Bounds(part, -length, length))
        moved = part.broadcast(shape)
        moved = Part(
            moved.root,
            moved.dtype,
            (*shape, *rest_shape),
            (*moved.strides, *[0] * len(rest_shape)),
            moved.offset,
        )
        indices.append((moved, source.strides[axis], length))
    strides = (*[0] * len(shape), *source.strides[len(items) :])
    rest = Part(source.root, source.dtype, (*shape, *rest_shape), strides, source.offset)
    return Taken(rest, tuple(indices)), list(checks)


def _is_all(item: Any) -> bool:
    return isinstance(item, slice) and item == slice(None)


def _copied(lowered: Lowered, call: Call) -> tuple[list[Kernel], Part]:
    """Return the loop that copies the array that a call writes into, and the copy."""
    result = lowered.part(call.results[0])
    return lowered.statement(call, [call.args[0]], [result.dtype], _first), result


def _value(lowered: Lowered, thing: Any, target: Part | Taken) -> Operand:
    operand = lowered.operand(thing)
    dtype = target.dtype
    if isinstance(operand, Scalar):
        if isinstance(operand.number, Value) and dtype.kind != "f":
            raise UnsupportedError
        if isinstance(operand.number, float | np.floating) and dtype.kind != "f":
            raise UnsupportedError
        return operand
    if not isinstance(operand, Part) or not casts(operand.dtype, dtype):
        raise UnsupportedError
    part = target.rest if isinstance(target, Taken) else target
    extra = len(operand.shape) - len(part.shape)
    if extra > 0:  # leading axes of length 1
        operand = operand.transposed(list(range(extra, len(operand.shape))))
    return operand.broadcast(part.shape)


def _setitem(lowered: Lowered, call: Call) -> list[Kernel]:
    copy, result = _copied(lowered, call)
    _, index, value = call.args
    view = _basic(result, index)
    if view is not None:
        return [*copy, Write(view, _value(lowered, value, view), "=")]
    target, checks = _taken(lowered, result, index)
    return [*checks, *copy, Write(target, _value(lowered, value, target), "=")]


def _basic(part: Part, index: Any) -> Part | None:
    """Return what integers and slices select, or None for another index."""
    items = index if isinstance(index, tuple) else (index,)
    for item in items:
        if isinstance(item, slice):
            if not all(n is None or type(n) is int for n in (item.start, item.stop, item.step)):
                return None
        elif not (item is None or item is Ellipsis or type(item) is int):
            return None
    # The positions of the elements tell the strides.
    model = np.ndarray(part.shape, np.uint8, np.empty(_span(part), np.uint8), 0, part.strides)
    view = model[index if isinstance(index, tuple) else (index, ...)]
    first = view.__array_interface__["data"][0] - model.__array_interface__["data"][0]
    return Part(part.root, part.dtype, view.shape, view.strides, part.offset + first)


def _span(part: Part) -> int:
    if min(part.strides, default=0) < 0 or not part.size:
        raise UnsupportedError
    return 1 + sum((n - 1) * s for n, s in zip(part.shape, part.strides, strict=True))


def _copyto(lowered: Lowered, call: Call) -> list[Kernel]:
    if call.kwargs.keys() - {"casting"} or len(call.args) != 2:
        raise UnsupportedError
    dtype = lowered.part(call.results[0]).dtype
    return lowered.statement(call, [call.args[1]], [dtype], _first)


def _at(label: str) -> Lowering:
    def lowering(lowered: Lowered, call: Call) -> list[Kernel]:
        copy, result = _copied(lowered, call)
        _, index, value = call.args
        target, checks = _taken(lowered, result, index)
        return [*checks, *copy, Write(target, _value(lowered, value, target), label)]

    return lowering


def _concatenate(lowered: Lowered, call: Call) -> list[Kernel]:
    """`np.concatenate` along one axis: each array is written into its part of the result."""
    if len(call.args) > 2 or call.kwargs.keys() - {"axis"}:
        raise UnsupportedError
    axis = call.kwargs.get("axis", call.args[1] if len(call.args) > 1 else 0)
    result = lowered.part(call.results[0])
    if type(axis) is not int:
        raise UnsupportedError
    axis %= len(result.shape)
    kernels: list[Kernel] = []
    start = 0
    for array in call.args[0]:
        source = lowered.part(array)
        offset = result.offset + start * result.strides[axis]
        target = Part(result.root, result.dtype, source.shape, result.strides, offset)
        if not casts(source.dtype, result.dtype):
            raise UnsupportedError
        kernels.append(Write(target, source, "="))
        start += source.shape[axis]
    return kernels


# The kernels of cross-entropy.


def _index_of(lowered: Lowered, call: Call) -> list[Kernel]:
    """The position in memory of the element of each column that a class number selects."""
    classes, x = call.args
    part = lowered.part(x)
    if len(part.shape) != 2 or len(lowered.part(classes).shape) != 1:
        raise UnsupportedError
    result = lowered.part(call.results[0])
    row, column = part.strides
    columns = Constant(np.arange(part.shape[1]) * column)
    dtype = result.dtype

    def compute(emitter: Emitter, operands: list[str]) -> str:
        kind = scalar_type(dtype)
        start = emitter.new(f"mul {kind} {operands[0]}, {literal(row, dtype)}")
        return emitter.new(f"add {kind} {start}, {operands[1]}")

    return lowered.statement(call, [classes, columns], [dtype, dtype], compute)


def _flat(part: Part) -> Part:
    """Return the elements of a matrix in the order of memory."""
    if len(part.shape) != 2 or _span(part) != part.size:
        raise UnsupportedError
    return Part(part.root, part.dtype, (part.size,), (1,), part.offset)


def _taken_kernel(lowered: Lowered, call: Call) -> list[Kernel]:
    x, index = call.args
    target, checks = _taken(lowered, _flat(lowered.part(x)), index)
    dtype = lowered.part(call.results[0]).dtype
    return [*checks, *lowered.statement(call, [target], [dtype], _first)]


def _minus_at(lowered: Lowered, call: Call) -> list[Kernel]:
    copy, result = _copied(lowered, call)
    _, index, value = call.args
    target, checks = _taken(lowered, _flat(result), index)
    return [*checks, *copy, Write(target, _value(lowered, value, target), "-=")]


# The kernels of layers for images.


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


def _float_parts(lowered: Lowered, *things: Any) -> list[Part]:
    parts = [lowered.part(thing) for thing in things]
    if len({part.dtype for part in parts}) != 1 or parts[0].dtype.char not in "fd":
        raise UnsupportedError
    return parts


def _pooling(combine: Callable[[Emitter, list[str], np.dtype[Any]], str]) -> Lowering:
    def lowering(lowered: Lowered, call: Call) -> list[Kernel]:
        x, windows = call.args
        source, result = _float_parts(lowered, x, call.results[0])
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


def _unpool(lowered: Lowered, call: Call) -> list[Kernel]:
    *arrays, windows = call.args
    values, x, largest, result = _float_parts(lowered, *arrays, call.results[0])
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


def _convolve(lowered: Lowered, call: Call) -> list[Kernel]:
    x, weight, bias, windows, groups = call.args
    images, kernel, result = _float_parts(lowered, x, weight, call.results[0])
    offset = None if bias is None else lowered.part(bias)
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


def _convolve_transposed(lowered: Lowered, call: Call) -> list[Kernel]:
    values, weight, image, windows, groups = call.args
    grad, kernel, result = _float_parts(lowered, values, weight, call.results[0])
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


def _correlate(lowered: Lowered, call: Call) -> list[Kernel]:
    values, x, windows, groups = call.args
    grad, images, result = _float_parts(lowered, values, x, call.results[0])
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


_IMAGES: dict[Any, Lowering] = {
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

_FUNCTIONS: dict[Any, Lowering] = {
    **_IMAGES,
    **dict.fromkeys((np.ndarray.astype, np.ndarray.copy, np.copy, np.astype), _astype),
    **dict.fromkeys(
        (np.ndarray.reshape, np.reshape, np.ndarray.ravel, np.ravel, np.ndarray.flatten), _reshape
    ),
    np.where: _where,
    np.clip: _clip,
    np.ndarray.clip: _clip,
    np.dot: _dot,
    operator.getitem: _getitem,
    np.take: _take,
    np.concatenate: _concatenate,
    np.ndarray.any: _method_reduction(np.logical_or),
    np.ndarray.all: _method_reduction(np.logical_and),
    np.any: _method_reduction(np.logical_or),
    np.all: _method_reduction(np.logical_and),
    "tinytorch_losses.classification._index_of": _index_of,
    "tinytorch_losses.classification._taken": _taken_kernel,
}
_WRITERS: dict[Any, Lowering] = {
    operator.setitem: _setitem,
    np.copyto: _copyto,
    (np.add, "at"): _at("+="),
    (np.subtract, "at"): _at("-="),
    "tinytorch_losses.classification._minus_at": _minus_at,
}
