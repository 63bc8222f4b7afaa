"""is_tracked and detached: whether a tensor requires grad, and the same array untracked."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from tinytorch_core import Tensor
from tinytorch_core.extend import derive

# The tensors that the running transforms of `func` differentiate with respect to.
inputs_of_transforms: ContextVar[tuple[Tensor, ...]] = ContextVar("inputs", default=())


def is_tracked(value: Any) -> bool:
    """Return whether `value` is a tensor that requires grad."""
    return isinstance(value, Tensor) and getattr(value, "_node", None) is not None


def detached(value: Any) -> Any:
    """Return an untracked tensor on the same array; return other values unchanged."""
    return derive(value, value.data, "copy") if isinstance(value, Tensor) else value
