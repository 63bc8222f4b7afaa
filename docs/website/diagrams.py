"""Mermaid flowcharts as SVG, so that the site needs neither a script nor another server.

It reads what `show_graph(y).mermaid` writes: boxes, arrows and the colours of the kinds of boxes.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

_WIDTH, _HEIGHT, _ACROSS, _DOWN, _MARGIN = 90, 44, 114, 60, 8
_BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BOX = re.compile(r'(\w+)(\W+)"<b>(.*?)</b>(?:<br/>(.*?))?"\W+:::(\w+)')
_ARROW = re.compile(r"(\w+) --> (\w+)")
_KIND = re.compile(r"classDef (\w+) fill:(#\w+),stroke:(#\w+),color:(#\w+)")
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#6B7280"/></marker></defs>'
)


class Box(NamedTuple):
    """A box: the bracket before its text, the text in two lines, and its kind."""

    outline: str
    title: str
    detail: str
    kind: str


def with_pictures(markdown: str) -> str:
    """Replace the Mermaid flowcharts of a page by pictures.

    Raises:
        ValueError: a flowchart has a line other than boxes, arrows and colours.
    """
    return _BLOCK.sub(lambda match: svg(match[1]), markdown)


def svg(flowchart: str) -> str:
    """Return the picture of a flowchart from left to right, as an HTML element in one line."""
    boxes, arrows, colours = _read(flowchart)
    columns: dict[int, list[str]] = {}
    depths = _depths(boxes, arrows)
    for name in sorted(boxes, key=lambda name: boxes[name].outline != "["):
        columns.setdefault(depths[name], []).append(name)
    last, rows = max(columns), max(map(len, columns.values()))
    places = {
        name: (_MARGIN + _ACROSS * (last - depth), _MARGIN + _DOWN * (i + rows - len(column)))
        for depth, column in columns.items()
        for i, name in enumerate(column)
    }
    drawn = [_arrow(places[start], places[end]) for start, end in arrows]
    drawn += [_box(places[name], box, colours[box.kind]) for name, box in boxes.items()]
    width = 2 * _MARGIN + _ACROSS * last + _WIDTH
    height = 2 * _MARGIN + _DOWN * (rows - 1) + _HEIGHT
    titles = ", ".join(box.title for box in boxes.values())
    return (
        f'<div class="diagram"><svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'viewBox="0 0 {width} {height}" role="img" font-size="12" text-anchor="middle">'
        f"<title>Graph: {titles}</title>{_TIP}{''.join(drawn)}</svg></div>"
    )


def _read(flowchart: str) -> tuple[dict[str, Box], list[tuple[str, str]], dict[str, list[str]]]:
    """Return the boxes by name, the arrows, and the colours of each kind."""
    boxes, arrows, colours = {}, [], {}
    first, *lines = flowchart.strip().splitlines()
    for line in map(str.strip, lines):
        if match := _BOX.fullmatch(line):
            name, outline, title, detail, kind = match.groups("")
            boxes[name] = Box(outline, title, detail, kind)
        elif match := _ARROW.fullmatch(line):
            arrows.append((match[1], match[2]))
        elif match := _KIND.fullmatch(line):
            colours[match[1]] = [match[2], match[3], match[4]]
        else:
            raise ValueError(f"cannot draw the line {line!r} of a flowchart ({first})")
    return boxes, arrows, colours


def _depths(boxes: dict[str, Box], arrows: list[tuple[str, str]]) -> dict[str, int]:
    """Return the length of the longest path from each box to the end."""
    depths = dict.fromkeys(boxes, 0)
    for name in reversed(boxes):  # the boxes come before those to which their arrows lead
        depths[name] = max((depths[end] + 1 for start, end in arrows if start == name), default=0)
    return depths


def _arrow(source: tuple[int, int], target: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = source, target
    path = f"M{x1 + _WIDTH},{y1 + _HEIGHT // 2} L{x2},{y2 + _HEIGHT // 2}"
    return f'<path d="{path}" stroke="#6B7280" marker-end="url(#tip)"/>'


def _box(place: tuple[int, int], box: Box, colours: list[str]) -> str:
    (x, y), (fill, line, text) = place, colours
    middle, corner = x + _WIDTH // 2, {"[": 0, "(": 8}.get(box.outline, _HEIGHT // 2)
    title, detail = (html.escape(html.unescape(t)) for t in (box.title, box.detail))
    return (
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="{corner}" '
        f'fill="{fill}" stroke="{line}"/>'
        f'<text x="{middle}" y="{y + 19}" fill="{text}" font-weight="bold">{title}</text>'
        f'<text x="{middle}" y="{y + 35}" fill="{text}">{detail}</text>'
    )
