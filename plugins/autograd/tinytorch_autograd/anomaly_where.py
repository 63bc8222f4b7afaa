"""Where an anomaly is: the line of the user's program, and the element of an array."""

from __future__ import annotations

import linecache
import os
import re
import sys
from typing import Any, NamedTuple

import numpy as np


class Place(NamedTuple):
    """A line of a program."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        text = linecache.getline(self.file, self.line).strip()
        return f'\n  File "{self.file}", line {self.line}, in {self.function}\n    {text}'


_OURS = re.compile(
    r"[/\\]tinytorch_(core|autograd|activations|losses|layers|training)[/\\]|^tinytorch-"
)
_NUMPY = os.path.dirname(np.__file__) + os.sep


def users_line() -> Place:
    """The innermost line that is neither ours nor NumPy's."""
    frame = outermost = sys._getframe(1)
    while frame.f_back is not None:
        code = frame.f_code
        if not (_OURS.search(code.co_filename) or code.co_filename.startswith(_NUMPY)):
            return Place(code.co_filename, frame.f_lineno, code.co_name)
        frame = frame.f_back
    return Place(outermost.f_code.co_filename, outermost.f_lineno, outermost.f_code.co_name)


def not_finite(array: Any) -> tuple[str, tuple[int, ...]] | None:
    """The kind and the place of the first nan, or else of the first inf."""
    if not isinstance(array, np.ndarray | np.generic) or array.dtype.kind not in "fc":
        return None
    if np.isfinite(array).all():
        return None
    for test in (np.isnan, np.isinf):
        places = np.argwhere(test(array))
        if len(places):
            at = tuple(int(i) for i in places[0])
            value = np.asarray(array)[at]
            return ("nan" if test is np.isnan else f"{value.real:g}"), at
    return None
