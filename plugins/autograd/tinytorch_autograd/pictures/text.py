"""A diagram as text for Mermaid and for Graphviz."""

from __future__ import annotations

import html
from collections.abc import Sequence, Set

from tinytorch_autograd.pictures.boxes import Box, Diagram

# kind: fill, line and text colours. They are light enough for print; the outlines differ too.
COLOURS = {
    "operation": ("#EAF1FB", "#3B6FB6", "#14335C"),
    "parameter": ("#FDF0DC", "#C77F14", "#5C3905"),
    "input": ("#E9F6EC", "#3C8F55", "#15482A"),
    "constant": ("#F4F4F4", "#8A8A8A", "#3A3A3A"),
    "result": ("#F6E9F3", "#9A3F86", "#4E1643"),
    "rest": ("#FFFFFF", "#8A8A8A", "#3A3A3A"),
    "mark": ("#FFFFFF", "#6B7280", "#3A3A3A"),
}


_OUTLINES = {
    "operation": "({})",
    "parameter": "[{}]",
    "input": "[{}]",
    "constant": "[{}]",
    "result": "([{}])",
    "rest": "[{}]",
    "mark": "(({}))",
}


def mermaid(diagram: Diagram, rows: Sequence[Sequence[int]]) -> str:
    """Return the text of a Mermaid flowchart, left to right, with rows below each other."""
    several = len(rows) > 1
    lines = ["flowchart TB" if several else "flowchart LR"]
    for number, row in enumerate(rows):
        lines += [f'    subgraph row{number}[" "]', "    direction LR"] if several else []
        lines += [_mermaid_box(i, diagram.boxes[i]) for i in row]
        members = set(row)
        lines += [f"    n{a} --> n{b}" for a, b in diagram.arrows if a in members]
        lines += ["    end"] if several else []
    lines += [f"    row{i} ~~~ row{i + 1}" for i in range(len(rows) - 1)]
    lines += [f"    style row{i} fill:none,stroke:none" for i in range(len(rows)) if several]
    for kind in dict.fromkeys(box.kind for box in diagram.boxes):
        fill, line, text = COLOURS[kind]
        dashes = ",stroke-dasharray:4 3" if kind == "rest" else ""
        lines.append(f"    classDef {kind} fill:{fill},stroke:{line},color:{text}{dashes}")
    return "\n".join(lines) + "\n"


def _mermaid_box(number: int, box: Box) -> str:
    text = f"<b>{_escaped(box.title)}</b>" + (f"<br/>{_escaped(box.detail)}" if box.detail else "")
    outline = _OUTLINES[box.kind].format(f'"{text}"')
    return f"    n{number}{outline}:::{box.kind}"


def _escaped(text: str) -> str:
    return html.escape(text).replace("&quot;", "#quot;").replace("&#x27;", "'")


def dot(diagram: Diagram, rows: Sequence[Sequence[int]], straight: Set[int]) -> str:
    """Return the text of a Graphviz graph, left to right, with rows below each other.

    Args:
        diagram: the boxes and arrows.
        rows: the indices of the boxes in each row.
        straight: the boxes to draw in a straight line.
    """
    lines = [
        "digraph {",
        '    graph [rankdir=LR, nodesep=0.22, ranksep=0.35, bgcolor="transparent"]',
        '    node [fontname="Helvetica,Arial,sans-serif", fontsize=13, margin="0.14,0.08",'
        " height=0.3, penwidth=1.3]",
        '    edge [color="#6B7280", arrowsize=0.7, penwidth=1.1]',
    ]
    for number, row in enumerate(rows):
        for i in row:
            group = f"row{number}" if i in straight or diagram.boxes[i].kind == "mark" else ""
            lines.append(f"    n{i} {_attributes(diagram.boxes[i], group)}")
    for a, b in diagram.arrows:
        weight = " [weight=20]" if a in straight and b in straight else ""
        lines.append(f"    n{a} -> n{b}{weight}")
    if len(rows) > 1:
        starts = " -> ".join(f"n{_start(diagram, row)}" for row in rows)
        lines.append(f"    {{rank=same; {starts} [style=invis]}}")
    return "\n".join([*lines, "}"]) + "\n"


def _start(diagram: Diagram, row: Sequence[int]) -> int:
    """Return the leftmost box of a row: a mark that continues an earlier row, or the first box."""
    sources = {a for a, _ in diagram.arrows}
    marks = [i for i in row if diagram.boxes[i].kind == "mark" and i in sources]
    return (marks or list(row))[0]


def _attributes(box: Box, group: str) -> str:
    fill, line, text = COLOURS[box.kind]
    detail = f'<br/><font point-size="11">{html.escape(box.detail)}</font>' if box.detail else ""
    styles = {"operation": "rounded,filled", "rest": "dashed,filled", "result": "rounded,filled"}
    attributes = [
        "shape=circle, fixedsize=true, width=0.32" if box.kind == "mark" else "shape=box",
        f'style="{styles.get(box.kind, "filled")}"',
        f'fillcolor="{fill}", color="{line}", fontcolor="{text}"',
        *([f"group={group}"] if group else []),
        f"label=<<b>{html.escape(box.title)}</b>{detail}>",
    ]
    return f"[{', '.join(attributes)}]"
