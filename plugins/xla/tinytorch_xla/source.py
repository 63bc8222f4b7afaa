"""The text of a generated function, and the objects that it refers to."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


class Source:
    """The lines of a function, and its global names.

    Attributes:
        lines: the lines of its body.
        objects: the objects by their names.

    >>> source = Source()
    >>> source.add("return " + source.name([1, 2], "items"))
    >>> source.lines, source.objects
    (['return items_0'], {'items_0': [1, 2]})
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.objects: dict[str, Any] = {}
        self._names: dict[int, str] = {}

    def add(self, *lines: str) -> None:
        """Append lines."""
        self.lines += lines

    def name(self, thing: Any, kind: str) -> str:
        """Return the name of an object, which gets a new one that starts with `kind` if needed."""
        if id(thing) not in self._names:
            kind = kind if kind.isidentifier() else "value"
            name = self._names[id(thing)] = f"{kind}_{len(self.objects)}"
            self.objects[name] = thing  # kept, so that the id stays its own
        return self._names[id(thing)]

    def literal(self, value: Any) -> str:
        """Return the text of a constant: its value if that is exact, otherwise a name."""
        is_number = type(value) is int or (type(value) is float and math.isfinite(value))
        if is_number or value is None or type(value) in (bool, str):
            return repr(value)
        return self.name(value, type(value).__name__)

    def tuple(self, items: Iterable[str]) -> str:
        """Return the text of a tuple."""
        return "(" + "".join(f"{item}, " for item in items) + ")"
