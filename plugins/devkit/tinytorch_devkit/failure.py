"""What a check raises: what was expected, what was found, and how to mend it."""

from __future__ import annotations

from tinytorch_core import TinyTorchError


class UnknownCheckError(TinyTorchError, LookupError):
    """A name that no check has."""


class CheckFailure(AssertionError):
    """A plugin does not do what a check expects.

    Attributes:
        expected: what should have been, with values.
        found: what was there instead.
        remedy: what the plugin's author can do about it.
        where: which check of what has failed, once that is known.
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
            f"to mend:  {self.remedy}",
        )
        indented = [line.replace("\n", "\n" + " " * 12) for line in lines]
        return "\n  ".join([*filter(None, [self.where]), *indented])
