"""Turns a captured call into the function that replays it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import array_text, from_array

from tinytorch_compile.capture import Captured, Gradient, Leaf
from tinytorch_compile.function import function_from
from tinytorch_compile.guards import conditions
from tinytorch_compile.passes import simplified
from tinytorch_compile.passes.grouping import grouped
from tinytorch_compile.program import Call, Program
from tinytorch_compile.source import Names, Source
from tinytorch_compile.tracing import owner_of

# What a replay returns if its program does not hold any more. It has had no effect then.
CHANGED = object()


@dataclass
class Replay:
    """A captured call and the function that replays it.

    Attributes:
        run: takes the arguments of the step; returns its result, or CHANGED.
        holds: takes the arguments; returns whether the program holds for this call.
        captured: the captured call.
        program: its program, simplified.
        bytes: the size of the arrays for intermediate results.
        conditions: how many conditions are checked before each call.
        allocating: the calls that create a new array each time.
        verified: a second capture was equal.
    """

    run: Callable[..., Any]
    holds: Callable[..., bool]
    captured: Captured
    program: Program
    bytes: int
    conditions: int
    allocating: list[Call]
    verified: bool = False


def replay_of(name: str, captured: Captured, arguments: Mapping[str, Any]) -> Replay:
    """Return the replay of a captured call.

    Args:
        name: the name of the step.
        captured: the captured call.
        arguments: the arguments of the call, by name; positional arguments first.
    """
    program = simplified(captured.program)
    kept = _accumulate(program, captured)
    names = Names()
    for own in (name, "result", "holds", "call", "arguments", *arguments):
        names.new(own)
    names.of(CHANGED, "CHANGED")
    arrays = {k: v for k, v in arguments.items() if isinstance(v, Tensor | np.ndarray)}
    inputs = [
        names.new(f"{key}_array") if isinstance(value, Tensor) else key
        for key, value in arrays.items()
    ]
    source = Source(grouped(program), captured.arrays, inputs, names, "return CHANGED")
    written = [captured.arrays[slot] for slot in program.writes if slot.layout is not None]
    owners = frozenset(id(owner_of(array)) for array in (*written, *source.kept))
    texts = _all_conditions(captured, kept, arguments, names, owners)
    checks = _condition_lines(texts)
    lines = [
        *checks,
        *[
            f"{text} = {array_text(key)}"
            for text, (key, value) in zip(inputs, arrays.items(), strict=True)
            if isinstance(value, Tensor)
        ],
        *source.lines,
        f"result = {_result_text(captured.result, source, names)}",
        *source.writes,
        *_gradient_lines(kept, source, names),
        "return result",
    ]
    signature = ", ".join(arguments)
    run = function_from(name, signature, lines, names.objects)
    holds = function_from("holds", signature, [*checks, "return True"], names.objects)
    return Replay(
        run,
        lambda *args, **kwargs: holds(*args, **kwargs) is True,
        captured,
        program,
        source.pool.bytes,
        len(texts),
        source.allocating,
    )


def _accumulate(program: Program, captured: Captured) -> list[tuple[Gradient, int | None]]:
    """Let gradients that the program reads be state, and return the others that it sets.

    Returns:
        Each gradient with the index of its new value in `program.kept`, or None for None.
    """
    read = {v for step in program.steps for v in step.reads} | set(program.outputs)
    found: list[tuple[Gradient, int | None]] = []
    ends = [g for g in captured.gradients if g.after is not None and g.after is not g.slot]
    kept = dict(zip(map(id, ends), program.kept, strict=True))
    program.kept = []
    for gradient in captured.gradients:
        if gradient.slot in read and id(gradient) in kept:
            program.writes[gradient.slot] = kept[id(gradient)]
        elif id(gradient) in kept:
            program.kept.append(kept[id(gradient)])
            found.append((gradient, len(program.kept) - 1))
        elif gradient.after is None:
            found.append((gradient, None))
    return found


def _all_conditions(
    captured: Captured,
    kept: list[tuple[Gradient, int | None]],
    arguments: Mapping[str, Any],
    names: Names,
    owners: frozenset[int],
) -> list[str]:
    texts = conditions(captured, arguments, names, owners)
    set_here = {id(gradient) for gradient, _ in kept}
    for gradient in captured.gradients:
        tensor = names.of(gradient.tensor, "tensor")
        if gradient.before is None:
            texts.append(f"{tensor}.grad is None")
        elif id(gradient) not in set_here:
            texts.append(f"{tensor}.grad is {names.of(gradient.before, 'grad')}")
    return list(dict.fromkeys(texts))


def _condition_lines(texts: list[str]) -> list[str]:
    if not texts:
        return []
    first, *others = texts
    return [
        "if not (",
        f"    {first}",
        *[f"    and {text}" for text in others],
        "):",
        "    return CHANGED",
    ]


def _result_text(result: Any, source: Source, names: Names) -> str:
    if isinstance(result, Leaf):
        text = source.outputs[result.index]
        if result.kind is None:
            return text
        return f"{names.of(from_array, 'from_array')}({names.of(result.kind, 'Tensor')}, {text})"
    if isinstance(result, tuple | list):
        items = [_result_text(item, source, names) for item in result]
        if isinstance(result, list):
            return f"[{', '.join(items)}]"
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    if isinstance(result, dict):
        items = [f"{k!r}: {_result_text(v, source, names)}" for k, v in result.items()]
        return f"{{{', '.join(items)}}}"
    return source.text(result)


def _gradient_lines(
    kept: list[tuple[Gradient, int | None]], source: Source, names: Names
) -> list[str]:
    lines = []
    for gradient, index in kept:
        if index is None and gradient.before is None:
            continue  # a condition has found that it is None already
        place = f"{names.of(gradient.tensor, 'tensor')}.grad"
        text = "None" if index is None else names.of(source.kept[index], "grad")
        # Usually it is the array of the last call, and to assign it takes four times as long.
        lines += [f"if {place} is not {text}:", f"    {place} = {text}"]
    return lines
