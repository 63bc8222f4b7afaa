"""Models for arguments of any batch size, from models for three of them.

The models must consist of the same nodes. Where a constant differs, its elements must be whole
numbers of the form a n + b in all three, where n is the size; then nodes compute it from n.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinytorch_compile.errors import ExportError
from tinytorch_compile.export.graph import Graph, Node, Symbol, cast, emit
from tinytorch_compile.export.model import Model

Array = Any


def with_any_batch(models: Mapping[int, Model], axis: str) -> Model:
    """Return a model in which the first axis of all inputs may have any length.

    Args:
        models: three models of a step, by the length of that axis.
        axis: a name for the axis.

    Raises:
        ExportError: the models differ otherwise than by whole numbers that follow from the length.
    """
    return _Merged(models, axis).model


class _Merged:
    def __init__(self, models: Mapping[int, Model], axis: str) -> None:
        self._sizes, self._models = list(models), list(models.values())
        self._axis = axis
        first = self._models[0]
        self._graph = Graph(reserved=first.names())
        self.model = Model(self._graph, first.inputs, first.state, first.fixed, first.outputs)
        self._check_state()
        for x in (*first.inputs, *(state for state, _ in first.state.values())):
            x.graph = self._graph
        self._made: dict[Any, Array] = {}
        self._add_nodes()
        self._set_axes()

    def _check_state(self) -> None:
        names = {(*model.state, *model.fixed, *model.outputs) for model in self._models}
        same = len(names) == 1 and len({len(m.graph.nodes) for m in self._models}) == 1
        if not same:
            raise _differs("the step")

    def _add_nodes(self) -> None:
        for nodes in zip(*(model.graph.nodes for model in self._models), strict=True):
            node = nodes[0]
            for other in nodes[1:]:
                if other._replace(inputs=node.inputs) != node:
                    raise _differs(node.location)
            self._graph.label = f"{self._axis}_size"
            several = zip(*(node.inputs for node in nodes), strict=True)
            inputs = [self._input(names, node, place) for place, names in enumerate(several)]
            self._graph.nodes.append(node._replace(inputs=inputs))

    def _input(self, names: tuple[str, ...], node: Node, place: int) -> str:
        """Return the name of an input of a node, from its names in the models."""
        pairs = zip(self._models, names, strict=True)
        constants = [model.graph.constants.get(name) for model, name in pairs]
        arrays = [constant for constant in constants if constant is not None]
        if len(arrays) < len(names):
            if arrays or len(set(names)) > 1:
                raise _differs(node.location)
            return names[0]
        key = tuple((array.dtype.str, array.shape, array.tobytes()) for array in arrays)
        if len(set(key)) == 1:
            return self._graph.constant(arrays[0])
        if (node.operator, place) == ("Reshape", 1):
            same = (arrays[0] == arrays[1]) & (arrays[0] == arrays[2])
            if np.count_nonzero(~same) == 1:  # one length may be left open
                return self._graph.constant(np.where(same, arrays[0], -1))
        if key not in self._made:
            self._made[key] = self._computed(arrays)
        if self._made[key] is None:
            raise ExportError(
                f"{node.location}: a constant depends on the batch size in a way that cannot be "
                "exported to ONNX; export the step without `batch`"
            )
        return self._made[key].name

    def _computed(self, constants: list[Any]) -> Array | None:
        """Return an array that nodes compute from the batch size, or None."""
        first = constants[0]
        if len({(c.dtype, c.ndim) for c in constants}) > 1:
            return None
        if len({c.shape for c in constants}) == 1:
            return self._linear(constants, first.dtype)
        shape = self._linear([np.array(c.shape, np.int64) for c in constants], np.dtype(np.int64))
        if shape is None or not first.size:
            return None
        if all(np.all(c == first.flat[0]) for c in constants):
            return emit("Expand", first.flat[0], shape, shape=first.shape, dtype=first.dtype)
        return self._counted(constants, shape)

    def _counted(self, constants: list[Any], shape: Array) -> Array | None:
        """Return an array whose elements, in order, have the same distances, or None."""
        first = constants[0]
        if first.size < 2:
            return None
        start, step = first.flat[0], first.flat[1] - first.flat[0]
        if first.dtype != np.int64 or not all(
            np.array_equal(c.reshape(-1), start + step * np.arange(c.size)) for c in constants
        ):
            return None
        count = np.int64(0), emit("ReduceProd", shape, shape=(), dtype=np.int64, keepdims=0)
        every = emit("Range", *count, np.int64(1), shape=(first.size,), dtype=np.int64)
        return emit("Reshape", every * step + start, shape, shape=first.shape, dtype=np.int64)

    def _linear(self, constants: list[Any], dtype: np.dtype[Any]) -> Array | None:
        """Return a n + b for the batch size n, or None if the constants are not of this form."""
        if any(not np.array_equal(c, np.rint(c)) for c in constants):
            return None
        one, two, three = (np.asarray(c).astype(np.int64) for c in constants)
        n, m, k = self._sizes
        slope = (two - one) // (m - n)
        offset = one - slope * n
        if not all(np.array_equal(slope * size + offset, c) for size, c in ((m, two), (k, three))):
            return None
        return cast(self._size() * slope + offset, dtype)

    def _size(self) -> Symbol:
        """Return the batch size."""
        if "size" not in self._made:
            x = self.model.inputs[0]
            shape = emit("Shape", x, shape=(x.ndim,), dtype=np.int64)
            self._made["size"] = emit("Gather", shape, np.int64(0), shape=(), dtype=np.int64)
        return self._made["size"]

    def _set_axes(self) -> None:
        for x in self.model.inputs:
            self.model.axes[x.name] = (self._axis, *x.shape[1:])
        for name in self.model.outputs:
            shapes = [model.outputs[name].shape for model in self._models]
            lengths = tuple(self._length(several) for several in zip(*shapes, strict=True))
            if name.endswith(".next") and not all(isinstance(n, int) for n in lengths):
                raise ExportError(f"the shape of {name} depends on the batch size")
            self.model.axes[name] = lengths

    def _length(self, lengths: tuple[int, ...]) -> int | str | None:
        """Return the length of an axis of an output, from those in the models."""
        if len(set(lengths)) == 1:
            return lengths[0]
        return self._axis if list(lengths) == self._sizes else None


def _differs(location: str) -> ExportError:
    return ExportError(
        f"{location}: the calls of NumPy differ for other batch sizes; export the step without "
        "`batch`"
    )
