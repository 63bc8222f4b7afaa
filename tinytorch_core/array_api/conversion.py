"""Conversion of numbers, sequences and arrays to Tensors, which keeps recorded operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.tensor import Tensor, TensorBase, check_numbers, from_array, speaks_numpy
from tinytorch_core.tensor import from_dlpack as tensor_from_dlpack

Array = Any

# Python's numbers, which adapt to the dtype of the other operand.
_NUMBERS = (bool, int, float, complex)


def asarray(
    obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> Array:
    """Return a Tensor of numbers, a sequence of numbers or Tensors, an array, or a Tensor.

    A Tensor is returned itself, or the result of its recorded conversion or copy. A sequence that
    contains Tensors is stacked by `np.stack`, which is recorded too. Other numbers have the dtypes
    of `np.asarray`, so those of Python become float64 or int64, unlike in `Tensor(data)`.

    Args:
        obj: the data.
        dtype: the dtype of the result; by default that of the data.
        device: `"cpu"`, the device of a Tensor, or None.
        copy: whether to copy the data; None copies only if it must be converted.

    Raises:
        ValueError: `copy` is False, and the data cannot be used without a copy.
        TypeError: the data contains something other than numbers.

    >>> asarray([1, 2])
    Tensor([1, 2], dtype=int64)
    """
    if isinstance(obj, TensorBase):
        return _of_tensor(obj, dtype, device, copy)
    if _contains_tensor(obj):
        if copy is False:
            raise ValueError("a sequence of Tensors becomes one Tensor by a copy; copy is False")
        return _of_tensor(_stacked(obj), dtype, device, None)
    check_device(device)
    if speaks_numpy(obj) and not isinstance(obj, np.ndarray | np.generic):
        return _of_tensor(from_array(Tensor, obj), dtype, None, copy)
    return from_array(Tensor, check_numbers(np.array(obj, dtype=dtype, copy=copy), obj))


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """Return a Tensor on the memory of another library's array, or on a copy of it.

    Raises:
        TypeError: `x` lacks `__dlpack__` or `__dlpack_device__`.
        ValueError: `device` is neither None nor the device of the result.
    """
    return asarray(tensor_from_dlpack(x), device=device, copy=True if copy else None)


def check_device(device: Any) -> None:
    """Raise ValueError if `device` is neither None nor `"cpu"`."""
    if device is not None and device != "cpu":
        raise ValueError(
            f"the namespace creates tensors on the device 'cpu', not on {device!r}; "
            "use `to_device` of a tensor whose array supports other devices"
        )


def with_tensor(*values: Any) -> tuple[Any, ...]:
    """Return operands of which at least one is a Tensor, so that the result is one.

    If none is, arrays become Tensors. Python's numbers stay as they are, because they adapt to the
    dtype of the other operand, unless all operands are numbers.
    """
    if any(isinstance(value, TensorBase) for value in values):
        return values
    if all(isinstance(value, _NUMBERS) for value in values):
        return tuple(map(asarray, values))
    return tuple([v if isinstance(v, _NUMBERS) else asarray(v) for v in values])


def first_tensor(*values: Any) -> Any:
    """Return the first Tensor among values, or None."""
    return next((value for value in values if isinstance(value, TensorBase)), None)


def _of_tensor(x: TensorBase, dtype: Any, device: Any, copy: bool | None) -> Any:
    converts = dtype is not None and x.dtype != dtype
    if converts and copy is False:
        raise ValueError(
            f"a tensor of {x.dtype} becomes {np.dtype(dtype)} by a copy; copy is False"
        )
    if converts:
        x = x.astype(np.dtype(dtype))
    elif copy:
        x = x.copy()
    return x if device is None else x.to_device(device)


def _contains_tensor(obj: Any) -> bool:
    if isinstance(obj, list | tuple):
        return any(_contains_tensor(value) for value in obj)
    return isinstance(obj, TensorBase)


def _stacked(obj: Any) -> Any:
    return np.stack([_stacked(v) if isinstance(v, list | tuple) else v for v in obj])
