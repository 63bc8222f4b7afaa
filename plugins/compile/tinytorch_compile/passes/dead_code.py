"""Leaves out calls whose results nothing needs."""

from __future__ import annotations

from dataclasses import replace

from tinytorch_compile.program import Guard, Program, Step, Value


def removed(program: Program) -> Program:
    """Return the program without the calls whose results nothing needs."""
    live: set[Value] = {value for root in program.needed for value in _with_memory(root)}
    kept: list[Step] = []
    for step in reversed(program.steps):
        if isinstance(step, Guard) or step.effect or not live.isdisjoint(step.results):
            kept.append(step)
            live.update(v for read in step.reads for v in _with_memory(read))
    return replace(program, steps=kept[::-1])


def _with_memory(value: Value) -> tuple[Value, ...]:
    return (value, value.memory)
