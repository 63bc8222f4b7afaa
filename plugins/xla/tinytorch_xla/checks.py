"""Checks of values inside compiled steps: they are assumed to hold, and looked at afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

_checks: ContextVar[list[Any] | None] = ContextVar("checks", default=None)


@contextlib.contextmanager
def checking() -> Iterator[list[Any]]:
    """Collect the checks of a step that is being traced."""
    found: list[Any] = []
    token = _checks.set(found)
    try:
        yield found
    finally:
        _checks.reset(token)


@contextlib.contextmanager
def not_checking() -> Iterator[None]:
    """Make `holds` return False, where a mask would not be one of the whole step."""
    token = _checks.set(None)
    try:
        yield
    finally:
        _checks.reset(token)


def holds(mask: Any) -> bool:
    """Return True, and note that a traced mask must be true everywhere; False if nobody looks."""
    found = _checks.get()
    if found is None:
        return False
    found.append(mask)
    return True
