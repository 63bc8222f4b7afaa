"""Example arguments of a step: zeros of the shapes and dtypes of real arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, unwrap

from tinytorch_compile.program import mapped


@dataclass
class _Like:
    """What an array or tensor was like.

    Attributes:
        kind: the class of the Tensor; None for an array.
        shape, dtype: those of the array.
        requires_grad: that of the Tensor.
    """

    kind: type[Tensor] | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    requires_grad: bool


class Arguments:
    """The shapes and dtypes of the arguments of a call, without their arrays."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._tree = mapped((args, dict(kwargs)), _described)

    def example(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return arguments like those of the call, with zeros in the arrays."""
        return mapped(self._tree, _zeros)


def _described(value: Any) -> Any:
    array = unwrap(value)
    if not isinstance(array, np.ndarray):
        return value
    kind = type(value) if isinstance(value, Tensor) else None
    return _Like(kind, array.shape, array.dtype, bool(getattr(value, "requires_grad", False)))


def _zeros(value: Any) -> Any:
    if not isinstance(value, _Like):
        return value
    array = np.zeros(value.shape, value.dtype)
    if value.kind is None:
        return array
    tensor: Any = from_array(value.kind, array)
    if value.requires_grad:
        tensor.requires_grad = True
    return tensor
