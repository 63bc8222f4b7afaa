"""Computes what depends on shapes only when the program is built, such as `np.zeros_like(x)`.

A product with ones becomes a copy, which the next pass leaves out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinytorch_compile.program import (
    Call,
    Constant,
    Guard,
    Layout,
    Program,
    Step,
    Value,
    leaves,
    mapped,
)

_FILLED = {np.zeros_like: 0, np.ones_like: 1, np.empty_like: 0}


def folded(program: Program) -> Program:
    """Return the program with constants in place of calls that depend on nothing else."""
    known: dict[Value, Constant] = {}

    def change(value: Value) -> Any:
        return known.get(value, value)

    steps: list[Step] = []
    for step in program.steps:
        if isinstance(step, Guard):
            if step.value not in known:
                steps.append(step)
            continue
        step = _without_ones(step.reading(change))
        result = None if step.effect else _constant(step)
        if result is None:
            steps.append(step)
        else:
            known[step.results[0]] = Constant(result)
    return program.rewritten(steps, change)


def _constant(call: Call) -> Any:
    """Return the result of a call that depends on constants only, or None."""
    if call.several or call.results[0].layout is None:
        return None
    if call.function in _FILLED:
        return _array(call.results[0].layout, _FILLED[call.function])
    found = list(leaves((call.args, call.kwargs)))
    if not any(isinstance(leaf, Constant) for leaf in found):
        return None
    if any(isinstance(leaf, Value | np.ndarray | np.random.Generator) for leaf in found):
        return None
    args, kwargs = mapped((call.args, call.kwargs), array_of)
    with np.errstate(**(call.errors or {})):  # type: ignore[arg-type]
        return np.asarray(call.function(*args, **kwargs))


def _without_ones(call: Call) -> Call:
    """Return a copy in place of a product with ones of the same dtype."""
    if call.function is not np.multiply or call.kwargs or len(call.args) != 2:
        return call
    for ones, x in (call.args, call.args[::-1]):
        if isinstance(ones, Constant) and isinstance(x, Value) and x.layout is not None:
            same = ones.array.dtype == x.layout.dtype and call.results[0].layout == x.layout
            if same and (ones.array == 1).all():
                return replace(call, function=np.copy, args=(x,))
    return call


def array_of(leaf: Any) -> Any:
    """Return the array of a constant, and other leaves as they are."""
    return leaf.array if isinstance(leaf, Constant) else leaf


def _array(layout: Layout, number: int) -> Any:
    array = layout.empty()
    array.fill(number)
    return array
