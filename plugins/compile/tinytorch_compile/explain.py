"""`explain()`: what was captured, what a replay checks, and what was not captured and why."""

from __future__ import annotations

import linecache
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tinytorch_compile.program import Call, Guard, Location, Program
from tinytorch_compile.replay import Replay


def explanation(name: str, replays: Sequence[Replay], reason: str | None) -> str:
    """Return the report of a compiled step as text."""
    if not replays:
        return f"{name}: no program yet; {reason or 'it has not been called'}"
    lines = [f"{name}: {_count(len(replays), 'program')}"]
    for number, replay in enumerate(replays, 1):
        title = f"program {number}{_inputs(replay.program)}"
        lines += ["", title, *(f"  {line}" for line in _of_replay(replay))]
    if reason is not None:
        lines += ["", f"not captured: {reason}"]
    return "\n".join(lines)


def changing(replays: Sequence[Replay]) -> str:
    """Return which decision, or what in the arguments, differs most often between programs."""
    found: dict[str, set[str]] = {}
    for replay in replays:
        found.setdefault("the arguments are", set()).add(_inputs(replay.program)[2:])
        for step in replay.program.steps:
            if isinstance(step, Guard):
                place = _line_text(step.location)
                what = f"{place}: {_name(step.convert)}() of {step.value.label} is"
                found.setdefault(what, set()).add(repr(step.expected))
    if not found:
        return ""
    what, values = max(found.items(), key=lambda item: len(item[1]))
    if len(values) < 2:
        return ", such as an attribute or a global name"
    shown = " or ".join(sorted(values)[:3])
    advice = "; item() returns a number without a decision" if "float() of" in what else ""
    return f": {what} {shown}{advice}"


def _inputs(program: Program) -> str:
    """Return for which arguments a program is."""
    texts = [f"{v.label}: {v.layout.dtype} {v.layout.shape}" for v in program.inputs if v.layout]
    return f", {', '.join(texts)}" if texts else ""


def _of_replay(replay: Replay) -> list[str]:
    recorded, program = replay.captured.program, replay.program
    arrays = sum(slot.layout is not None for slot in program.slots)
    numbers = len(program.slots) - arrays
    lines = [
        f"captured: {_calls(recorded)} calls of NumPy, of which {_calls(program)} remain",
        *_lines(recorded, program),
        f"state: {_count(arrays, 'array')}, {_count(numbers, 'number')}; "
        f"{len(program.writes)} of them change",
        *[f"number: {slot.label}" for slot in program.slots if slot.layout is None],
        *replay.notes,
        f"memory for intermediate results: {replay.bytes:,} bytes",
        f"guards: {_count(replay.conditions, 'condition')} before the call",
    ]
    decisions = Counter(_decision(step) for step in program.steps if isinstance(step, Guard))
    lines += [f"guard: {text}{_times(count)}" for text, count in decisions.items()]
    slow = Counter(_name(call.function) for call in replay.allocating)
    lines += [f"creates a new array in each call: {n}{_times(count)}" for n, count in slow.items()]
    if not replay.verified:
        lines.append("not used yet: the next call is captured too, and must be the same")
    return lines


def _lines(recorded: Program, program: Program) -> list[str]:
    """Return how many calls each line of the user's program has caused, and how many remain."""
    before, after = _by_line(recorded), _by_line(program)
    return [
        f"  {count:4} -> {after[location]:<4} {_line_text(location)}"
        for location, count in before.items()
    ]


def _by_line(program: Program) -> Counter[Location | None]:
    return Counter(step.location for step in program.steps if isinstance(step, Call))


def _line_text(location: Location | None) -> str:
    if location is None:
        return "other lines"
    code = linecache.getline(location.file, location.line).strip()
    return f"{os.path.basename(location.file)}:{location.line}  {code}".rstrip()


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


def _calls(program: Program) -> int:
    return sum(isinstance(step, Call) for step in program.steps)


def _decision(guard: Guard) -> str:
    what = f"{_name(guard.convert)}() of {guard.value.label} is {guard.expected!r}"
    return f"{what}, {_line_text(guard.location)}"


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", function))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
