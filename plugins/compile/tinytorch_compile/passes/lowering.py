"""Replaces functions by those that they call, whose results can be written into given arrays."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tinytorch_core.extend import matmul, sum_rows

from tinytorch_compile.program import Call, Constant, Layout, Program, Step, Value

Lowering = Callable[[Call], "list[Call] | None"]


# The number of elements of a product below which `np.dot` is faster.
_SMALL_PRODUCT = 10_000


def lowered(program: Program) -> Program:
    """Return the program with simpler functions, which compute the same bits."""
    steps: list[Step] = []
    for step in program.steps:
        change = _LOWERINGS.get(step.function) if isinstance(step, Call) else None
        simpler = change(step) if change and isinstance(step, Call) else None
        steps += [step] if simpler is None else simpler
    return replace(program, steps=steps)


_REDUCTIONS: dict[Any, Any] = {
    np.ndarray.sum: np.add.reduce,
    np.sum: np.add.reduce,
    np.ndarray.prod: np.multiply.reduce,
    np.prod: np.multiply.reduce,
    np.ndarray.max: np.maximum.reduce,
    np.max: np.maximum.reduce,
    np.amax: np.maximum.reduce,
    np.ndarray.min: np.minimum.reduce,
    np.min: np.minimum.reduce,
    np.amin: np.minimum.reduce,
}


def _reduction(call: Call) -> list[Call] | None:
    """`x.sum(axis)` is `np.add.reduce(x, axis)`."""
    typed = call.function in (np.ndarray.sum, np.sum, np.ndarray.prod, np.prod)
    names = ("axis", "dtype", "out", "keepdims") if typed else ("axis", "out", "keepdims")
    given = dict(zip(names, call.args[1:], strict=False)) | call.kwargs
    keepdims = given.get("keepdims", False)
    if given.keys() - {"axis", "keepdims"} or not isinstance(keepdims, bool):
        return None
    args = (call.args[0], given.get("axis"), None, None, keepdims)
    return [replace(call, function=_REDUCTIONS[call.function], args=args, kwargs={})]


def _mean(call: Call) -> list[Call] | None:
    """`x.mean(axis)` is the sum divided by the count."""
    given = dict(zip(("axis", "dtype", "out", "keepdims"), call.args[1:], strict=False))
    given |= call.kwargs
    x, (mean,) = call.args[0], call.results
    if given.keys() - {"axis", "keepdims"} or not isinstance(x, Value) or not x.layout:
        return None
    if x.layout.dtype.char not in "fd" or not mean.layout or not mean.layout.size:
        return None
    total = Value(mean.layout, f"{mean.label}_sum")
    args = (x, given.get("axis"), None, None, bool(given.get("keepdims", False)))
    count = x.layout.size // mean.layout.size
    return [
        replace(call, function=np.add.reduce, args=args, kwargs={}, results=(total,)),
        replace(call, function=np.true_divide, args=(total, count), kwargs={}),
    ]


# The functions that the operator `**` of arrays calls for these exponents.
_POWERS: dict[Any, np.ufunc] = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal, 1: np.positive}


def _power(call: Call) -> list[Call] | None:
    """`x ** 2` is `np.square(x)` for floating x, and `x ** 3` is `np.power(x, 3)`."""
    x, y = call.args
    if not isinstance(x, Value) or x.layout is None or x.layout.dtype.kind != "f":
        return None
    if type(y) not in (int, float) or y == 0:
        return None
    if y in _POWERS:
        return [replace(call, function=_POWERS[y], args=(x,))]
    return [replace(call, function=np.power)]


def _product(call: Call) -> list[Call] | None:
    """`x.dot(y)` is `np.dot(x, y)`, which also takes the array for the result."""
    return [replace(call, function=np.dot)]


def _matmul(call: Call) -> list[Call] | None:
    """The product of two matrices: `np.dot` computes the same as `np.matmul`, with less overhead.

    It fills its result with zeros first, which takes time if the result is large.
    """
    x, y = call.args
    if not all(isinstance(v, Value) and v.layout and len(v.layout.shape) == 2 for v in (x, y)):
        return None
    small = x.layout.shape[0] * y.layout.shape[1] < _SMALL_PRODUCT
    return [replace(call, function=np.dot if small else np.matmul)]


def _sum_rows(call: Call) -> list[Call] | None:
    """The sum of the rows of a matrix is its product with ones."""
    (x,) = call.args
    if not isinstance(x, Value) or x.layout is None or len(x.layout.shape) != 2:
        return None
    if x.layout.dtype.char not in "fd":
        return None
    ones = Constant(np.ones(x.layout.shape[0], x.layout.dtype))
    return [replace(call, function=np.dot, args=(ones, x))]


def _truth(call: Call) -> list[Call] | None:
    """`x.astype(bool)` is `x != 0`, which takes less time."""
    x, (result,) = call.args[0], call.results
    if not isinstance(x, Value) or x.layout is None or x.layout.dtype.char not in "fd":
        return None
    if result.layout is None or result.layout.dtype != bool or not x.layout.shape:
        return None
    if result.layout.strides != Layout.of(np.not_equal(x.layout.empty(), 0)).strides:
        return None
    return [replace(call, function=np.not_equal, args=(x, 0), kwargs={})]


_LOWERINGS: dict[Any, Lowering] = {
    **dict.fromkeys(_REDUCTIONS, _reduction),
    np.ndarray.mean: _mean,
    np.mean: _mean,
    np.ndarray.astype: _truth,
    operator.pow: _power,
    np.ndarray.dot: _product,
    matmul: _matmul,
    sum_rows: _sum_rows,
}
