"""Checks of values inside compiled steps.

An argument of the step is checked before each call. Anything else is assumed to be valid, and
looked at after the call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

_checks: ContextVar[Checks | None] = ContextVar("checks", default=None)


class FailedCheckError(Exception):
    """A check of values, such as for finite gradients, has failed in a compiled step."""


class InputCheck:
    """The checks of one argument.

    Attributes:
        index: the index of the argument among the arrays.
        checks: functions that return False, or raise an error, for an ndarray that is not valid.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.checks: list[Callable[[Any], Any]] = []

    def run(self, given: Any, value: Any) -> None:
        """Check an argument, and note in an `Array` that it is valid.

        Args:
            given: the argument, an ndarray or an `Array`.
            value: the same as an array of JAX in place of an `Array`.

        Raises:
            FailedCheckError: it is not valid.
        """
        array = np.asarray(value)
        try:
            is_valid = all(np.all(check(array)) for check in self.checks)
        except (ValueError, LookupError, TypeError):
            is_valid = False
        if not is_valid:
            raise FailedCheckError
        if given is not value:
            given.checked = self


class Checks:
    """The checks of a step.

    Args:
        inputs: the traced arrays among the arguments of the step.

    Attributes:
        masks: traced masks, which must be true everywhere.
        of_inputs: the checks of arguments.
    """

    def __init__(self, inputs: Sequence[Any]) -> None:
        self._inputs = inputs
        self.masks: list[Any] = []
        self.of_inputs: list[InputCheck] = []

    def add(self, value: Any, valid: Callable[[Any], Any], check: Callable[[Any], Any]) -> None:
        """Note that `valid(value)` must be true everywhere.

        Args:
            value: a traced array.
            valid: returns a mask for an array of JAX.
            check: what an `InputCheck` runs in place of it, if the array is an argument.
        """
        for index, given in enumerate(self._inputs):
            if value is given:
                known = next((c for c in self.of_inputs if c.index == index), None)
                if known is None:
                    known = InputCheck(index)
                    self.of_inputs.append(known)
                known.checks.append(check)
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


def holds(
    value: Any, valid: Callable[[Any], Any], check: Callable[[Any], Any] | None = None
) -> bool:
    """Return True, and note that a traced array must be valid; False if nobody looks.

    Args:
        value: a traced array of JAX.
        valid: returns a mask, which must be true everywhere, for an array of JAX or of NumPy.
        check: does the same for an ndarray in less time: it returns False or raises an error.
    """
    found = _checks.get()
    if found is None:
        return False
    found.add(value, valid, check or valid)
    return True
