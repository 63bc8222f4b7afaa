"""The model of a captured step: its inputs, state, nodes and outputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import CellType
from typing import Any

import numpy as np

from tinytorch_compile.capture import Captured
from tinytorch_compile.errors import ExportError
from tinytorch_compile.export.graph import NUMBERS, Graph, Symbol, cast
from tinytorch_compile.export.names import output_names, slot_names, tensor_names
from tinytorch_compile.export.translation import Translation
from tinytorch_compile.passes import dead_code
from tinytorch_compile.program import Constant, Program, Value

# What the name of a state's new value ends with.
NEXT = ".next"


@dataclass
class Model:
    """The parts of a model.

    Attributes:
        graph: the nodes and constants.
        inputs: the arrays that the caller passes.
        state: the inputs that have a default value, with that value, by name.
        fixed: the arrays of the state that never change, by name.
        outputs: the results, by name.
        axes: for an input or output whose shape is not the same in all calls, its lengths: a
            number, a name, or None.
    """

    graph: Graph
    inputs: list[Symbol]
    state: dict[str, tuple[Symbol, Any]]
    fixed: dict[str, Any]
    outputs: dict[str, Symbol]
    axes: dict[str, tuple[int | str | None, ...]] = field(default_factory=dict)

    def names(self) -> set[str]:
        """Return all names in the model."""
        results = {name for node in self.graph.nodes for name in node.outputs}
        passed = {x.name for x in self.inputs}
        return {*results, *passed, *self.state, *self.fixed, *self.graph.constants}


def model_of(captured: Captured, inputs: list[str]) -> Model:
    """Return the model of a captured step.

    Args:
        captured: the captured step.
        inputs: the names of the arrays among its arguments.

    Raises:
        ExportError: the step has no counterpart in ONNX.
    """
    gradients, outputs = _gradients(captured)
    program = dead_code.removed(
        replace(
            captured.program,
            writes=captured.program.writes | gradients,
            kept=list(outputs.values()),
        )
    )
    model = Model(Graph(), [], {}, {}, {})
    values: dict[Value, Any] = {}
    for value, name in zip(program.inputs, inputs, strict=True):
        values[value] = _symbol(model.graph, value, name)
        model.inputs.append(values[value])
    _add_slots(model, program, captured, values)
    ends = {name: program.outputs[i] for name, i in output_names(captured.result).items()}
    ends |= {f"{values[slot].name}{NEXT}": end for slot, end in program.writes.items()}
    ends |= outputs
    if not ends:
        raise ExportError("the step returns no array and changes none, so a model would be empty")
    # Results get their names before the nodes do.
    unique = {name: model.graph.new_name(name) for name in ends}
    values = Translation(program, model.graph, values).values
    for name, end in ends.items():
        _add_output(model, unique[name], values[end] if isinstance(end, Value) else end)
    return model


def _gradients(captured: Captured) -> tuple[dict[Value, Any], dict[str, Any]]:
    """Return the gradients that are state, and those that are results.

    A gradient that the step reads is state. One that the step computes without updating the tensor
    is a result.

    Returns:
        The new values of the former by slot, and of the latter by name.
    """
    program = captured.program
    read = {value for step in program.steps for value in step.reads} | set(program.needed)
    slots = {id(array): slot for slot, array in captured.arrays.items()}
    slot_of = {id(tensor): slots[id(array)] for tensor, array in captured.tensors}
    names = tensor_names(captured)
    state: dict[Value, Any] = {}
    results: dict[str, Any] = {}
    for gradient in captured.gradients:
        name = f"{names[id(gradient.tensor)]}.grad"
        if gradient.slot is not None and gradient.slot in read:
            if gradient.after is None:
                raise ExportError(
                    f"the step reads {name} and sets it to None, so later calls differ; call "
                    "zero_grad() before the export"
                )
            state[gradient.slot] = gradient.after
        elif gradient.after in (None, gradient.slot):
            continue
        elif slot_of[id(gradient.tensor)] not in program.writes:
            results[name] = gradient.after
    return state, results


def _add_slots(
    model: Model, program: Program, captured: Captured, values: dict[Value, Any]
) -> None:
    """Let the state that changes be inputs, and the rest arrays of the model."""
    read = {value for step in program.steps for value in step.reads} | set(program.needed)
    names = slot_names(captured)
    for slot in program.slots:
        changes = slot in program.writes or slot.layout is None
        if slot not in read and slot not in program.writes:
            continue
        content = captured.arrays[slot]
        if slot.layout is None:
            thing, key = content
            content = thing.cell_contents if isinstance(thing, CellType) else thing[key]
        if not changes and content.dtype.kind in "biu":
            # Its elements may be needed while nodes are added, such as those of a mask.
            values[slot] = content.copy()
            continue
        symbol = values[slot] = _symbol(model.graph, slot, names[slot], content)
        if changes:
            model.state[symbol.name] = symbol, np.asarray(content, symbol.dtype)
        else:
            model.fixed[symbol.name] = content


def _symbol(graph: Graph, value: Value, name: str, content: Any = None) -> Symbol:
    name = graph.new_name(name)
    if value.layout is None:
        kind = type(content)
        return Symbol(graph, name, (), NUMBERS[kind], kind)
    return Symbol(graph, name, value.layout.shape, value.layout.dtype)


def _add_output(model: Model, name: str, end: Any) -> None:
    """Add a result: a node that copies it, so that each result has a name of its own."""
    found = end.array if isinstance(end, Constant) else end
    state, _ = model.state.get(name.removesuffix(NEXT), (None, None))
    found = found if state is None else cast(found, state.dtype)
    found = found if isinstance(found, Symbol) else np.asarray(found)
    model.graph.add_result(found, name)
    model.outputs[name] = Symbol(model.graph, name, found.shape, found.dtype)
