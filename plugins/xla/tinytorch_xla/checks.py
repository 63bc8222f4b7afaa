"""Checks of values inside compiled steps.

An argument of the step is checked before each call. Anything else is assumed to be valid, and
looked at after the call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

_checks: ContextVar[Checks | None] = ContextVar("checks", default=None)


class Checks:
    """The checks of a step.

    Args:
        inputs: the traced arrays among the arguments of the step.

    Attributes:
        masks: traced masks, which must be true everywhere.
        of_inputs: indices of arguments, each with a function that returns a mask.
    """

    def __init__(self, inputs: Sequence[Any]) -> None:
        self._inputs = inputs
        self.masks: list[Any] = []
        self.of_inputs: list[tuple[int, Callable[[Any], Any]]] = []

    def add(self, value: Any, valid: Callable[[Any], Any]) -> None:
        """Note that `valid(value)` must be true everywhere."""
        for index, given in enumerate(self._inputs):
            if value is given:
                self.of_inputs.append((index, valid))
                return
        self.masks.append(valid(value))


@contextlib.contextmanager
def checking(inputs: Sequence[Any]) -> Iterator[Checks]:
    """Collect the checks of a step that is being traced.

    Args:
        inputs: the traced arrays among the arguments of the step.
    """
    found = Checks(inputs)
    token = _checks.set(found)
    try:
        yield found
    finally:
        _checks.reset(token)


@contextlib.contextmanager
def not_checking() -> Iterator[None]:
    """Make `holds` return False, because a mask would not be one of the whole step."""
    token = _checks.set(None)
    try:
        yield
    finally:
        _checks.reset(token)


def holds(value: Any, valid: Callable[[Any], Any]) -> bool:
    """Return True, and note that a traced array must be valid; False if nobody looks.

    Args:
        value: a traced array of JAX.
        valid: returns a mask, which must be true everywhere, for an array of JAX or of NumPy.
    """
    found = _checks.get()
    if found is None:
        return False
    found.add(value, valid)
    return True
