"""Whether a tensor is tracked, and the same one untracked."""

from __future__ import annotations

from typing import Any

from tinytorch_core.tensor import TensorBase


def is_tracked(value: Any) -> bool:
    """Whether `value` is a tensor that requires grad."""
    return isinstance(value, TensorBase) and getattr(value, "_node", None) is not None


def without_history(value: Any) -> Any:
    """Another tensor on the same array, untracked; anything else as it is."""
    return type(value)._from_array(value._data) if isinstance(value, TensorBase) else value
