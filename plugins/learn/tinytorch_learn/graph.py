"""A picture of the graph that the engine of chapter 4 records."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from tinytorch_learn.picture import Picture, svg

# The size of a box, the distances between columns and rows, and the margin of the picture.
_BOX_WIDTH, _BOX_HEIGHT, _COLUMN, _ROW, _MARGIN = 96, 44, 136, 62, 12
# The colours inside and around a box.
_OP, _LEAF, _CONSTANT = ("#EAF1FB", "#3B6FB6"), ("#FDF0DC", "#C77F14"), ("#F1F1F1", "#888888")


def draw_graph(y: Any, **names: Any) -> Picture:
    """Draw the ops behind a tensor, from left to right, with the shapes of their results.

    Args:
        y: a tensor with a `node`, as the engine of chapter 4 adds it.
        names: tensors under the names that the picture shows.

    Raises:
        ValueError: `y` was not computed from a tracked tensor.
    """
    if getattr(y, "node", None) is None:
        raise ValueError("the tensor has no node; compute it from a tensor with requires_grad=True")
    known = {id(tensor): name for name, tensor in names.items()}
    order = _sources_behind(y.node)
    boxes = {id(box): box for box in order}
    depths = _depths(order)
    arrows = [(id(_source(x)), key) for key, box in boxes.items() for x in _inputs(box)]
    # Arrows that pass over other columns are arcs above the boxes.
    top = _MARGIN + _rise(max(depths[start] - depths[end] for start, end in arrows))
    columns: dict[int, list[int]] = {}
    for key in boxes:
        columns.setdefault(depths[key], []).append(key)
    last, rows = max(columns), max(map(len, columns.values()))
    positions = {
        key: (_MARGIN + _COLUMN * (last - depth), top + _ROW * (i + (rows - len(column)) / 2))
        for depth, column in columns.items()
        for i, key in enumerate(column)
    }
    lines = [_arrow(positions[start], positions[end]) for start, end in arrows]
    drawn = [_box(positions[key], *_texts(box, known)) for key, box in boxes.items()]
    width = 2 * _MARGIN + _COLUMN * last + _BOX_WIDTH
    height = _MARGIN + top + _ROW * (rows - 1) + _BOX_HEIGHT
    return svg(width, height, [_MARKER, *lines, *drawn], f"graph of {_count(boxes)} ops")


_MARKER = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
    'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555555"/></marker></defs>'
)


def _source(x: Any) -> Any:
    """Return the node that computed a tensor, or the tensor itself, or a number."""
    node = getattr(x, "node", None)
    return x if node is None else node


def _inputs(box: Any) -> tuple[Any, ...]:
    """Return the inputs of a node; a leaf has none."""
    return tuple(getattr(box, "inputs", ()))


def _rise(columns: int) -> float:
    """Return how far above the boxes an arrow rises that leads over this many columns."""
    return 0 if columns < 2 else 14 + 7 * columns


def _sources_behind(last: Any) -> list[Any]:
    """Return a node, and the nodes, leaves and numbers behind it, each after those that use it."""
    found, order, waiting = {id(last)}, [last], [last]
    while waiting:
        for x in _inputs(waiting.pop()):
            source = _source(x)
            if id(source) not in found:
                found.add(id(source))
                order.append(source)
                waiting.append(source)
    # A node has a larger number than those it depends on; leaves have none.
    return sorted(order, key=lambda box: getattr(box, "number", 0), reverse=True)


def _depths(order: list[Any]) -> dict[int, int]:
    """Return the lengths of the longest paths from the first of these to each, by their ids."""
    depths = {id(order[0]): 0}
    for box in order:
        for x in _inputs(box):
            key = id(_source(x))
            depths[key] = max(depths.get(key, 0), depths[id(box)] + 1)
    return depths


def _texts(box: Any, known: dict[int, str]) -> tuple[str, str, tuple[str, str]]:
    """Return the name, the second line and the colours of a box."""
    if hasattr(box, "number"):
        return box.name, _shape(box.values["out"]), _OP
    leaf = getattr(box, "requires_grad", False)
    array = getattr(box, "data", box)
    short = f"{float(array):.4g}" if np.size(array) == 1 else "constant"
    name = known.get(id(box), "leaf" if leaf else short)
    return name, _shape(array), _LEAF if leaf else _CONSTANT


def _shape(array: Any) -> str:
    return " × ".join(map(str, np.shape(array))) or "number"


def _box(position: tuple[float, float], name: str, second: str, colours: tuple[str, str]) -> str:
    (x, y), (fill, stroke) = position, colours
    middle = x + _BOX_WIDTH / 2
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" '
        f'fill="{fill}" stroke="{stroke}"/>'
        f'<text x="{middle:g}" y="{y + 19:g}" text-anchor="middle" font-weight="bold">'
        f"{escape(name)}</text>"
        f'<text x="{middle:g}" y="{y + 35:g}" text-anchor="middle" fill="#444444">'
        f"{escape(second)}</text>"
    )


def _arrow(source: tuple[float, float], target: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = source, target
    rise = _rise(round((x2 - x1) / _COLUMN))
    if rise:
        x1, x2, up = x1 + _BOX_WIDTH / 2, x2 + _BOX_WIDTH / 2, min(y1, y2) - rise
        path = f"M{x1:g},{y1:g} C{x1:g},{up:g} {x2:g},{up:g} {x2:g},{y2:g}"
    else:
        path = f"M{x1 + _BOX_WIDTH:g},{y1 + _BOX_HEIGHT / 2:g} L{x2:g},{y2 + _BOX_HEIGHT / 2:g}"
    return f'<path d="{path}" fill="none" stroke="#555555" marker-end="url(#tip)"/>'


def _count(boxes: dict[int, Any]) -> int:
    return sum(hasattr(box, "number") for box in boxes.values())
