"""Leaves out copies. Values are written once, so a copy always equals its original."""

from __future__ import annotations

import numpy as np

from tinytorch_compile.program import Call, Program, Step, Value

_COPIES = frozenset({np.copy, np.ndarray.copy, np.ndarray.astype, np.astype, np.array})


def removed(program: Program) -> Program:
    """Return the program without copies that have the layout of their original."""
    original: dict[Value, Value] = {}

    def change(value: Value) -> Value:
        return original.get(value, value)

    steps: list[Step] = []
    for step in program.steps:
        step = step.reading(change)
        source = step.args[0] if isinstance(step, Call) and step.function in _COPIES else None
        if isinstance(step, Call) and isinstance(source, Value):
            (copy,) = step.results
            if copy.layout == source.layout:
                original[copy] = source
                continue
        steps.append(step)
    _move_views(steps, original)
    return program.rewritten(steps, change)


def _move_views(steps: list[Step], original: dict[Value, Value]) -> None:
    """Let the views of a copy that was left out be views of its original."""
    for step in steps:
        for result in step.results if isinstance(step, Call) else ():
            while result.view_of in original:
                result.view_of = original[result.view_of]
