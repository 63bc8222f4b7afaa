"""Signatures of functions that plugins provide."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature of `function`, or None if it has none, as some C functions do."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None
