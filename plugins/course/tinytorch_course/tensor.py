"""The Tensor of the course: its constructor makes all numbers float32."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinytorch_core
from tinytorch_core.extend import unwrap

__all__ = ["Tensor"]


class _Tensors(type(tinytorch_core.Tensor)):  # type: ignore[misc]
    """The class of `Tensor`, of which every tensor of the core is an instance.

    Ops return tensors of the core.
    """

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, tinytorch_core.Tensor)


class Tensor(tinytorch_core.Tensor, metaclass=_Tensors):
    """An array of float32 with the operators and methods of the core's Tensor.

    Args:
        data: a number, a (nested) sequence of numbers, an array, or a Tensor. It is copied.
        requires_grad: whether operations on the tensor are recorded.

    Raises:
        TypeError: `data` holds something other than real numbers.
        ValueError: the rows of `data` have different lengths.

    >>> import numpy as np
    >>> Tensor(np.arange(3)).dtype
    dtype('float32')
    """

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        if isinstance(data, tinytorch_core.Tensor):
            data = data.data
        super().__init__(data)
        if self.dtype.kind == "c":
            raise TypeError(f"a Tensor of the course holds real numbers, not {self.dtype}")
        if self.dtype != np.float32:
            self.data = self.data.astype(np.float32)
        if requires_grad:
            self.requires_grad = True


def to_tensor(value: Any) -> Any:
    """Return a Tensor unchanged, and anything else as a Tensor of float32."""
    return value if isinstance(value, tinytorch_core.Tensor) else Tensor(value)


def to_array(value: Any) -> Any:
    """Return a Tensor, an array or numbers as an array of float32."""
    return np.asarray(unwrap(value), np.float32)
