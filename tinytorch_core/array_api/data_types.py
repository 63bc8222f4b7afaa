"""The dtypes of the array API standard, and functions of dtypes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinytorch_core.array_api.conversion import asarray
from tinytorch_core.tensor import unwrap

Array = Any
_bool = bool  # the name is that of a dtype below
DType = np.dtype[Any]

int8, int16, int32, int64 = map(np.dtype, ("int8", "int16", "int32", "int64"))
uint8, uint16, uint32, uint64 = map(np.dtype, ("uint8", "uint16", "uint32", "uint64"))
float32, float64 = np.dtype("float32"), np.dtype("float64")
complex64, complex128 = np.dtype("complex64"), np.dtype("complex128")
bool = np.dtype("bool")


class FloatInfo(NamedTuple):
    """The limits of a floating-point dtype, as Python numbers."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


class IntegerInfo(NamedTuple):
    """The limits of an integer dtype."""

    bits: int
    max: int
    min: int
    dtype: DType


class Info:
    """What the namespace supports: the dtypes and the device of NumPy."""

    def __init__(self) -> None:
        self._numpy: Any = np.__array_namespace_info__()

    def capabilities(self) -> dict[str, Any]:
        """Return whether shapes may depend on values, and the largest number of axes."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """Return the device on which tensors are created."""
        return "cpu"

    def default_dtypes(self, *, device: Any = None) -> Any:
        """Return the dtypes of Python's numbers and of indices, by kind."""
        return self._numpy.default_dtypes(device=device)

    def devices(self) -> list[str]:
        """Return the devices on which tensors can be created."""
        return ["cpu"]

    def dtypes(self, *, device: Any = None, kind: Any = None) -> Any:
        """Return the dtypes of a kind, by default all, by name."""
        return self._numpy.dtypes(device=device, kind=kind)


def astype(x: Array, dtype: Any, /, *, copy: _bool = True, device: Any = None) -> Array:
    """Return the elements in another dtype; `x` itself if `copy` is False and it has the dtype."""
    x = asarray(x, device=device)
    return x.astype(np.dtype(dtype)) if copy or x.dtype != dtype else x


def can_cast(from_: Any, to: Any, /) -> _bool:
    """Return whether NumPy's rules allow converting a dtype, or a tensor, to the dtype `to`."""
    return np.can_cast(getattr(from_, "dtype", from_), to)


def finfo(type: Any, /) -> FloatInfo:
    """Return the limits of a floating-point dtype, or of the parts of a complex one.

    Args:
        type: the dtype, or a tensor that has it.
    """
    info: Any = np.finfo(_dtype(type))
    return FloatInfo(
        bits=int(info.bits),
        eps=float(info.eps),
        max=float(info.max),
        min=float(info.min),
        smallest_normal=float(info.smallest_normal),
        dtype=np.dtype(info.dtype),
    )


def iinfo(type: Any, /) -> IntegerInfo:
    """Return the limits of an integer dtype, which `type` is or has as a tensor."""
    dtype = _dtype(type)
    info = np.iinfo(dtype)
    return IntegerInfo(info.bits, int(info.max), int(info.min), dtype)


def isdtype(dtype: Any, kind: Any) -> _bool:
    """Return whether a dtype is of a kind, such as "real floating", or equal to a dtype.

    Args:
        dtype: the dtype.
        kind: the name of a kind, a dtype, or a tuple of both; one of them is enough.
    """
    return np.isdtype(np.dtype(dtype), kind)


def result_type(*arrays_and_dtypes: Any) -> DType:
    """Return the dtype to which tensors, dtypes and Python numbers are promoted."""
    return np.result_type(*unwrap(arrays_and_dtypes))


def _dtype(given: Any) -> Any:
    return np.dtype(getattr(given, "dtype", given))
