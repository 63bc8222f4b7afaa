"""Creates equal views once.

Other equal calls stay: BLAS multiplies an array by its own transpose in another way than by that of
an equal array, so merging two arrays could change the last bits.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from tinytorch_compile.program import Call, Program, Step, Value, move_views


def shared(program: Program) -> Program:
    """Return the program with one view in place of several equal ones."""
    known: dict[Hashable, tuple[Value, ...]] = {}
    same: dict[Value, Value] = {}

    def change(value: Value) -> Value:
        return same.get(value, value)

    steps: list[Step] = []
    for step in program.steps:
        step = step.reading(change)
        if isinstance(step, Call) and all(result.view_of for result in step.results):
            first = known.setdefault(_key(step), step.results)
            if first is not step.results:
                same.update(zip(step.results, first, strict=True))
                continue
        steps.append(step)
    move_views(steps, same)
    return program.rewritten(steps, change)


def _key(call: Call) -> Hashable:
    errors = tuple(sorted((call.errors or {}).items()))
    return call.function, frozen(call.args), frozen(call.kwargs), errors


def frozen(tree: Any) -> Hashable:
    """Return nested arguments as a hashable value; arrays and unknown objects by identity."""
    kind = type(tree)
    if kind is tuple or kind is list:
        return (kind, *map(frozen, tree))
    if kind is dict:
        return (kind, *((key, frozen(item)) for key, item in tree.items()))
    if kind is slice:
        return (kind, frozen(tree.start), frozen(tree.stop), frozen(tree.step))
    if kind is float:
        return kind, tree.hex()  # 0.0 and -0.0 differ
    if tree is None or isinstance(tree, Value | bool | int | complex | str | type | np.dtype):
        return kind, tree
    return kind, id(tree)
