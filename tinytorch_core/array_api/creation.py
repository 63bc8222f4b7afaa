"""The functions of the array API standard that create tensors, with the dtypes of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.array_api.conversion import asarray, check_device, first_tensor
from tinytorch_core.tensor import Tensor, from_array

Array = Any


def arange(
    start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None
) -> Array:
    """Return the numbers from `start` up to but without `stop`; from 0 if only one is given."""
    check_device(device)
    like = first_tensor(start, stop, step)
    return asarray(np.arange(start, stop, step, dtype=dtype, like=like))


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """Return a tensor with undefined elements, by default of float64."""
    return _created(np.empty(shape, dtype), device)


def empty_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
    """Return a tensor with undefined elements, of the shape and the dtype of `x`."""
    return asarray(np.empty_like(asarray(x), dtype=dtype), device=device)


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: Any = None,
    device: Any = None,
) -> Array:
    """Return a matrix with ones on the diagonal `k`, and zeros elsewhere."""
    return _created(np.eye(n_rows, n_cols, k, np.float64 if dtype is None else dtype), device)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """Return a tensor filled with a number or a 0-d tensor."""
    check_device(device)
    return asarray(np.full(shape, fill_value, dtype, like=first_tensor(fill_value)))


def full_like(x: Array, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """Return a tensor of the shape and the dtype of `x`, filled with a number."""
    return asarray(np.full_like(asarray(x), fill_value, dtype=dtype), device=device)


def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: Any = None,
    device: Any = None,
    endpoint: bool = True,
) -> Array:
    """Return `num` evenly spaced numbers from `start` to `stop`, without it if not `endpoint`."""
    return asarray(np.linspace(start, stop, num, endpoint=endpoint, dtype=dtype), device=device)


def meshgrid(*arrays: Array, indexing: Any = "xy") -> list[Array]:
    """Return the coordinates of a grid: for each 1-d tensor, a tensor of the grid's shape."""
    return list(np.meshgrid(*map(asarray, arrays), indexing=indexing))


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """Return a tensor of ones, by default of float64."""
    return _created(np.ones(shape, dtype), device)


def ones_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
    """Return ones of the shape and the dtype of `x`."""
    return asarray(np.ones_like(asarray(x), dtype=dtype), device=device)


def tril(x: Array, /, *, k: int = 0) -> Array:
    """Return each matrix with zeros above its diagonal `k`."""
    return np.tril(asarray(x), k)


def triu(x: Array, /, *, k: int = 0) -> Array:
    """Return each matrix with zeros below its diagonal `k`."""
    return np.triu(asarray(x), k)


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """Return a tensor of zeros, by default of float64."""
    return _created(np.zeros(shape, dtype), device)


def zeros_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
    """Return zeros of the shape and the dtype of `x`."""
    return asarray(np.zeros_like(asarray(x), dtype=dtype), device=device)


def _created(array: np.ndarray[Any, Any], device: Any) -> Array:
    check_device(device)
    return from_array(Tensor, array)
