"""The names of a function's global variables."""

from __future__ import annotations

import builtins
import keyword
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np


class Names:
    """The global names of a function, and the objects they stand for."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self._known: dict[int, str] = {}
        self._counts: dict[str, int] = {}

    def new(self, wanted: str) -> str:
        """Return a name that is not used yet, such as "relu", "relu_2", "relu_3"."""
        base = re.sub(r"\W+", "_", wanted).strip("_") or "value"
        if base[0].isdigit() or keyword.iskeyword(base):
            base = f"_{base}"
        if hasattr(builtins, base):  # the function uses some of them
            base += "_"
        while True:
            count = self._counts[base] = self._counts.get(base, 0) + 1
            name = base if count == 1 else f"{base}_{count}"
            if name not in self.objects:
                self.objects[name] = None
                return name

    def of(self, thing: Any, wanted: str) -> str:
        """Return the name of an object, which gets a new one if it has none."""
        if getattr(builtins, wanted, self) is thing:
            return wanted
        name = self._known.get(id(thing))
        if name is None:
            name = self._known[id(thing)] = self.new(wanted)
            self.objects[name] = thing
        return name


def key_text(container: Any, key: Any, names: Names) -> str:
    """Return the text that selects an item of a container, or an attribute of something else."""
    if not isinstance(container, Mapping | list | deque):
        return f".{key}"
    return f"[{key!r}]" if isinstance(key, int | str) else f"[{names.of(key, 'key')}]"


def readable_name(thing: Any) -> str:
    """Return a readable name for an object."""
    if isinstance(thing, np.ndarray):
        return "constant"
    if isinstance(thing, np.dtype):
        return str(thing)
    if isinstance(thing, np.random.Generator):
        return "generator"
    owner = getattr(thing, "__self__", None)
    name = getattr(thing, "__name__", type(thing).__name__)
    return f"{owner.__name__}_{name}" if isinstance(owner, np.ufunc) else str(name)
