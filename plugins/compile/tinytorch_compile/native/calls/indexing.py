"""Reading and writing elements that indices select."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinytorch_compile.native.calls.arguments import Arguments, Lowering, identity
from tinytorch_compile.native.elementwise import UnsupportedError
from tinytorch_compile.native.emitter import casts
from tinytorch_compile.native.function import Kernel, Operand, Scalar, Taken
from tinytorch_compile.native.geometry import Part
from tinytorch_compile.native.loops import Bounds, Write
from tinytorch_compile.program import Call, Constant, Value


def _getitem(arguments: Arguments, call: Call) -> list[Kernel]:
    source, index = call.args
    dtype = arguments.part(call.results[0]).dtype
    element = _basic(arguments.part(source), index)
    if element is not None:  # one element, which NumPy does not return as a view
        return arguments.statement(call, [element], [dtype], identity)
    target, checks = selected(arguments, arguments.part(source), index)
    return [*checks, *arguments.statement(call, [target], [dtype], identity)]


def _take(arguments: Arguments, call: Call) -> list[Kernel]:
    """`np.take(x, indices, axis=0)`."""
    given = dict(zip(("x", "indices", "axis"), call.args, strict=False)) | call.kwargs
    source = arguments.part(given.get("x", given.get("a")))
    axis = given.get("axis")
    is_first = axis == 0 or (axis is None and len(source.shape) == 1)
    if given.keys() - {"x", "a", "indices", "axis"} or len(call.args) > 3 or not is_first:
        raise UnsupportedError
    target, checks = selected(arguments, source, given["indices"])
    dtype = arguments.part(call.results[0]).dtype
    return [*checks, *arguments.statement(call, [target], [dtype], identity)]


def selected(arguments: Arguments, source: Part, index: Any) -> tuple[Taken, list[Kernel]]:
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
        part = arguments.part(item)
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


def copied(arguments: Arguments, call: Call) -> tuple[list[Kernel], Part]:
    """Return the loop that copies the array that a call writes into, and the copy."""
    result = arguments.part(call.results[0])
    return arguments.statement(call, [call.args[0]], [result.dtype], identity), result


def written(arguments: Arguments, thing: Any, target: Part | Taken) -> Operand:
    """Return what is written into some elements, broadcast to their shape."""
    operand = arguments.operand(thing)
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


def _setitem(arguments: Arguments, call: Call) -> list[Kernel]:
    copy, result = copied(arguments, call)
    _, index, value = call.args
    view = _basic(result, index)
    if view is not None:
        return [*copy, Write(view, written(arguments, value, view), "=")]
    target, checks = selected(arguments, result, index)
    return [*checks, *copy, Write(target, written(arguments, value, target), "=")]


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
    model = np.ndarray(part.shape, np.uint8, np.empty(span(part), np.uint8), 0, part.strides)
    # With an ellipsis, a single element is a view, too.
    has_ellipsis = any(item is Ellipsis for item in items)
    view = model[items if has_ellipsis else (*items, ...)]
    first = view.__array_interface__["data"][0] - model.__array_interface__["data"][0]
    return Part(part.root, part.dtype, view.shape, view.strides, part.offset + first)


def span(part: Part) -> int:
    """Return how many elements apart the first and the last one are, plus 1."""
    if min(part.strides, default=0) < 0 or not part.size:
        raise UnsupportedError
    return 1 + sum((n - 1) * s for n, s in zip(part.shape, part.strides, strict=True))


def _copyto(arguments: Arguments, call: Call) -> list[Kernel]:
    if call.kwargs.keys() - {"casting"} or len(call.args) != 2:
        raise UnsupportedError
    dtype = arguments.part(call.results[0]).dtype
    return arguments.statement(call, [call.args[1]], [dtype], identity)


def _at(label: str) -> Lowering:
    def lowering(arguments: Arguments, call: Call) -> list[Kernel]:
        copy, result = copied(arguments, call)
        _, index, value = call.args
        target, checks = selected(arguments, result, index)
        return [*checks, *copy, Write(target, written(arguments, value, target), label)]

    return lowering


def _concatenate(arguments: Arguments, call: Call) -> list[Kernel]:
    """`np.concatenate` along one axis: each array is written into its part of the result."""
    if len(call.args) > 2 or call.kwargs.keys() - {"axis"}:
        raise UnsupportedError
    axis = call.kwargs.get("axis", call.args[1] if len(call.args) > 1 else 0)
    result = arguments.part(call.results[0])
    if type(axis) is not int:
        raise UnsupportedError
    axis %= len(result.shape)
    kernels: list[Kernel] = []
    start = 0
    for array in call.args[0]:
        source = arguments.part(array)
        offset = result.offset + start * result.strides[axis]
        target = Part(result.root, result.dtype, source.shape, result.strides, offset)
        if not casts(source.dtype, result.dtype):
            raise UnsupportedError
        kernels.append(Write(target, source, "="))
        start += source.shape[axis]
    return kernels


TABLE: dict[Any, Lowering] = {
    operator.getitem: _getitem,
    np.take: _take,
    np.concatenate: _concatenate,
}
# Functions that write into a copy of their first argument.
WRITERS: dict[Any, Lowering] = {
    operator.setitem: _setitem,
    np.copyto: _copyto,
    (np.add, "at"): _at("+="),
    (np.subtract, "at"): _at("-="),
}
