"""Format text in aligned columns."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from tinytorch_core.errors import printable

Cell = str | int


def table(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table of text; columns of numbers are aligned to the right.

    >>> print(table(["NAME", "OPS"], [("profiler", 40), ("losses", 8)]), end="")
    NAME      OPS
    profiler   40
    losses      8
    """
    lines = [[c if isinstance(c, int) else printable(c) for c in row] for row in (header, *rows)]
    columns = map(_aligned, zip(*lines, strict=True))
    return "".join("  ".join(line).rstrip() + "\n" for line in zip(*columns, strict=True))


def _aligned(column: Sequence[Cell]) -> list[str]:
    width = max(len(str(cell)) for cell in column)
    align = ">" if any(isinstance(cell, int) for cell in column) else "<"
    return [f"{cell!s:{align}{width}}" for cell in column]


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return lines of a label and a value; empty values are skipped.

    >>> print(facts([("state", "on"), ("imported in", "3 ms"), ("error", "")]), end="")
      state        on
      imported in  3 ms
    """
    pairs = [(label, text) for label, text in pairs if text]
    width = max((len(label) for label, _ in pairs), default=0)
    wrapper = textwrap.TextWrapper(
        width=100,  # two terminals of this width fit on a screen
        subsequent_indent=" " * (width + 4),
        break_long_words=False,
        break_on_hyphens=False,
    )
    lines = ""
    for label, text in pairs:
        wrapper.initial_indent = f"  {label:{width}}  "
        lines += printable(wrapper.fill(text)) + "\n"
    return lines


def as_json(value: Any) -> str:
    """Return a value as JSON with letters of any language, but without control characters."""
    return printable(json.dumps(value, indent=2, ensure_ascii=False))


def shortened(text: str, width: int) -> str:
    """Return `text`, cut at `width` characters; the last of them is then `…`."""
    return text if len(text) <= width else f"{text[: width - 1]}…"
