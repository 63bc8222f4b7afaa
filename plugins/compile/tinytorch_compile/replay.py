"""Turns a captured call into the function that replays it."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import array_text, from_array, has_gil

from tinytorch_compile.arguments import array_parts
from tinytorch_compile.backends import Backend
from tinytorch_compile.capture import Captured, Gradient, Leaf
from tinytorch_compile.errors import CaptureError
from tinytorch_compile.function import function_from
from tinytorch_compile.guards import conditions, of_gradient
from tinytorch_compile.names import Names
from tinytorch_compile.passes import simplified
from tinytorch_compile.program import Call, Program, Value
from tinytorch_compile.source import Source

# What a replay returns if its program does not hold any more. It has had no effect then.
CHANGED = object()
# What it returns if somebody holds the arrays of gradients, into which it would write.
HELD = object()


@dataclass
class Replay:
    """A captured call and the function that replays it.

    Attributes:
        run: takes the arguments of the step; returns its result, CHANGED or HELD.
        holds: takes the arguments; returns whether the program holds for this call.
        captured: the captured call.
        program: its program, simplified.
        bytes: the size of the arrays for intermediate results.
        conditions: how many conditions are checked before each call.
        allocating: the calls that create a new array each time.
        first_write: the number of the first line of `run` that changes the state.
        saved: generators, each with the variable of `run` that holds its state at the start.
        gradients: the names of the arrays of gradients that `run` reuses, each with the text that
            counts the references to it, without that of its tensor.
        passed: the gradients that may be other arrays in each call.
        notes: what the backend has compiled, for `explain()`.
        verified: a second capture was equal.
    """

    run: Callable[..., Any]
    holds: Callable[..., bool]
    captured: Captured
    program: Program
    bytes: int
    conditions: int
    allocating: list[Call]
    first_write: int
    saved: list[tuple[Any, str]]
    gradients: list[tuple[str, str]]
    passed: list[Gradient]
    notes: list[str]
    verified: bool = False

    def verify(self) -> None:
        """Note that a second capture was equal, so the replay can be used."""
        self.verified = True
        space = self.run.__globals__
        for name, count in self.gradients:
            # In a function, as `run` counts them, because the number depends on the code.
            space[f"{name}_references"] = eval(f"lambda: {count}", space)()
        for gradient in self.passed:
            # Another program may reuse the array, unless something refers to it.
            assert gradient.slot is not None
            copy = gradient.before.copy("K")
            self.captured.arrays[gradient.slot] = gradient.before = copy

    def undo(self, error: Exception) -> bool:
        """Undo the effects of a run that raised an error; return False if that is not possible."""
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code is not self.run.__code__:
            trace = trace.tb_next
        if trace is None:
            return True
        if trace.tb_lineno >= self.first_write:
            return False
        variables = trace.tb_frame.f_locals
        for generator, name in self.saved:
            if name in variables:
                generator.bit_generator.state = variables[name]
        return True


def replay_of(
    name: str,
    captured: Captured,
    arguments: Mapping[str, Any],
    backend: Backend,
    copies: bool = False,
) -> Replay:
    """Return the replay of a captured call.

    Args:
        name: the name of the step.
        captured: the captured call.
        arguments: the arguments of the call, by name; positional arguments first.
        backend: how the program runs.
        copies: create new arrays for the gradients in each call, because the user holds them.

    Raises:
        CaptureError: the call adds to gradients in place, and without the GIL it cannot be noticed
            that the user holds them.
    """
    copies = copies or not has_gil()
    program = simplified(captured.program)
    kept = _accumulate(program, captured)
    passed = _pass_gradients(program, captured)
    changed, notes = backend.change(program)
    names = Names()
    for own in (name, "result", "holds", "call", "arguments", *arguments):
        names.new(own)
    names.of(CHANGED, "CHANGED")
    inputs = _input_names(arguments, names)
    variables = {id(g): names.new(g.slot.label) for g in passed if g.slot is not None}
    all_inputs = [*inputs, *variables.values()]
    source = Source(changed, captured.arrays, all_inputs, names, "return CHANGED")
    functions, more_notes = backend.link(source.blocks)
    names.objects.update(functions)
    written = [captured.arrays[slot] for slot in program.writes if slot.layout is not None]
    overwritten = [*written, *source.kept]
    texts = _all_conditions(captured, program, kept, arguments, names, overwritten, variables)
    checks = _condition_lines(texts)
    reused = _reused([] if copies else kept, captured, program, source, names)
    if reused and not has_gil():
        raise CaptureError(
            "it adds to gradients, which other code may hold, and Python without the global "
            "interpreter lock does not tell; call zero_grad() in the compiled function"
        )
    before = [*checks, *_held_lines(reused, names), *_input_lines(arguments, inputs)]
    lines = [
        *before,
        *source.lines,
        f"result = {_result_text(captured.result, source, names)}",
        *source.writes,
        *_gradient_lines(kept, source, names, copies),
        *_note_lines(written, captured, names),
        "return result",
    ]
    first_write = len(source.lines) + 1 if source.first_write is None else source.first_write
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
        2 + len(before) + first_write,
        source.saved,
        reused,
        passed,
        [*notes, *more_notes],
    )


def _input_names(arguments: Mapping[str, Any], names: Names) -> list[str]:
    """Return the names of the variables that hold the arrays among the arguments."""
    return [
        text if text in arguments and isinstance(value, np.ndarray) else names.new(f"{text}_array")
        for text, value in array_parts(arguments).items()
    ]


def _input_lines(arguments: Mapping[str, Any], inputs: list[str]) -> list[str]:
    """Return the lines that set these variables."""
    arrays = zip(inputs, array_parts(arguments).items(), strict=True)
    return [
        f"{name} = {array_text(text) if isinstance(value, Tensor) else text}"
        for name, (text, value) in arrays
        if name != text
    ]


def _accumulate(program: Program, captured: Captured) -> list[tuple[Gradient, int | None]]:
    """Let gradients that the program reads be state, and return the others that it sets.

    Returns:
        Each gradient with the index of its new value in `program.kept`, or None for None.
    """
    read = _read_by(program) | set(program.outputs)
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


def _read_by(program: Program) -> set[Value]:
    return {value for step in program.steps for value in step.reads}


def _pass_gradients(program: Program, captured: Captured) -> list[Gradient]:
    """Let gradients that the program only reads be inputs, and return them.

    They are other arrays in each call if something else computes them.
    """
    places = [slot for slot, _ in captured.readers]
    read = _read_by(program)
    passed = [
        gradient
        for gradient in captured.gradients
        if gradient.slot in program.slots
        and gradient.slot in read
        and gradient.slot not in program.writes
        and places.count(gradient.slot) == 1
    ]
    slots = [gradient.slot for gradient in passed if gradient.slot is not None]
    program.slots = [slot for slot in program.slots if slot not in slots]
    program.inputs = [*program.inputs, *slots]
    return passed


def _all_conditions(
    captured: Captured,
    program: Program,
    kept: list[tuple[Gradient, int | None]],
    arguments: Mapping[str, Any],
    names: Names,
    overwritten: list[Any],
    variables: dict[int, str],
) -> list[str]:
    texts = conditions(captured, arguments, names, overwritten)
    set_here = {id(gradient) for gradient, _ in kept}
    read = {value.memory for step in program.steps for value in step.reads}
    read |= {value.memory for value in program.needed} | program.writes.keys()
    for gradient in captured.gradients:
        tensor = names.of(gradient.tensor, "tensor")
        if gradient.before is None:
            texts.append(f"{tensor}.grad is None")
        elif id(gradient) in variables:
            name = variables[id(gradient)]
            texts += of_gradient(name, tensor, gradient.before, names, overwritten)
        elif gradient.slot in read:
            texts.append(f"{tensor}.grad is {names.of(gradient.before, 'grad')}")
        elif id(gradient) not in set_here:
            texts.append(f"{tensor}.grad is not None")
    return list(dict.fromkeys(texts))


def _condition_lines(texts: list[str]) -> list[str]:
    if not texts:
        return []
    first, *others = texts
    return [
        "try:",
        "    if not (",
        f"        {first}",
        *[f"        and {text}" for text in others],
        "    ):",
        "        return CHANGED",
        "except Exception:  # something was removed",
        "    return CHANGED",
    ]


def _result_text(result: Any, source: Source, names: Names) -> str:
    if isinstance(result, Leaf):
        text = source.outputs[result.index]
        if result.kind is None:
            return f"{text}[()]" if result.scalar else text
        tensor = f"{names.of(from_array, 'from_array')}({names.of(result.kind, 'Tensor')}, {text})"
        if not result.attributes:
            return tensor
        return f"{names.of(_with_attributes, 'with_attributes')}({tensor}, {result.attributes})"
    if isinstance(result, tuple | list):
        items = [_result_text(item, source, names) for item in result]
        if isinstance(result, list):
            return f"[{', '.join(items)}]"
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    if isinstance(result, dict):
        items = [f"{k!r}: {_result_text(v, source, names)}" for k, v in result.items()]
        return f"{{{', '.join(items)}}}"
    return source.text(result)


def _with_attributes(tensor: Tensor, attributes: dict[str, Any]) -> Tensor:
    vars(tensor).update(attributes)
    return tensor


def _note_lines(written: list[Any], captured: Captured, names: Names) -> list[str]:
    """Return the line that tells autograd of the writes, for graphs that saved these arrays."""
    autograd: Any = sys.modules.get("tinytorch_autograd")
    if autograd is None or not written:
        return []
    step = inspect.unwrap(captured.step)
    while isinstance(step, functools.partial):
        step = step.func
    code = getattr(step, "__code__", None) or type(step).__call__.__code__
    writes = autograd.RepeatedWrites(written, code)
    return [f"{names.of(writes, 'writes')}.note()"]


def _attribute(tensor: Any) -> str:
    """Return the name under which a tensor keeps its gradient among its attributes."""
    before, probe = tensor.grad, np.empty_like(tensor.data)
    tensor.grad = probe
    try:
        found: list[str] = [name for name, value in vars(tensor).items() if value is probe]
        return found[0]
    finally:
        tensor.grad = before


def _place(gradient: Gradient, names: Names) -> str:
    """Return the text of a gradient; faster than the property `grad`."""
    attributes = names.of(vars(gradient.tensor), "attributes")
    return f"{attributes}[{_attribute(gradient.tensor)!r}]"


def _reused(
    kept: list[tuple[Gradient, int | None]],
    captured: Captured,
    program: Program,
    source: Source,
    names: Names,
) -> list[tuple[str, str]]:
    """Return the name of each array of a gradient that is written.

    With it, return the text that counts the references to the array, without that of its tensor.
    """
    new = [
        (names.of(source.kept[index], "grad"), _place(gradient, names))
        for gradient, index in kept
        if index is not None
    ]
    added_to = [
        (names.of(captured.arrays[gradient.slot], "grad"), _place(gradient, names))
        for gradient in captured.gradients
        if gradient.slot in program.writes
    ]
    count = names.of(sys.getrefcount, "getrefcount")
    return [(name, f"{count}({name}) - ({place} is {name})") for name, place in new + added_to]


def _held_lines(reused: list[tuple[str, str]], names: Names) -> list[str]:
    """Return the lines that find out if there are more references to the gradients' arrays."""
    if not reused:
        return []
    condition = " or ".join(f"{count} > {name}_references" for name, count in reused)
    return [f"if {condition}:", f"    return {names.of(HELD, 'HELD')}"]


def _gradient_lines(
    kept: list[tuple[Gradient, int | None]], source: Source, names: Names, copies: bool
) -> list[str]:
    lines = []
    for gradient, index in kept:
        if index is None and gradient.before is None:
            continue  # a condition has found that it is None already
        text = "None" if index is None else names.of(source.kept[index], "grad")
        if copies and index is not None:
            text = f"{text}.copy('K')"
        lines.append(f"{_place(gradient, names)} = {text}")
    return lines
