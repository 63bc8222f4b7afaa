"""Writes a captured step as an ONNX model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tinytorch_compile.capture import Captured
from tinytorch_compile.errors import ExportError
from tinytorch_compile.export.graph import NUMBERS, Graph, Symbol, cast
from tinytorch_compile.export.names import output_names, slot_names, tensor_names
from tinytorch_compile.export.translation import Translation
from tinytorch_compile.passes import dead_code
from tinytorch_compile.program import Constant, Program, Value

# The version of ONNX's operators in exported models, and the oldest one that has them all. Runtimes
# since June 2024, onnxruntime 1.18 among them, support the former.
OPSET = 21
OLDEST_OPSET = 19
# What the name of a state's new value ends with.
NEXT = ".next"
# The largest file that protobuf can write.
_MOST_BYTES = 2**31 - 1


@dataclass
class _Model:
    """The parts of a model.

    Attributes:
        graph: the nodes and constants.
        inputs: the arrays that the caller passes.
        state: the inputs that have a default value, with that value, by name.
        fixed: the arrays of the state that never change, by name.
        outputs: the results, by name.
    """

    graph: Graph
    inputs: list[Symbol]
    state: dict[str, tuple[Symbol, Any]]
    fixed: dict[str, Any]
    outputs: dict[str, Symbol]


def write_model(
    path: str | os.PathLike[str],
    name: str,
    captured: Captured,
    inputs: list[str],
    opset: int,
    producer: tuple[str, str],
) -> None:
    """Write a captured step as an ONNX model.

    Args:
        path: the file.
        name: the name of the graph.
        captured: the captured step.
        inputs: the names of the arrays among its arguments.
        opset: the version of the operators.
        producer: the name and version of this package.

    Raises:
        ExportError: the step has no counterpart in ONNX, or the model is too large.
        ModuleNotFoundError: onnx is not installed.
    """
    onnx = import_onnx()
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise ExportError(f"opset must be from {OLDEST_OPSET} to {newest}, not {opset}")
    parts = _parts(captured, inputs)
    defaults = [array for _, array in parts.state.values()]
    arrays = [*parts.graph.constants.values(), *parts.fixed.values(), *defaults]
    if sum(np.asarray(array).nbytes for array in arrays) > _MOST_BYTES:
        raise ExportError("the arrays of the step exceed the 2 GB that an ONNX file can hold")
    model = onnx.helper.make_model(
        _graph_proto(onnx, name, parts),
        opset_imports=[onnx.helper.make_opsetid("", opset)],
        producer_name=producer[0],
        producer_version=producer[1],
    )
    model.ir_version = onnx.helper.find_min_ir_version_for(model.opset_import)
    onnx.checker.check_model(model, full_check=True)
    Path(path).write_bytes(model.SerializeToString())


def import_onnx() -> ModuleType:
    """Return the package onnx.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    try:
        import onnx
        import onnx.checker
        import onnx.helper
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'export_onnx() needs onnx: pip install "tinytorch-compile[onnx]"', name=error.name
        ) from error
    return onnx


def _parts(captured: Captured, inputs: list[str]) -> _Model:
    gradients, outputs = _gradients(captured)
    program = dead_code.removed(
        replace(
            captured.program,
            writes=captured.program.writes | gradients,
            kept=list(outputs.values()),
        )
    )
    parts = _Model(Graph(), [], {}, {}, {})
    values: dict[Value, Any] = {}
    for value, name in zip(program.inputs, inputs, strict=True):
        values[value] = _symbol(parts.graph, value, name)
        parts.inputs.append(values[value])
    _add_slots(parts, program, captured, values)
    values = Translation(program, parts.graph, values).values
    for name, index in output_names(captured.result).items():
        _add_output(parts, name, values, program.outputs[index])
    for slot, end in program.writes.items():
        _add_output(parts, f"{values[slot].name}{NEXT}", values, end, like=values[slot])
    for name, end in outputs.items():
        _add_output(parts, name, values, end)
    if not parts.outputs:
        raise ExportError("the step returns no array and changes none, so a model would be empty")
    return parts


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
        elif gradient.after not in (None, gradient.slot):
            if slot_of[id(gradient.tensor)] not in program.writes:
                results[name] = gradient.after
    return state, results


def _add_slots(
    parts: _Model, program: Program, captured: Captured, values: dict[Value, Any]
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
            content = (
                content[0][content[1]]
                if isinstance(content[0], dict | list)
                else (content[0].cell_contents)
            )
        if not changes and content.dtype.kind in "biu":
            # Its elements may be needed while nodes are added, such as those of a mask.
            values[slot] = content.copy()
            continue
        symbol = values[slot] = _symbol(parts.graph, slot, names[slot], content)
        if changes:
            parts.state[symbol.name] = symbol, np.asarray(content, symbol.dtype)
        else:
            parts.fixed[symbol.name] = content


def _symbol(graph: Graph, value: Value, name: str, content: Any = None) -> Symbol:
    name = graph.new_name(name)
    if value.layout is None:
        kind = type(content)
        return Symbol(graph, name, (), NUMBERS[kind], kind)
    return Symbol(graph, name, value.layout.shape, value.layout.dtype)


def _add_output(
    parts: _Model, name: str, values: Mapping[Value, Any], end: Any, like: Symbol | None = None
) -> None:
    """Add a result: a node that copies it, so that each result has a name of its own."""
    found = values[end] if isinstance(end, Value) else end
    if isinstance(found, Constant):
        found = found.array
    found = found if isinstance(found, Symbol) else np.asarray(found)
    if like is not None and not isinstance(found, Symbol):
        found = found.astype(like.dtype)
    elif like is not None:
        found = cast(found, like.dtype)
    graph = parts.graph
    graph.label = name
    (unique,) = graph.add("Identity", [found], 1)
    parts.outputs[unique] = Symbol(graph, unique, found.shape, found.dtype)


def _graph_proto(onnx: ModuleType, name: str, parts: _Model) -> Any:
    helper: Any = onnx.helper
    nodes = _needed(parts)
    used = {source for _, sources, _, _ in nodes for source in sources}
    arrays = {key: array for key, (_, array) in parts.state.items()} | parts.fixed
    arrays |= {k: array for k, array in parts.graph.constants.items() if k in used}
    described: Callable[[Symbol], Any] = lambda x: helper.make_tensor_value_info(  # noqa: E731
        x.name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape
    )
    return helper.make_graph(
        [
            helper.make_node(operator, sources, results, name=f"node_{results[0]}", **attributes)
            for operator, sources, results, attributes in nodes
        ],
        name,
        [described(x) for x in (*parts.inputs, *(x for x, _ in parts.state.values()))],
        [described(x) for x in parts.outputs.values()],
        [
            onnx.numpy_helper.from_array(np.asarray(array, order="C"), key)
            for key, array in arrays.items()
        ],
    )


def _needed(parts: _Model) -> list[Any]:
    """Return the nodes that the results need."""
    live = set(parts.outputs)
    kept = []
    for node in reversed(parts.graph.nodes):
        if not live.isdisjoint(node[2]):
            kept.append(node)
            live.update(node[1])
    return kept[::-1]
