"""What a picture of a graph shows: a box for each op and tensor, an arrow for each use."""

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
            tensor, `constant`, `result`, or `rest` for what is left out.
        title: what stands in it, in bold.
        detail: what stands below; a shape, mostly.
    """

    kind: str
    title: str
    detail: str = ""


@dataclass
class Parts:
    """The boxes in forward order, and the arrows between them by their places."""

    boxes: list[Box] = field(default_factory=list)
    arrows: list[tuple[int, int]] = field(default_factory=list)
    left_out: int = 0

    def add(self, box: Box) -> int:
        self.boxes.append(box)
        return len(self.boxes) - 1


def parts_of(y: Any, names: Any, limit: int) -> Parts:
    """The boxes and arrows of the graph behind `y`.

    Args:
        y: a tracked tensor.
        names: a container of tensors, an object with tensors for attributes, or a sequence of
            such.
        limit: how many boxes there may be; the earliest ops are left out beyond.
    """
    root = node_of(y, "show_graph()")
    order, _ = engine.nodes_of([root])
    shapes = _shapes(order, root, y)
    operations = [node for node in order if not isinstance(node, Output)]
    found = _Collector(Names(names), shapes, root)
    kept = found.latest(operations, limit - 1)
    for node in reversed(kept):
        found.operation(node)
    parts = found.parts
    parts.left_out = len(operations) - len(kept)
    if parts.left_out:
        found.rest(parts.left_out)
    shown = parts.add(Box("result", found.names.of(y) or "result", shape_text(y.shape)))
    parts.arrows.append((found.place_of(root), shown))
    return parts


def shape_text(shape: Shape | None) -> str:
    """A shape as people write it.

    >>> shape_text((64, 10)), shape_text(()), shape_text((3,))
    ('64 × 10', 'scalar', '3')
    """
    if shape is None:
        return ""
    return " × ".join(map(str, shape)) or "scalar"


def _shapes(order: Iterable[Function], root: Node, y: Any) -> dict[Node, Shape]:
    """The shape of each node's output: that of the gradient that comes back to it."""
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
                    pending.setdefault(edge, part)  # the first of several has the shape of all
    return shapes


def _gradients(node: Function, grad: Any) -> Sequence[Any]:
    try:
        return node.gradients(grad) if node.has_rule else ()
    except Exception:  # a rule that fails costs the picture no more than a few shapes
        return ()


class _Collector:
    def __init__(self, names: Names, shapes: Mapping[Node, Shape], root: Node) -> None:
        self.parts = Parts()
        self._root = _owner(root)
        self.names = names
        self._shapes = shapes
        self._places: dict[int, int] = {}
        self._kept: set[int] = set()
        self._cut: list[int] = []

    def latest(self, operations: Sequence[Function], room: int) -> list[Function]:
        """As many of the latest operations as there is room for, with what they use."""
        kept: list[Function] = []
        seen: set[int] = set()
        for node in operations:
            used = {id(thing) for thing, _ in self._used(node) if not isinstance(thing, Function)}
            more = 1 + len(used - seen)
            if kept and more > room - (len(kept) < len(operations) - 1):
                break
            room -= more
            seen |= used
            kept.append(node)
        self._kept = set(map(id, kept))
        return kept

    def operation(self, node: Function) -> None:
        """Adds the box of an op, after those of the tensors it uses."""
        sources: list[int | None] = []
        for thing, box in self._used(node):
            if isinstance(thing, Function):
                thing = _owner(thing)
                if id(thing) not in self._kept:
                    sources.append(None)
                    continue
            elif id(thing) not in self._places:
                self._places[id(thing)] = self.parts.add(box)
            sources.append(self._places[id(thing)])
        here = self._places[id(node)] = self.parts.add(self._box(node))
        self.parts.arrows += [(s, here) for s in dict.fromkeys(sources) if s is not None]
        if None in sources:
            self._cut.append(here)

    def rest(self, count: int) -> None:
        """Adds the box for the ops that are left out, before all others."""
        plural = "operation" if count == 1 else "operations"
        box = Box("rest", f"… {count:,} earlier {plural}", "not shown")
        self.parts.boxes.insert(0, box)
        moved = [(a + 1, b + 1) for a, b in self.parts.arrows]
        self.parts.arrows = [(0, b + 1) for b in self._cut] + moved
        self._places = {key: place + 1 for key, place in self._places.items()}

    def place_of(self, node: Node) -> int:
        """Where the box of a node is."""
        return self._places[id(_owner(node))]

    def _box(self, node: Function) -> Box:
        numbers = [_number(v) for _, v in _constants(node) if np.ndim(v) == 0]
        title = " ".join([node.op.name if node.has_rule else node.saved[0], *filter(None, numbers)])
        shape = shape_text(self._shapes.get(node))
        name = None if node is self._root else self.names.of(node)
        return Box("operation", title, f"{name}: {shape}" if name else shape)

    def _used(self, node: Function) -> Iterator[tuple[Any, Box]]:
        """What an op uses, with boxes for what is no op."""
        for edge in node.next_functions:
            if isinstance(edge, AccumulateGrad):
                tensor = edge.tensor()
                shape = None if tensor is None else tensor.shape
                title = self.names.of(edge) or ("tensor" if tensor is not None else "lost tensor")
                yield edge, Box("parameter", title, shape_text(shape))
            elif edge is not None:
                yield edge, Box("operation", "")
        for key, value in _constants(node):
            name = self.names.of(value)
            if name or np.ndim(value):
                kind = "input" if name else "constant"
                yield key, Box(kind, name or "constant", shape_text(np.shape(value)))


def _owner(node: Any) -> Any:
    """The node of the op itself, where `node` is one of its outputs."""
    return node.next_functions[0] if isinstance(node, Output) else node


def _constants(node: Function) -> Iterator[tuple[Any, Any]]:
    """The inputs of an op that are not tracked, as far as its rule has kept them."""
    if not node.has_rule or node.op.variadic:
        return
    saved = dict(zip(node.saves, node.saved, strict=True))
    for name, edge in zip(node.op.inputs, node.next_functions, strict=False):
        value = saved.get(name)
        if edge is None and isinstance(value, int | float | complex | np.ndarray):
            yield value, value


def _number(value: Any) -> str:
    """A constant that is short enough to stand beside the op."""
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else ""
