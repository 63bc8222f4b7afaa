"""The ops of the plain Tensor: its operators and its methods on arrays."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from tinytorch_core.ops import OpTable
from tinytorch_core.tensor import numpy_function

Array = Any

# Called by position, the fastest way, which NumPy's stubs do not know.
_add_reduce: Any = np.add.reduce


def exp(x: Array) -> Array:
    """e to the power of each element."""
    return np.exp(x)


def log(x: Array) -> Array:
    """The natural logarithm of each element."""
    return np.log(x)


def sqrt(x: Array) -> Array:
    """The non-negative square root of each element."""
    return np.sqrt(x)


def tanh(x: Array) -> Array:
    """The hyperbolic tangent of each element."""
    return np.tanh(x)


def clip(x: Array, min: Array = None, max: Array = None) -> Array:
    """Each element, moved to the nearer bound where it lies outside. None is no bound."""
    return np.clip(x, min, max)


def sum(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """The sum over all elements, or over `axis`, a number or a tuple."""
    if x.__class__ is np.ndarray:  # what the method comes to, without its detour
        return _add_reduce(x, axis, None, None, keepdims)
    return x.sum(axis=axis, keepdims=keepdims)


def mean(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """The mean over all elements, or over `axis`, a number or a tuple."""
    return x.mean(axis=axis, keepdims=keepdims)


def prod(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """The product of all elements, or of those along `axis`, a number or a tuple."""
    return x.prod(axis=axis, keepdims=keepdims)


def max(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """The largest of all elements, or along `axis`, a number or a tuple."""
    return x.max(axis=axis, keepdims=keepdims)


def min(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """The smallest of all elements, or along `axis`, a number or a tuple."""
    return x.min(axis=axis, keepdims=keepdims)


def var(x: Array, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Array:
    """The variance, divided by the count less `ddof` as in NumPy."""
    return x.var(axis=axis, keepdims=keepdims, ddof=ddof)


def std(x: Array, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Array:
    """The standard deviation, the root of `var`."""
    return x.std(axis=axis, keepdims=keepdims, ddof=ddof)


def argmax(x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the largest element, of the flattened tensor or along `axis`."""
    return x.argmax(axis=axis, keepdims=keepdims)


def argmin(x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the smallest element, of the flattened tensor or along `axis`."""
    return x.argmin(axis=axis, keepdims=keepdims)


def reshape(x: Array, shape: Any) -> Array:
    """The same elements in another shape."""
    return x.reshape(shape)


def permute(x: Array, axes: Any = None) -> Array:
    """The axes in another order, by default reversed."""
    return x.transpose() if axes is None else x.transpose(axes)


def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    """Two axes swapped."""
    return x.swapaxes(axis1, axis2)


def real(x: Array) -> Array:
    """The real part of each element."""
    return x.real


def imag(x: Array) -> Array:
    """The imaginary part of each element."""
    return x.imag


def conjugate(x: Array) -> Array:
    """The complex conjugate of each element."""
    return np.conjugate(x)


def astype(x: Array, dtype: Any) -> Array:
    """The elements converted to another dtype."""
    return x.astype(dtype)


def copy(x: Array) -> Array:
    """A tensor with a copy of the array."""
    return x.copy()


def numpy(x: Array) -> Array:
    """The array itself, not a copy."""
    return x


def dlpack(
    x: Array,
    *,
    stream: Any = None,
    max_version: Any = None,
    dl_device: Any = None,
    copy: Any = None,
) -> Any:
    """The memory, for another library's `from_dlpack`."""
    options = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
    # Older arrays know fewer of them.
    return x.__dlpack__(**{name: value for name, value in options.items() if value is not None})


def getitem(x: Array, index: Any) -> Array:
    """The elements that `index` picks, as in NumPy; Tensors may be indices."""
    return x[index]


def setitem(x: Array, index: Any, value: Any) -> None:
    """Writes `value` into the elements that `index` picks."""
    x[index] = value


_ARITHMETIC: dict[str, tuple[str, Any]] = {
    "add": ("add", np.add),
    "sub": ("sub", np.subtract),
    "mul": ("mul", np.multiply),
    "div": ("truediv", np.true_divide),
    "floordiv": ("floordiv", np.floor_divide),
    "mod": ("mod", np.remainder),
    # The operator, unlike the ufunc, squares with one multiplication.
    "pow": ("pow", operator.pow),
    "matmul": ("matmul", np.matmul),
    "bitwise_and": ("and", np.bitwise_and),
    "bitwise_or": ("or", np.bitwise_or),
    "bitwise_xor": ("xor", np.bitwise_xor),
}

# `np.amax` is another object than `np.max`.
_NUMPY_NAMES = {"max": (np.max, np.amax), "min": (np.min, np.amin)}

_COMPARISONS = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}

_UNARY = {"neg": np.negative, "pos": np.positive, "invert": np.invert}


def plain_ops() -> OpTable:
    """A table with the ops of the plain Tensor, to which others can be added."""
    return _table().copy()


@functools.cache
def _table() -> OpTable:
    ops = OpTable()
    for name, (symbol, forward) in _ARITHMETIC.items():
        ops.add(
            name,
            forward,
            method=f"__{symbol}__",
            inputs=("x", "y"),
            operator=True,
            reflected=f"__r{symbol}__",
            numpy=np.power if name == "pow" else forward,
        )
        ops.add(
            f"i{name}",
            _in_place(np.power if name == "pow" else forward),
            method=f"__i{symbol}__",
            operator=True,
            in_place=True,
        )
    for name, forward in _COMPARISONS.items():
        ops.add(name, forward, method=f"__{name}__", operator=True, numpy=forward)
    for name, forward in _UNARY.items():
        ops.add(name, forward, method=f"__{name}__", numpy=forward)
    ops.add("abs", np.absolute, method=("abs", "__abs__"), numpy=np.absolute)
    for forward, function in ((exp, np.exp), (log, np.log), (sqrt, np.sqrt), (tanh, np.tanh)):
        ops.add(forward.__name__, function, method=True, numpy=function, doc=forward.__doc__)
    ops.add("clip", clip, method=True, inputs=("x", "min", "max"), numpy=np.clip)
    for forward in (sum, mean, prod, max, min, var, std, argmax, argmin):
        name = forward.__name__
        ops.add(name, forward, method=True, numpy=_NUMPY_NAMES.get(name, getattr(np, name)))
    for part in (real, imag):
        ops.add(part.__name__, part, numpy=getattr(np, part.__name__))
    both = ("conj", "conjugate")
    ops.add("conjugate", np.conjugate, method=both, numpy=np.conjugate, doc=conjugate.__doc__)
    ops.add("reshape", reshape, inputs=("x",), numpy=np.reshape)
    ops.add("permute", permute, numpy=np.transpose)
    ops.add("swapaxes", swapaxes, inputs=("x",), numpy=np.swapaxes)
    ops.add("astype", astype, method=True, inputs=("x",), numpy=np.astype)
    ops.add("copy", copy, method=True, numpy=np.copy)
    ops.add("numpy", numpy, method=True, raw=True)
    ops.add("dlpack", dlpack, method="__dlpack__", inputs=("x",), raw=True)
    ops.add("getitem", getitem, method="__getitem__", inputs=("x",))
    ops.add("setitem", setitem, method="__setitem__", inputs=("x", "value"), in_place=True)
    ops.add("numpy_function", numpy_function, inputs=())
    return ops


def _in_place(ufunc: Any) -> Any:
    def forward(x: Array, y: Array) -> None:
        ufunc(x, y, out=x)

    return forward
