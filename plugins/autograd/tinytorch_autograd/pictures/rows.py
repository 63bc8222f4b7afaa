"""A long picture broken into rows, like lines of text, so that it can be read without scrolling.

Where an arrow leads from one row to another, it ends at a numbered mark and goes on from the same
mark in the other row, as in flow charts that go over several pages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tinytorch_autograd.pictures.boxes import Box, Parts

# A row of more operations than this is too long to read on a screen or a slide.
LONGEST = 12


def rows_of(parts: Parts) -> list[list[int]]:
    """The places of the boxes in each row; with several rows, the marks are added to `parts`."""
    depths = _depths(parts)
    count = math.ceil(max(depths, default=0) / LONGEST)
    if count <= 1:
        return [list(range(len(parts.boxes)))]
    length = math.ceil(max(depths) / count)
    row_of = {i: (depth - 1) // length for i, depth in enumerate(depths)}
    _mark(parts, row_of)
    rows: list[list[int]] = [[] for _ in range(count)]
    for i, row in row_of.items():
        rows[row].append(i)
    return rows


def spine(parts: Parts) -> set[int]:
    """The operations on the longest way to the result, to be drawn in a straight line."""
    depths = _depths(parts)
    way: set[int] = set()
    here = [i for i, box in enumerate(parts.boxes) if box.kind == "result"]
    while here:
        way.add(here[0])
        before = [a for a, b in parts.arrows if b == here[0] and _is_step(parts.boxes[a])]
        here = sorted(before, key=lambda i: -depths[i])
    return way


def _is_step(box: Box) -> bool:
    return box.kind in ("operation", "result", "rest")


def _depths(parts: Parts) -> list[int]:
    """For each box the number of operations up to it; a tensor stands before its first use."""
    depths = [1] * len(parts.boxes)
    for a, b in sorted(parts.arrows, key=lambda arrow: arrow[1]):
        if _is_step(parts.boxes[a]):
            depths[b] = max(depths[b], depths[a] + 1)
    first_use: dict[int, int] = {}
    for a, b in parts.arrows:
        first_use[a] = min(first_use.get(a, depths[b]), depths[b])
    return [
        depth if _is_step(box) else first_use.get(i, depth)
        for i, (box, depth) in enumerate(zip(parts.boxes, depths, strict=True))
    ]


def _mark(parts: Parts, row_of: dict[int, int]) -> None:
    numbers: dict[int, int] = {}
    marks: dict[tuple[int, int], int] = {}

    def mark(source: int, row: int) -> tuple[int, bool]:
        new = (source, row) not in marks
        if new:
            number = numbers.setdefault(source, len(numbers) + 1)
            marks[source, row] = parts.add(Box("mark", str(number)))
            row_of[marks[source, row]] = row
        return marks[source, row], new

    for a, b in _crossing(parts.arrows, row_of):
        parts.arrows.remove((a, b))
        end, new = mark(a, row_of[a])
        if new:
            parts.arrows.append((a, end))
        parts.arrows.append((mark(a, row_of[b])[0], b))


def _crossing(
    arrows: Sequence[tuple[int, int]], row_of: Mapping[int, int]
) -> list[tuple[int, int]]:
    return [(a, b) for a, b in arrows if row_of[a] != row_of[b]]
