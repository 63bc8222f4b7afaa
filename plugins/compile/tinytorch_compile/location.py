"""Where a call comes from: the line of the user's program, and the function that makes it."""

from __future__ import annotations

import functools
import os
import sys
from types import FrameType

import numpy as np

from tinytorch_core.extend import kernel

from tinytorch_compile.program import Location

_SITE_PACKAGES = os.path.dirname(os.path.dirname(np.__file__))
_NUMPY = os.path.join(_SITE_PACKAGES, "numpy", "")
_OWN = os.path.join(os.path.dirname(__file__), "")


def origin() -> tuple[str, Location | None]:
    """Return the name of the innermost function outside NumPy and this package, and the line.

    The line is the innermost one outside of all packages of TinyTorch.
    """
    frame: FrameType | None = sys._getframe(1)
    name = ""
    while frame is not None:
        file = frame.f_code.co_filename
        if not name and not file.startswith((_OWN, _NUMPY)) and not _is_of_kernel(frame):
            name = frame.f_code.co_name
        if not _is_library(file, frame.f_globals.get("__name__", "")):
            return name, Location(file, frame.f_lineno)
        frame = frame.f_back
    return name, None


def caller_level() -> int:
    """Return the `stacklevel` of a warning for the innermost line outside of TinyTorch."""
    frame: FrameType | None = sys._getframe(1)
    level = 1
    while frame is not None and _is_library(
        frame.f_code.co_filename, frame.f_globals.get("__name__", "")
    ):
        frame, level = frame.f_back, level + 1
    return level


def _is_of_kernel(frame: FrameType) -> bool:
    """Return whether a frame runs the code that asks an array to handle a kernel."""
    names = frame.f_globals
    return "_kernel" in names or names.get("__name__") == kernel.__module__


@functools.lru_cache(maxsize=1024)
def _is_library(file: str, module: str) -> bool:
    package = module.partition(".")[0]
    generated = file.startswith(("tinytorch-", "<"))
    return package.startswith("tinytorch_") or package == "numpy" or generated
