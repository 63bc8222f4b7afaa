"""Text in aligned columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

Cell = str | int

# Two terminals of this width fit on a screen.
WIDTH = 100


def table(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table of text; columns of numbers are aligned to the right.

    >>> print(table(["NAME", "OPS"], [("profiler", 40), ("losses", 8)]), end="")
    NAME      OPS
    profiler   40
    losses      8
    """
    rows = list(rows)
    lines = [header, *rows]
    widths = [max(len(str(cell)) for cell in column) for column in zip(*lines, strict=True)]
    right = [any(isinstance(cell, int) for cell in column) for column in zip(*rows, strict=True)]
    return "".join(_line(line, widths, right) for line in lines)


def _line(cells: Sequence[Cell], widths: Sequence[int], right: Sequence[bool]) -> str:
    parts = [
        str(cell).rjust(width) if to_right else str(cell).ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    ]
    return "  ".join(parts).rstrip() + "\n"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return lines of a label and a value; empty values are skipped.

    >>> print(facts([("state", "on"), ("imported in", "3 ms"), ("error", "")]), end="")
      state        on
      imported in  3 ms
    """
    pairs = [(label, text) for label, text in pairs if text]
    width = max((len(label) for label, _ in pairs), default=0)
    return "".join(_filled(f"  {label:{width}}  ", text) for label, text in pairs)


def _filled(label: str, text: str) -> str:
    """Return the label and the text, wrapped and aligned."""
    lines = textwrap.wrap(
        text, WIDTH - len(label), break_long_words=False, break_on_hyphens=False
    ) or [text]
    return label + f"\n{' ' * len(label)}".join(lines) + "\n"


def shortened(text: str, width: int) -> str:
    """Return `text`, cut at `width` characters.

    >>> shortened("np.max, np.amax", 10)
    'np.max, n…'
    """
    return text if len(text) <= width else f"{text[: width - 1]}…"
