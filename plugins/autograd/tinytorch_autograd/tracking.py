"""Whether a tensor is tracked, and the same one untracked."""

from __future__ import annotations

from typing import Any

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array


def is_tracked(value: Any) -> bool:
    """Whether `value` is a tensor that requires grad."""
    return isinstance(value, Tensor) and getattr(value, "_node", None) is not None


def without_history(value: Any) -> Any:
    """Another tensor on the same array, untracked; anything else as it is."""
    return from_array(type(value), value.data) if isinstance(value, Tensor) else value
