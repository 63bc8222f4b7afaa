"""Kernels: functions with fast code for ndarrays, which other arrays may handle as one call."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from tinytorch_core.source import argument_names, define, signature_text, tuple_text
from tinytorch_core.tensor import TensorBase

Function = TypeVar("Function", bound=Callable[..., Any])

_NUMPY_TYPES = (np.ndarray, np.generic)

# The bytes of a line of the cache, and of the longest vector.
_LINE = 64


def kernel(
    *arrays: str, writes: bool = False, fixed: bool = False
) -> Callable[[Function], Function]:
    """Decorate a function of arrays, so that an array of another library may handle the call.

    If one of the arrays has a method `__tinytorch_kernel__`, it is called with the kernel and the
    arguments, as `(kernel, args)`, and its result is the result unless it is NotImplemented. So a
    tracer can record one call instead of the NumPy calls in it, and a compiler can use its own
    version. Otherwise the function runs. It must accept any array and Tensors, too, and may have
    faster code for ndarrays.

    Args:
        arrays: the names of the arguments that are arrays.
        writes: the function may write into its first argument, if that is an ndarray, and returns
            it. The caller must not use that argument again.
        fixed: the NumPy calls for ndarrays depend on their shapes, dtypes and strides only, and
            new arrays are created with `like=`, as in `np.empty(shape, dtype, like=x)`. Then a
            compiler may note the calls once, and repeat them without the function.

    >>> @kernel("x")
    ... def double(x):
    ...     return x + x
    >>> double(np.ones(2))
    array([2., 2.])
    >>> class Symbol:
    ...     def __tinytorch_kernel__(self, kernel, args):
    ...         return f"a call of {kernel.__name__}"
    >>> double(Symbol())
    'a call of double'
    """

    def decorate(function: Function) -> Function:
        unknown = set(arrays) - set(argument_names(function))
        if unknown or not arrays:
            raise TypeError(f"{function.__name__} has no arguments {unknown or arrays}")
        write = functools.partial(_text, arrays, function)
        names = {"_function": function, "_ndarray": np.ndarray, "_other_result": _other_result}
        decorated: Any = define(function.__name__, write, names)
        functools.update_wrapper(decorated, function)
        names["_kernel"] = decorated
        decorated.writes, decorated.fixed = writes, fixed
        return decorated

    return decorate


def are_ndarrays(*arrays: Any) -> bool:
    """Return whether all arrays are NumPy's own, so that fast code may write into its results.

    Arguments that are None do not count.

    >>> are_ndarrays(np.ones(2), None)
    True
    """
    return all(array is None or isinstance(array, _NUMPY_TYPES) for array in arrays)


def aligned_empty(shape: Sequence[int], dtype: Any) -> np.ndarray[Any, Any]:
    """Return a new array like `np.empty`, which begins at a multiple of 64 bytes.

    NumPy aligns arrays to 16 bytes. Then most vectors of 64 bytes lie in two lines of the cache,
    and a ufunc of arrays in the cache takes up to twice the time.

    >>> aligned_empty((2, 3), np.float32).ctypes.data % 64
    0
    """
    memory = np.empty(math.prod(shape) * np.dtype(dtype).itemsize + _LINE, np.uint8)
    start = -memory.__array_interface__["data"][0] % _LINE
    return np.ndarray(shape, dtype, memory, start)


def _text(arrays: Sequence[str], function: Callable[..., Any], names: dict[str, Any]) -> str:
    arguments = list(inspect.signature(function).parameters.values())
    signature, passed = signature_text(arguments, names)
    others = " or ".join(f"{x}.__class__ is not _ndarray" for x in arrays)
    every = tuple_text(p.name for p in arguments)
    return (
        f"def call({signature}):\n"
        f"    if {others}:\n"
        f"        _result = _other_result(_kernel, {tuple_text(arrays)}, {every})\n"
        "        if _result is not NotImplemented:\n"
        "            return _result\n"
        f"    return _function({passed})\n"
    )


def _other_result(kernel: Any, arrays: Sequence[Any], args: tuple[Any, ...]) -> Any:
    """Return what an array of another library returns for a kernel, or NotImplemented."""
    for array in arrays:
        if isinstance(array, TensorBase):
            break  # the function runs, so that plugins see its calls
        handle = getattr(type(array), "__tinytorch_kernel__", None)
        if handle is not None:
            return handle(array, kernel, args)
    return NotImplemented
