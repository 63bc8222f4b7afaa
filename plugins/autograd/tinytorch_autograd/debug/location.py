"""Where an anomaly happened: the line of the user's program, and the element of an array."""

from __future__ import annotations

import functools
import linecache
import os
import re
import sys
from types import FrameType
from typing import Any, NamedTuple

import numpy as np


class Location(NamedTuple):
    """A line of a program."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        text = linecache.getline(self.file, self.line).strip()
        return f'\n  File "{self.file}", line {self.line}, in {self.function}\n    {text}'


# Modules of this project, and the files of generated functions.
_OURS = re.compile(
    r"[/\\]tinytorch_"
    r"(core|autograd|activations|losses|layers|training|compile|amp|named|profiler|special)[/\\]"
    r"|^tinytorch-"
)
_SITE_PACKAGES = os.path.dirname(os.path.dirname(np.__file__))
_LIBRARIES = tuple(os.path.join(_SITE_PACKAGES, name, "") for name in ("numpy", "scipy"))


def users_frame() -> FrameType:
    """Return the innermost frame that is neither in this project nor in NumPy or SciPy."""
    frame = innermost = sys._getframe(1)
    while _is_library(frame.f_code.co_filename):
        if frame.f_back is None:
            return innermost
        frame = frame.f_back
    return frame


@functools.cache
def _is_library(file: str) -> bool:
    return bool(_OURS.search(file)) or file.startswith(_LIBRARIES)


def users_location() -> Location:
    """Return the line that the frame of `users_frame` runs."""
    frame = users_frame()
    return Location(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def find_nonfinite(array: Any) -> tuple[str, tuple[int, ...]] | None:
    """Return the first nan, or else the first inf, and its index; None if all are finite.

    >>> find_nonfinite(np.array([1.0, -np.inf]))
    ('-inf', (1,))
    """
    if not isinstance(array, np.ndarray | np.generic) or array.dtype.kind not in "fc":
        return None
    if np.isfinite(array).all():
        return None
    for test in (np.isnan, np.isinf):
        indices = np.argwhere(test(array))
        if len(indices):
            index = tuple(int(i) for i in indices[0])
            value = np.asarray(array)[index]
            return ("nan" if test is np.isnan else f"{value.real:g}"), index
    return None
