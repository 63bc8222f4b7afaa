"""The errors of the conformance kit."""

from __future__ import annotations

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
