"""Aligned columns of text."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """The rows below each other, the first one being the header.

    >>> print(table([("NAME", "STATE"), ("autograd", "on"), ("losses", "off")]), end="")
    NAME      STATE
    autograd  on
    losses    off
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)
