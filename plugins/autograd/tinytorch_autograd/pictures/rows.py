"""Break a long diagram into rows, like lines of text, so that it can be read without scrolling.

An arrow between two rows ends at a numbered mark and continues at the same mark in the other row,
as in flow charts that span several pages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tinytorch_autograd.pictures.boxes import Box, Diagram

# The largest number of operations in a row; a longer row is hard to read on a slide.
LONGEST_ROW = 12


def split_into_rows(diagram: Diagram) -> list[list[int]]:
    """Return the indices of the boxes in each row; add the marks between rows to `diagram`."""
    depths = _depths(diagram)
    count = math.ceil(max(depths, default=0) / LONGEST_ROW)
    if count <= 1:
        return [list(range(len(diagram.boxes)))]
    length = math.ceil(max(depths) / count)
    row_of = {i: (depth - 1) // length for i, depth in enumerate(depths)}
    _add_marks(diagram, row_of)
    rows: list[list[int]] = [[] for _ in range(count)]
    for i, row in row_of.items():
        rows[row].append(i)
    return rows


def longest_path(diagram: Diagram) -> set[int]:
    """Return the boxes on the longest path to the result, to be drawn in a straight line."""
    depths = _depths(diagram)
    path: set[int] = set()
    current = [i for i, box in enumerate(diagram.boxes) if box.kind == "result"]
    while current:
        path.add(current[0])
        before = [a for a, b in diagram.arrows if b == current[0] and _is_step(diagram.boxes[a])]
        current = sorted(before, key=lambda i: -depths[i])
    return path


def _is_step(box: Box) -> bool:
    return box.kind in ("operation", "result", "rest")


def _depths(diagram: Diagram) -> list[int]:
    """Return, for each box, the number of operations up to it; a tensor counts as its first use."""
    depths = [1] * len(diagram.boxes)
    for a, b in sorted(diagram.arrows, key=lambda arrow: arrow[1]):
        if _is_step(diagram.boxes[a]):
            depths[b] = max(depths[b], depths[a] + 1)
    first_use: dict[int, int] = {}
    for a, b in diagram.arrows:
        first_use[a] = min(first_use.get(a, depths[b]), depths[b])
    return [
        depth if _is_step(box) else first_use.get(i, depth)
        for i, (box, depth) in enumerate(zip(diagram.boxes, depths, strict=True))
    ]


def _add_marks(diagram: Diagram, row_of: dict[int, int]) -> None:
    numbers: dict[int, int] = {}
    marks: dict[tuple[int, int], int] = {}

    def mark(source: int, row: int) -> tuple[int, bool]:
        new = (source, row) not in marks
        if new:
            number = numbers.setdefault(source, len(numbers) + 1)
            marks[source, row] = diagram.add(Box("mark", str(number)))
            row_of[marks[source, row]] = row
        return marks[source, row], new

    for a, b in _crossing(diagram.arrows, row_of):
        diagram.arrows.remove((a, b))
        end, new = mark(a, row_of[a])
        if new:
            diagram.arrows.append((a, end))
        diagram.arrows.append((mark(a, row_of[b])[0], b))


def _crossing(
    arrows: Sequence[tuple[int, int]], row_of: Mapping[int, int]
) -> list[tuple[int, int]]:
    return [(a, b) for a, b in arrows if row_of[a] != row_of[b]]
