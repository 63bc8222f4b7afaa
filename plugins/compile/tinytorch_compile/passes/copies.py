"""Leaves out copies. Values are written once, so a copy always equals its original."""

from __future__ import annotations

import numpy as np

from tinytorch_compile.program import Call, Program, Step, Value, move_views

_PRODUCTS = frozenset({np.matmul, np.dot, np.ndarray.dot})
_COPIES = frozenset({np.copy, np.ndarray.copy, np.ndarray.astype, np.astype, np.array})


def removed(program: Program) -> Program:
    """Return the program without copies that have the layout of their original."""
    original: dict[Value, Value] = {}
    products = _products(program)

    def change(value: Value) -> Value:
        return original.get(value, value)

    steps: list[Step] = []
    for step in program.steps:
        step = step.reading(change)
        source = step.args[0] if isinstance(step, Call) and step.function in _COPIES else None
        if isinstance(step, Call) and isinstance(source, Value):
            (copy,) = step.results
            if copy.layout == source.layout and {copy, source.memory} not in products:
                original[copy] = source
                continue
        steps.append(step)
    move_views(steps, original)
    return program.rewritten(steps, change)


def _products(program: Program) -> list[set[Value]]:
    """Return the memory of the factors of each product.

    BLAS multiplies an array by its own transpose in another way than by that of a copy.
    """
    calls = [s for s in program.steps if isinstance(s, Call) and s.function in _PRODUCTS]
    return [{value.memory for value in call.reads} for call in calls]
