"""The kernels of cross-entropy in tinytorch-losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_compile.native.calls.arguments import Arguments, Lowering, identity
from tinytorch_compile.native.calls.indexing import copied, selected, span, written
from tinytorch_compile.native.elementwise import UnsupportedError
from tinytorch_compile.native.emitter import Emitter, literal, scalar_type
from tinytorch_compile.native.function import Kernel
from tinytorch_compile.native.geometry import Part
from tinytorch_compile.native.loops import Write
from tinytorch_compile.program import Call, Constant


def _index_of(arguments: Arguments, call: Call) -> list[Kernel]:
    """The position in memory of the element of each column that a class number selects."""
    classes, x = call.args
    part = arguments.part(x)
    if len(part.shape) != 2 or len(arguments.part(classes).shape) != 1:
        raise UnsupportedError
    result = arguments.part(call.results[0])
    row, column = part.strides
    columns = Constant(np.arange(part.shape[1]) * column)
    dtype = result.dtype

    def compute(emitter: Emitter, operands: list[str]) -> str:
        kind = scalar_type(dtype)
        start = emitter.new(f"mul {kind} {operands[0]}, {literal(row, dtype)}")
        return emitter.new(f"add {kind} {start}, {operands[1]}")

    return arguments.statement(call, [classes, columns], [dtype, dtype], compute)


def _flat(part: Part) -> Part:
    """Return the elements of a matrix in the order of memory."""
    if len(part.shape) != 2 or span(part) != part.size:
        raise UnsupportedError
    return Part(part.root, part.dtype, (part.size,), (1,), part.offset)


def _taken_kernel(arguments: Arguments, call: Call) -> list[Kernel]:
    x, index = call.args
    target, checks = selected(arguments, _flat(arguments.part(x)), index)
    dtype = arguments.part(call.results[0]).dtype
    return [*checks, *arguments.statement(call, [target], [dtype], identity)]


def _minus_at(arguments: Arguments, call: Call) -> list[Kernel]:
    copy, result = copied(arguments, call)
    _, index, value = call.args
    target, checks = selected(arguments, _flat(result), index)
    return [*checks, *copy, Write(target, written(arguments, value, target), "-=")]


# By name, because this package does not import the plugins.
TABLE: dict[Any, Lowering] = {
    "tinytorch_losses.classification._index_of": _index_of,
    "tinytorch_losses.classification._taken": _taken_kernel,
}
WRITERS: dict[Any, Lowering] = {"tinytorch_losses.classification._minus_at": _minus_at}
