"""Elementwise functions, and copies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_compile.native.calls.arguments import Arguments, Lowering, identity
from tinytorch_compile.native.elementwise import COSTLY, OPERATIONS, UnsupportedError
from tinytorch_compile.native.emitter import Emitter, is_supported, scalar_type
from tinytorch_compile.native.function import Kernel
from tinytorch_compile.native.geometry import Part
from tinytorch_compile.native.loops import Write
from tinytorch_compile.program import Call, Constant, Value

# The most elements of which a costly function is computed one by one: NumPy uses vectors.
_MOST_COSTLY = 1_024
# The same for functions that take four times as long.
_MOST_SLOW = 192
_SLOW = frozenset({np.tanh, np.sinh, np.cosh, np.power, np.float_power, np.arctan2})


def ufunc_loops(arguments: Arguments, call: Call) -> list[Kernel]:
    """Return the loop of a ufunc."""
    ufunc: Any = call.function
    operation = OPERATIONS.get(ufunc)
    if operation is None or call.kwargs:
        raise UnsupportedError
    result = arguments.part(call.results[0])
    most = _MOST_SLOW if ufunc in _SLOW else _MOST_COSTLY
    if ufunc in COSTLY and result.size > most and not _is_cheap_power(call):
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

    return arguments.statement(call, list(call.args), dtypes, compute)


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


def _astype(arguments: Arguments, call: Call) -> list[Kernel]:
    """A copy, perhaps of another dtype."""
    dtype = arguments.part(call.results[0]).dtype
    return arguments.statement(call, [call.args[0]], [dtype], identity)


def _reshape(arguments: Arguments, call: Call) -> list[Kernel]:
    """A copy in the order of the axes, in another shape."""
    source, result = arguments.part(call.args[0]), arguments.part(call.results[0])
    if call.kwargs or any(isinstance(arg, str) for arg in call.args[1:]) or not result.is_whole:
        raise UnsupportedError
    if result.strides != _strides(result.shape):
        raise UnsupportedError
    strides = _strides(source.shape)
    return [Write(Part(result.root, result.dtype, source.shape, strides), source, "=")]


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides in C order, 0 for axes of length 1."""
    return tuple(math.prod(shape[i + 1 :]) if n != 1 else 0 for i, n in enumerate(shape))


def _where(arguments: Arguments, call: Call) -> list[Kernel]:
    if len(call.args) != 3 or call.kwargs:
        raise UnsupportedError
    dtype = arguments.part(call.results[0]).dtype

    def compute(emitter: Emitter, operands: list[str]) -> str:
        condition, x, y = operands
        kind = scalar_type(dtype)
        return emitter.new(f"select i1 {condition}, {kind} {x}, {kind} {y}")

    return arguments.statement(call, list(call.args), [np.dtype("?"), dtype, dtype], compute)


def _clip(arguments: Arguments, call: Call) -> list[Kernel]:
    given = dict(zip(("x", "min", "max"), call.args, strict=False)) | call.kwargs
    if given.keys() - {"a", "x", "min", "max", "a_min", "a_max"} or len(call.args) > 3:
        raise UnsupportedError
    dtype = arguments.part(call.results[0]).dtype
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
    return arguments.statement(call, operands, [dtype] * len(operands), compute)


TABLE: dict[Any, Lowering] = {
    **dict.fromkeys((np.ndarray.astype, np.ndarray.copy, np.copy, np.astype), _astype),
    **dict.fromkeys(
        (np.ndarray.reshape, np.reshape, np.ndarray.ravel, np.ravel, np.ndarray.flatten), _reshape
    ),
    np.where: _where,
    np.clip: _clip,
    np.ndarray.clip: _clip,
}
