"""Writes a model as an ONNX file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch_compile.errors import ExportError
from tinytorch_compile.export.graph import Node, Symbol
from tinytorch_compile.export.model import Model

# The oldest version of ONNX's operators that has all that are used.
OLDEST_OPSET = 19
# The largest file that protobuf can write.
_MOST_BYTES = 2**31 - 1


def write_model(
    path: str | os.PathLike[str],
    name: str,
    model: Model,
    opset: int,
    producer: tuple[str, str],
) -> None:
    """Write a model as an ONNX file.

    Args:
        path: the file.
        name: the name of the graph.
        model: the model.
        opset: the version of the operators.
        producer: the name and version of this package.

    Raises:
        ExportError: the opset is unknown, or the model is too large.
        ModuleNotFoundError: onnx is not installed.
    """
    onnx = import_onnx()
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise ExportError(f"opset must be from {OLDEST_OPSET} to {newest}, not {opset}")
    defaults = [array for _, array in model.state.values()]
    arrays = [*model.graph.constants.values(), *model.fixed.values(), *defaults]
    if sum(np.asarray(array).nbytes for array in arrays) > _MOST_BYTES:
        raise ExportError("the arrays of the step exceed the 2 GB that an ONNX file can hold")
    proto = onnx.helper.make_model(
        _graph_proto(onnx, name, model),
        opset_imports=[onnx.helper.make_opsetid("", opset)],
        producer_name=producer[0],
        producer_version=producer[1],
    )
    proto.ir_version = onnx.helper.find_min_ir_version_for(proto.opset_import)
    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"ONNX does not have an operator for these dtypes: {error}") from error
    Path(path).write_bytes(proto.SerializeToString())


def import_onnx() -> Any:
    """Return the package onnx.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
        import onnx.shape_inference
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'export_onnx() needs onnx: pip install "tinytorch-compile[onnx]"', name=error.name
        ) from error
    return onnx


def _graph_proto(onnx: Any, name: str, model: Model) -> Any:
    helper: Any = onnx.helper
    nodes = _needed(model)
    used = {name for node in nodes for name in node.inputs}
    arrays = {key: array for key, (_, array) in model.state.items()} | model.fixed
    arrays |= {k: array for k, array in model.graph.constants.items() if k in used}
    described: Callable[[Symbol], Any] = lambda x: helper.make_tensor_value_info(  # noqa: E731
        x.name, helper.np_dtype_to_tensor_dtype(x.dtype), model.axes.get(x.name, x.shape)
    )
    return helper.make_graph(
        [
            helper.make_node(
                node.operator,
                node.inputs,
                node.outputs,
                name=f"node_{node.outputs[0]}",
                **node.attributes,
            )
            for node in nodes
        ],
        name,
        [described(x) for x in (*model.inputs, *(x for x, _ in model.state.values()))],
        [described(x) for x in model.outputs.values()],
        [
            onnx.numpy_helper.from_array(np.asarray(array, order="C"), key)
            for key, array in arrays.items()
        ],
    )


def _needed(model: Model) -> list[Node]:
    """Return the nodes that the results need."""
    live = set(model.outputs)
    kept: list[Node] = []
    for node in reversed(model.graph.nodes):
        if not live.isdisjoint(node.outputs):
            kept.append(node)
            live.update(node.inputs)
    return kept[::-1]
