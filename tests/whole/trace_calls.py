"""Run the traced programs of docs/architecture.md, and print which functions they call.

It runs in its own process, because the first call of an op differs from later ones.
"""

from __future__ import annotations

import ast
import functools
import gc
import json
import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
STEP = re.compile(r"^\d+\. (?:generated|`(.+?)`): (.+)$", flags=re.MULTILINE)


class Section(NamedTuple):
    """A section with a program, and its steps: paths, empty for generated code, and functions."""

    title: str
    program: str
    steps: list[tuple[str, list[str]]]


def sections() -> list[Section]:
    """Return the sections of the page that have a program, in order."""
    found = []
    for text in PAGE.read_text("utf-8").split("\n## ")[1:]:
        for program in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
            steps = [(path, re.findall("`(.+?)`", names)) for path, names in STEP.findall(text)]
            found.append(Section(text.partition("\n")[0], program, steps))
    return found


def is_property(frame: FrameType) -> bool:
    """Return whether a frame belongs to a property, which the page does not list."""
    function = frame.f_code.co_qualname.partition(".<locals>")[0]
    owner, _, name = function.rpartition(".")
    cls = frame.f_globals.get(owner)
    attribute = vars(cls).get(name) if isinstance(cls, type) else None
    return isinstance(attribute, property | functools.cached_property)


def calls_of(program: str, names: dict[str, Any]) -> list[tuple[str, str]]:
    """Run a program, and return which of our functions its last statement calls.

    Each is a pair of its module, empty for a generated function, and its name. They are in the
    order of their first calls.
    """
    *before, last = ast.parse(program).body
    exec(compile(ast.Module(before, []), PAGE.name, "exec"), names)
    code = compile(ast.Module([last], []), PAGE.name, "exec")
    called: dict[tuple[str, str], None] = {}

    def record(frame: FrameType, event: str, argument: Any) -> None:
        if event != "call" or is_property(frame):
            return
        module = frame.f_globals.get("__name__", "")
        name = frame.f_code.co_qualname.replace(".<locals>", "")
        if frame.f_code.co_filename.startswith("tinytorch-"):
            called["", name] = None
        elif module.startswith("tinytorch_"):
            called[module, name] = None

    sys.setprofile(record)
    try:
        exec(code, names)
    finally:
        sys.setprofile(None)
    return list(called)


if __name__ == "__main__":
    gc.disable()  # collecting a generated function would call `_forget`
    names: dict[str, Any] = {}
    print(json.dumps({s.title: calls_of(s.program, names) for s in sections()}))
