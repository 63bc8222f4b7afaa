"""The errors of the conformance kit."""

from __future__ import annotations

import traceback
from typing import NamedTuple

from tinytorch_core import TinyTorchError


class UnknownCheckError(TinyTorchError, LookupError):
    """No check has the given name."""


class CheckFailure(AssertionError):
    """A plugin does not do what a check expects.

    Attributes:
        expected: what the check expected, with values.
        found: what it found instead.
        remedy: what the plugin's author can do about it.
        where: the check and the op that failed; empty until the check has ended.
    """

    def __init__(self, expected: str, found: str, remedy: str, where: str = "") -> None:
        self.expected = expected
        self.found = found
        self.remedy = remedy
        self.where = where
        super().__init__(expected, found, remedy, where)

    def __str__(self) -> str:
        lines = (
            f"expected: {self.expected}",
            f"found:    {self.found}",
            f"to fix:   {self.remedy}",
        )
        indented = [line.replace("\n", "\n" + " " * 12) for line in lines]
        return "\n  ".join([*filter(None, [self.where]), *indented])


class Line(NamedTuple):
    """A line of code: its file, its number, and the function it is in."""

    file: str
    number: int
    function: str


def raised_at(error: Exception) -> Line:
    """Return the last line of the plugin under test, or else of another plugin, before an error.

    The functions of NumPy and TinyTorch that it calls raise the error, but it causes it.
    """
    lines = [
        (
            str(frame.f_globals.get("__name__", "")).partition(".")[0],
            Line(frame.f_code.co_filename, number, frame.f_code.co_name),
        )
        for frame, number in traceback.walk_tb(error.__traceback__)
    ]
    for machinery in (_MACHINERY | {"tinytorch_autograd"}, _MACHINERY):
        for package, line in reversed(lines):
            if package not in machinery and not line.file.startswith(_GENERATED):
                return line
    return lines[-1][1]


_MACHINERY = {"numpy", "tinytorch_core", "tinytorch_devkit"}
_GENERATED = ("tinytorch-", "<__array_function__")
