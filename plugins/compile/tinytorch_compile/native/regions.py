"""Groups the calls of a program into regions, each of which becomes one compiled function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinytorch_compile.native.calls.arguments import Arguments
from tinytorch_compile.native.elementwise import UnsupportedError
from tinytorch_compile.native.function import Kernel, Root, Scalar, parts_of
from tinytorch_compile.native.geometry import Geometry
from tinytorch_compile.native.loops import Bounds, Decision, Elementwise, Statement
from tinytorch_compile.native.lowering import kernels_of, key_of
from tinytorch_compile.program import Block, Call, Guard, Program, Step, Value

# Kernels of plugins that check the range of integers: the arguments that hold the array and the
# upper limit, and the result if all are in the range.
_RANGE_CHECKS: dict[Any, tuple[int, int, bool]] = {
    "tinytorch_losses.arguments._may_be_ignored": (1, 2, False),
    "tinytorch_layers.functional.lookup._check_range": (1, 2, True),
}


@dataclass(eq=False)
class Region(Block):
    """A function that is compiled: the loops of several calls.

    Attributes:
        kernels: the loops, in order.
        calls: the number of calls.
        reads: the arrays and numbers that it takes from other steps.
        results: the arrays that it computes for other steps.
    """

    kernels: list[Kernel]
    calls: int
    reads: list[Value] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)

    __name__ = "region"

    def __call__(self, *args: Any) -> Any:
        raise NotImplementedError("a region runs only after it was compiled")

    @property
    def checks(self) -> bool:  # type: ignore[override]
        """Whether the program may turn out not to hold any more."""
        return any(kernel.checks for kernel in self.kernels)

    def lines(self, name: Callable[[Any], str]) -> list[str]:
        """Return the loops as lines that people can read."""
        return [line for kernel in self.kernels for line in kernel.text(name)]

    @property
    def internal(self) -> list[Value]:
        """The arrays that only this region uses."""
        found = dict.fromkeys(root for kernel in self.kernels for root in stored(kernel))
        return [r for r in found if isinstance(r, Value) and r not in self.results]

    def may_write_into(self, slot: Value, result: Value) -> bool:
        """Return whether a result can be in the memory of a slot, whose old value it replaces.

        All loops that read the slot must come before, or read the same element in each round.
        """
        if not self.is_after_checks(result):
            return False
        first = self._first_write(result)
        for i, kernel in enumerate(self.kernels):
            reads = any(part.root is slot for part in kernel.reads())
            if reads and (i > first or (i == first and not self._in_step(kernel, slot))):
                return False
        return True

    def is_after_checks(self, result: Value) -> bool:
        """Return whether a result is written only when it is known that the program holds."""
        return not any(kernel.checks for kernel in self.kernels[self._first_write(result) :])

    def _first_write(self, result: Value) -> int:
        return next(i for i, kernel in enumerate(self.kernels) if result in kernel.writes())

    def _in_step(self, kernel: Kernel, slot: Value) -> bool:
        """Return whether a kernel reads each element of a slot in the round that replaces it."""
        if not isinstance(kernel, Elementwise):
            return False
        operands = [operand for s in kernel.statements for operand in s.operands]
        reads = [(o, p) for o in operands for p in parts_of(o) if p.root is slot]
        return all(operand is part and part.is_whole for operand, part in reads)


def stored(kernel: Kernel) -> list[Root]:
    """Return the roots that a kernel stores in memory, in order."""
    roots = list(kernel.writes())
    return [r for r in roots if r in kernel.stored] if isinstance(kernel, Elementwise) else roots


@dataclass(eq=False)
class _Group:
    """Calls that become one region, and the steps that create views of what they compute."""

    calls: list[Call] = field(default_factory=list)
    kernels: list[Kernel] = field(default_factory=list)
    written: set[Root] = field(default_factory=set)
    views: list[Step] = field(default_factory=list)

    def add(self, kernels: list[Kernel]) -> None:
        self.kernels += kernels
        for kernel in kernels:
            self.written.update(kernel.writes())


def grouped(program: Program) -> tuple[Program, dict[str, str]]:
    """Return the program with regions in place of the calls that can be compiled.

    Returns:
        The program, and why functions were not compiled, by their names.
    """
    if "raise" in np.geterr().values() or "call" in np.geterr().values():
        return program, {"all": "NumPy is asked to raise floating-point errors"}
    return _Grouping(program).result()


class _Grouping:
    """Sorts the steps of a program into regions and others, which keep their order."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._arguments = Arguments(Geometry(program))
        self._group = _Group()
        self._steps: list[Step | _Group] = []
        self._checked: set[Value] = set()
        self._reasons: dict[str, str] = {}
        for step in program.steps:
            if isinstance(step, Guard):
                self._guard(step)
            elif not step.several and step.results[0].view_of is not None:
                self._view(step)
            else:
                self._call(step)
        self._close()

    def _depends(self, step: Step) -> bool:
        """Return whether a step needs what the open group computes."""
        return any(value.memory in self._group.written for value in step.reads)

    def _guard(self, guard: Guard) -> None:
        if guard.value in self._checked:
            return
        if self._depends(guard):
            decision = self._decision(guard)
            if decision is not None:
                self._group.add([decision])
                return
            self._close()
        self._steps.append(guard)

    def _decision(self, guard: Guard) -> Kernel | None:
        part = self._arguments.geometry.of(guard.value)
        if part is None or part.size != 1:
            return None
        is_same = guard.convert is bool or (guard.convert is float and part.dtype.kind == "f")
        if not is_same:
            return None
        dtype = np.dtype("?") if guard.convert is bool else np.dtype("d")
        if guard.convert is float and guard.expected != guard.expected:
            return None
        part = part.transposed([])
        return Decision(part, dtype, guard.expected)

    def _view(self, call: Call) -> None:
        if self._depends(call):
            self._group.views.append(call)
        else:
            self._steps.append(call)

    def _call(self, call: Call) -> None:
        kernels = self._range_check(call)
        if kernels is None:
            try:
                kernels = kernels_of(self._arguments, call)
            except UnsupportedError as error:
                if any(result.layout for result in call.results):
                    self._reasons[getattr(call.function, "__name__", "function")] = str(error)
                if self._depends(call):
                    self._close()
                self._steps.append(call)
                return
        self._group.calls.append(call)
        self._group.add(kernels)

    def _range_check(self, call: Call) -> list[Kernel] | None:
        """Return the loop of a check whose result is always the same, or None."""
        known = _RANGE_CHECKS.get(key_of(call.function))
        if known is None:
            return None
        array, high, expected = known
        (result,) = call.results
        uses = [s for s in self._program.steps if result in s.reads]
        same = all(isinstance(s, Guard) and s.expected is expected for s in uses)
        part = self._arguments.geometry.of(call.args[array])
        limit = call.args[high]
        if not same or result in self._program.needed or part is None or part.dtype.kind != "i":
            return None
        if type(limit) is not int or (len(call.args) > 3 and 0 <= call.args[3] < limit):
            return None
        self._checked.add(result)
        return [Bounds(part, 0, limit)]

    def _close(self) -> None:
        if self._group.kernels:
            self._steps.append(self._group)
        self._steps += self._group.views
        self._group = _Group()

    def result(self) -> tuple[Program, dict[str, str]]:
        """Return the program, with the regions as calls."""
        live = {value.memory for value in self._program.needed} | set(self._program.needed)
        steps: list[Step] = []
        for step in reversed(self._steps):
            if isinstance(step, _Group):
                call = self._region(step, live)
                steps.append(call)
                live.update(call.reads)
                continue
            is_view = isinstance(step, Call) and step.results[0].view_of is not None
            if is_view and isinstance(step, Call) and live.isdisjoint(step.results):
                continue
            steps.append(step)
            live.update(v for read in step.reads for v in (read, read.memory))
        return self._program.rewritten(steps[::-1], lambda value: value), self._reasons

    def _region(self, group: _Group, live: set[Value]) -> Call:
        slots = {end: slot for slot, end in self._program.writes.items() if isinstance(end, Value)}
        kernels = _fused(_checks_first(group.kernels), slots)
        results = [root for root in dict.fromkeys(_roots(group.kernels)) if root in live]
        kernels = _needed(kernels, set(results))
        region = Region(kernels, len(group.calls))
        region.results = [root for root in results if isinstance(root, Value)]
        written = set(_roots(kernels))
        found: dict[Value, None] = {}
        for kernel in kernels:
            for part in kernel.reads():
                if isinstance(part.root, Value) and part.root not in written:
                    found[part.root] = None
            found.update(dict.fromkeys(numbers(kernel)))
        region.reads = list(found)
        location = next((call.location for call in group.calls if call.location), None)
        return Call(
            region, tuple(found), {}, tuple(region.results), several=True, location=location
        )


def _checks_first(kernels: list[Kernel]) -> list[Kernel]:
    """Return the kernels in an order in which little comes before the checks.

    Nothing that others see may be written before it is known that the program holds.
    """
    needed: set[Root] = set()
    early: set[Kernel] = set()
    for kernel in reversed(kernels):
        if kernel.checks or not needed.isdisjoint(kernel.writes()):
            early.add(kernel)
            needed.update(part.root for part in kernel.reads())
    return sorted(kernels, key=lambda kernel: kernel not in early)


def _roots(kernels: list[Kernel]) -> Iterator[Root]:
    for kernel in kernels:
        yield from kernel.writes()


def numbers(kernel: Kernel) -> Iterator[Value]:
    """Yield the numbers of the program that a kernel uses."""
    operands: list[Any] = []
    if isinstance(kernel, Elementwise):
        operands = [operand for s in kernel.statements for operand in s.operands]
    elif hasattr(kernel, "value"):
        operands = [kernel.value]
    for operand in operands:
        if isinstance(operand, Scalar) and isinstance(operand.number, Value):
            yield operand.number


def _fused(kernels: list[Kernel], slots: dict[Value, Value]) -> list[Kernel]:
    """Return the kernels with elementwise ones of the same shape in one loop.

    Args:
        kernels: the kernels of the calls, in order.
        slots: the slots by the values that they have at the end.
    """
    done: list[Kernel] = []
    for kernel in kernels:
        target = _partner(done, kernel, slots) if isinstance(kernel, Elementwise) else None
        if target is None or not isinstance(kernel, Elementwise):
            done.append(kernel)
        else:
            target.statements += kernel.statements
    return done


def _partner(
    done: list[Kernel], kernel: Elementwise, slots: dict[Value, Value]
) -> Elementwise | None:
    """Return the last kernel that an elementwise one can join."""
    reads = {part.root for part in kernel.reads()}
    (statement,) = kernel.statements
    slot = slots.get(statement.result.root)  # type: ignore[arg-type]
    for other in reversed(done):
        if isinstance(other, Elementwise) and other.joins(statement):
            return other
        if not reads.isdisjoint(other.writes()):
            return None
        if slot is not None and any(part.root is slot for part in other.reads()):
            return None  # the slot is written into after this
    return None


def _needed(kernels: list[Kernel], results: set[Root]) -> list[Kernel]:
    """Return the kernels that something needs, with what they store."""
    live = set(results)
    found: list[Kernel] = []
    for kernel in reversed(kernels):
        if not isinstance(kernel, Elementwise):
            if kernel.checks or not live.isdisjoint(kernel.writes()):
                found.append(kernel)
                live.update(part.root for part in kernel.reads())
            continue
        kept: list[Statement] = []
        inside: set[Root] = set()
        for s in reversed(kernel.statements):
            root = s.result.root
            if root in live or root in inside:
                kept.append(s)
                if root in live:
                    kernel.stored.add(root)
                inside.update(p.root for o in s.operands for p in parts_of(o))
        kernel.statements = kept[::-1]
        if kept:
            found.append(kernel)
            live.update(part.root for part in kernel.reads())
    return found[::-1]
