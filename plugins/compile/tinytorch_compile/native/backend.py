"""What the backend "native" does with a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinytorch_compile.native.linking import has_expected_objects, linked
from tinytorch_compile.native.machine import llvm
from tinytorch_compile.native.regions import Region, grouped
from tinytorch_compile.program import Call, Program
from tinytorch_compile.source import Placed


def check() -> None:
    """Raise ImportError if the compiler is not installed."""
    llvm()
    if not has_expected_objects():
        raise ImportError('compile(backend="native") does not support this build of NumPy')


def change(program: Program) -> tuple[Program, list[str]]:
    """Return the program with regions, and lines for `explain()`."""
    program, reasons = grouped(program)
    steps = [step for step in program.steps if isinstance(step, Call)]
    regions = [step.function for step in steps if isinstance(step.function, Region)]
    calls = sum(region.calls for region in regions)
    loops = sum(len(region.kernels) for region in regions)
    lines = [f"compiled: {calls} calls, as {loops} loops in {len(regions)} functions"]
    lines += [
        f"runs as NumPy: {name}{f' ({reason})' if reason else ''}"
        for name, reason in reasons.items()
    ]
    return program, lines


def link(blocks: Sequence[Placed]) -> tuple[dict[str, Any], list[str]]:
    """Return the functions of regions by name, and lines for `explain()`."""
    functions, cached = linked(blocks)
    return functions, ["machine code: from the cache"] if cached else []
