"""Simplifications of a program, each in its own module. None of them changes a bit of a result."""

from __future__ import annotations

from tinytorch_compile.passes import common, constants, copies, dead_code, lowering
from tinytorch_compile.program import Program


def simplified(program: Program) -> Program:
    """Return a program with the same results and fewer calls."""
    for change in (
        dead_code.removed,
        lowering.lowered,
        constants.folded,
        copies.removed,
        common.shared,
        dead_code.removed,
    ):
        program = change(program)
    return program
