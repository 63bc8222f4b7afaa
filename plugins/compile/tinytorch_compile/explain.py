"""`explain()`: what was captured, what a replay checks, and what was not captured and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tinytorch_compile.program import Call, Guard, Program
from tinytorch_compile.replay import Replay


def explanation(name: str, replays: Sequence[Replay], reason: str | None) -> str:
    """Return the report of a compiled step as text."""
    if not replays:
        return f"{name}: no program yet; {reason or 'it has not been called'}"
    lines = [f"{name}: {_count(len(replays), 'program')}"]
    for number, replay in enumerate(replays, 1):
        lines += ["", f"program {number}", *(f"  {line}" for line in _of_replay(replay))]
    if reason is not None:
        lines += ["", f"not captured: {reason}"]
    return "\n".join(lines)


def _of_replay(replay: Replay) -> list[str]:
    recorded, program = replay.captured.program, replay.program
    arrays = sum(slot.layout is not None for slot in program.slots)
    numbers = len(program.slots) - arrays
    lines = [
        f"captured: {_calls(recorded)} calls of NumPy, of which {_calls(program)} remain",
        f"state: {_count(arrays, 'array')}, {_count(numbers, 'number')}; "
        f"{len(program.writes)} of them change",
        *replay.notes,
        f"memory for intermediate results: {replay.bytes:,} bytes",
        f"guards: {_count(replay.conditions, 'condition')} before the call",
    ]
    lines += [f"guard: {_decision(step)}" for step in program.steps if isinstance(step, Guard)]
    slow = Counter(_name(call.function) for call in replay.allocating)
    lines += [
        f"creates a new array in each call: {name}" + (f" ({count} times)" if count > 1 else "")
        for name, count in slow.items()
    ]
    if not replay.verified:
        lines.append("not used yet: the next call is captured too, and must be the same")
    return lines


def _calls(program: Program) -> int:
    return sum(isinstance(step, Call) for step in program.steps)


def _decision(guard: Guard) -> str:
    place = guard.location or "unknown line"
    return f"{_name(guard.convert)}() of {guard.value.label} is {guard.expected!r}, {place}"


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", function))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
