"""The arguments of calls as operands of loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_compile.native.elementwise import UnsupportedError
from tinytorch_compile.native.emitter import Emitter, casts, is_supported
from tinytorch_compile.native.function import Kernel, Operand, Scalar, Taken
from tinytorch_compile.native.geometry import Geometry, Part
from tinytorch_compile.native.loops import Elementwise, Statement
from tinytorch_compile.program import Call, Constant, Value

Lowering = Callable[["Arguments", Call], "list[Kernel]"]


class Arguments:
    """What all functions need that choose the loops of a call.

    Attributes:
        geometry: where the elements of values are.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

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
            operand = thing if isinstance(thing, Part | Taken) else self.operand(thing)
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


def identity(emitter: Emitter, operands: list[str]) -> str:
    """Return the only operand, for copies."""
    return operands[0]
