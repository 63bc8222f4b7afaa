"""Diagram: the boxes for the ops and tensors of a graph, and an arrow for each use."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinytorch_autograd import engine
from tinytorch_autograd.gradients import node_of
from tinytorch_autograd.node import AccumulateGrad, Function, Node
from tinytorch_autograd.outputs import Output
from tinytorch_autograd.pictures.names import Names

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Box:
    """One box.

    Attributes:
        kind: `operation`, `parameter` for a leaf that requires grad, `input` for another named
            tensor, `constant`, `result`, `rest` for the operations left out, or `mark` for the
            number that connects two rows.
        title: the first line, in bold.
        detail: the second line, usually a shape.
    """

    kind: str
    title: str
    detail: str = ""


@dataclass
class Diagram:
    """The boxes in forward order, and arrows as pairs of indices of boxes.

    Attributes:
        boxes, arrows: see above.
        left_out: the number of operations that are not shown.
    """

    boxes: list[Box] = field(default_factory=list)
    arrows: list[tuple[int, int]] = field(default_factory=list)
    left_out: int = 0

    def add(self, box: Box) -> int:
        """Append a box and return its index."""
        self.boxes.append(box)
        return len(self.boxes) - 1


def diagram_of(y: Any, names: Any, limit: int) -> Diagram:
    """Return the boxes and arrows of the graph behind `y`.

    Args:
        y: a tracked tensor.
        names: a container of tensors, an object with tensors as attributes, or a sequence of these.
        limit: the largest number of boxes; the earliest ops are left out.
    """
    root = node_of(y, "show_graph()")
    order, _ = engine.nodes_of([root])
    shapes = _shapes(order, root, y)
    operations = [node for node in order if not isinstance(node, Output)]
    builder = _Builder(Names(names), shapes, root)
    kept = builder.choose_latest(operations, limit - 1)
    for node in reversed(kept):
        builder.add_operation(node)
    diagram = builder.diagram
    diagram.left_out = len(operations) - len(kept)
    if diagram.left_out:
        builder.add_rest(diagram.left_out)
    result = diagram.add(Box("result", builder.names.of(y) or "result", shape_text(y.shape)))
    diagram.arrows.append((builder.index_of(root), result))
    return diagram


def shape_text(shape: Shape | None) -> str:
    """Return a shape as text.

    >>> shape_text((64, 10)), shape_text(()), shape_text((3,))
    ('64 × 10', 'scalar', '3')
    """
    if shape is None:
        return ""
    return " × ".join(map(str, shape)) or "scalar"


def _shapes(order: Iterable[Function], root: Node, y: Any) -> dict[Node, Shape]:
    """Return the shape of each node's output, which is the shape of its gradient."""
    pending: dict[Node, Any] = {root: np.ones_like(y.data)}
    shapes: dict[Node, Shape] = {}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for node in order:
            grad = pending.pop(node, None)
            if grad is None:
                continue
            if hasattr(grad, "shape"):
                shapes[node] = grad.shape
            for edge, part in zip(node.next_functions, _gradients(node, grad), strict=False):
                if edge is not None and part is not None:
                    pending.setdefault(edge, part)  # all gradients of a node have the same shape
    return shapes


def _gradients(node: Function, grad: Any) -> Sequence[Any]:
    try:
        return node.gradients(grad) if node.has_rule else ()
    except Exception:  # if a rule fails, only some shapes are missing from the picture
        return ()


class _Builder:
    """Adds the boxes and arrows of operations to a diagram."""

    def __init__(self, names: Names, shapes: Mapping[Node, Shape], root: Node) -> None:
        self.diagram = Diagram()
        self._root = _owner(root)
        self.names = names
        self._shapes = shapes
        self._indices: dict[int, int] = {}
        self._kept: set[int] = set()
        self._truncated: list[int] = []

    def choose_latest(self, operations: Sequence[Function], room: int) -> list[Function]:
        """Return the latest operations that fit into `room` boxes with the tensors they use."""
        kept: list[Function] = []
        seen: set[int] = set()
        for node in operations:
            used = {
                id(source) for source, _ in self._used(node) if not isinstance(source, Function)
            }
            more = 1 + len(used - seen)
            if kept and more > room - (len(kept) < len(operations) - 1):
                break
            room -= more
            seen |= used
            kept.append(node)
        self._kept = set(map(id, kept))
        return kept

    def add_operation(self, node: Function) -> None:
        """Add the box of an op, after the boxes of the tensors it uses."""
        sources: list[int | None] = []
        for source, box in self._used(node):
            if isinstance(source, Function):
                source = _owner(source)
                if id(source) not in self._kept:
                    sources.append(None)
                    continue
            elif id(source) not in self._indices:
                self._indices[id(source)] = self.diagram.add(box)
            sources.append(self._indices[id(source)])
        index = self._indices[id(node)] = self.diagram.add(self._box(node))
        self.diagram.arrows += [(s, index) for s in dict.fromkeys(sources) if s is not None]
        if None in sources:
            self._truncated.append(index)

    def add_rest(self, count: int) -> None:
        """Insert the box for the ops that are left out, before all others."""
        noun = "operation" if count == 1 else "operations"
        box = Box("rest", f"… {count:,} earlier {noun}", "not shown")
        self.diagram.boxes.insert(0, box)
        moved = [(a + 1, b + 1) for a, b in self.diagram.arrows]
        self.diagram.arrows = [(0, b + 1) for b in self._truncated] + moved
        self._indices = {key: index + 1 for key, index in self._indices.items()}

    def index_of(self, node: Node) -> int:
        """Return the index of the box of a node."""
        return self._indices[id(_owner(node))]

    def _box(self, node: Function) -> Box:
        numbers = [_number(v) for v in _constants(node) if np.ndim(v) == 0]
        title = " ".join([node.op.name if node.has_rule else node.saved[0], *filter(None, numbers)])
        shape = shape_text(self._shapes.get(node))
        name = None if node is self._root else self.names.of(node)
        return Box("operation", title, f"{name}: {shape}" if name else shape)

    def _used(self, node: Function) -> Iterator[tuple[Any, Box]]:
        """Yield what an op uses, with a box for each; the boxes of ops are placeholders."""
        for edge in node.next_functions:
            if isinstance(edge, AccumulateGrad):
                tensor = edge.tensor()
                shape = None if tensor is None else tensor.shape
                title = "deleted tensor" if tensor is None else "tensor"
                yield edge, Box("parameter", self.names.of(edge) or title, shape_text(shape))
            elif edge is not None:
                yield edge, Box("operation", "")
        for value in _constants(node):
            name = self.names.of(value)
            if name or np.ndim(value):
                kind = "input" if name else "constant"
                yield value, Box(kind, name or "constant", shape_text(np.shape(value)))


def _owner(node: Any) -> Any:
    """Return the node of the op if `node` is one of its outputs, else `node`."""
    return node.next_functions[0] if isinstance(node, Output) else node


def _constants(node: Function) -> Iterator[Any]:
    """Yield the untracked inputs of an op that its rule saved."""
    if not node.has_rule or node.op.variadic:
        return
    saved = dict(zip(node.saves, node.saved, strict=True))
    for name, edge in zip(node.op.inputs, node.next_functions, strict=False):
        value = saved.get(name)
        if edge is None and isinstance(value, int | float | complex | np.ndarray):
            yield value


def _number(value: Any) -> str:
    """Return a number as text, to be shown next to the name of the op; else an empty string."""
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else ""
