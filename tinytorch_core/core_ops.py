"""The ops of the plain Tensor: its operators, and its methods that compute on arrays."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from tinytorch_core.kernel import kernel
from tinytorch_core.ops import OpTable
from tinytorch_core.tensor import TensorBase, only_element, unwrap

Array = Any

# Any, because NumPy's stubs do not allow the call by position, which is the fastest.
_add_reduce: Any = np.add.reduce
_ones = functools.lru_cache(maxsize=64)(np.ones)

# The usual types of indices, which do not contain Tensors.
_INDICES = frozenset((int, slice, type(None), type(...), np.ndarray))


def clip(x: Array, min: Array = None, max: Array = None) -> Array:
    """Return each element, or the nearer bound if it is outside. None means no bound."""
    return np.clip(x, min, max)


def sum(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Return the sum of all elements, or over `axis`, a number or a tuple."""
    if x.__class__ is np.ndarray:  # what the method calls, without its overhead
        return _add_reduce(x, axis, None, None, keepdims)
    return x.sum(axis=axis, keepdims=keepdims)


@kernel("x", "y")
def matmul(x: Array, y: Array) -> Array:
    """Return the matrix product of arrays or Tensors."""
    if x.__class__ is np.ndarray is y.__class__ and y.ndim == 2:
        if x.ndim == 2:
            # The same numbers with less overhead, but dot fills its result with zeros first.
            return x.dot(y) if len(x) * y.shape[1] < 10_000 else x @ y
        if x.ndim > 2 and x.flags.c_contiguous:
            # One product; NumPy would compute one for each leading index.
            rows = math.prod(x.shape[:-1])
            return (x.reshape(rows, x.shape[-1]) @ y).reshape((*x.shape[:-1], y.shape[1]))
    return x @ y


@kernel("x")
def sum_rows(x: Array) -> Array:
    """Return the sum of an array or Tensor over all axes but the last."""
    is_array = x.__class__ is np.ndarray
    if x.dtype.char in ("f", "d") and (is_array or not isinstance(x, TensorBase)):
        # BLAS takes a fifth of the time of a sum of a small array, and loses fewer digits.
        count = math.prod(x.shape[:-1])
        ones = (_ones if count <= 4096 else np.ones)(count, x.dtype.char)
        x = x.reshape(count, x.shape[-1])
        # The same product of an array of another library, so that it is rounded in the same way.
        return ones.dot(x) if is_array else np.dot(ones, x)
    return x.sum(axis=tuple(range(x.ndim - 1)))


@kernel("values", "numbers")
def sum_into_rows(values: Array, numbers: Array, count: int) -> Array:
    """Return `count` rows, each the sum of the rows of `values` that have its number.

    It writes into no array, so it works on the arrays of any library: it sorts the values by
    number, adds up each run of equal numbers in log2(n) steps, and takes the sums from the ends of
    the runs.

    Args:
        values: an array of shape (n, length).
        numbers: an array of n integers from 0 to count - 1.
        count: the number of rows.
    """
    order = np.argsort(numbers, kind="stable")
    numbers, sums = np.take(numbers, order), np.take(values, order, axis=0)
    step = 1
    while step < values.shape[0]:
        same = (numbers[step:] == numbers[:-step])[:, None]
        sums = np.concatenate([sums[:step], sums[step:] + np.where(same, sums[:-step], 0)])
        step *= 2
    rows = np.arange(count)
    starts, ends = (np.searchsorted(numbers, rows, side) for side in ("left", "right"))
    sums = np.concatenate([np.zeros((1, values.shape[1]), values.dtype), sums])
    return np.take(sums, np.where(starts < ends, ends, 0), axis=0)


def place(values: Array, index: Any, shape: tuple[int, ...]) -> Array:
    """Return zeros of `shape` with `values` at `index`, which selects no element twice.

    It writes into no array but its own, so it works on the arrays of any library.

    Args:
        values: an array of the shape that `index` selects.
        index: slices, numbers and ndarrays.
        shape: the shape of the result.
    """
    sources = np.zeros(shape, np.intp)
    sources[index] = np.arange(1, values.size + 1).reshape(values.shape)
    elements = np.concatenate([np.zeros(1, values.dtype), values.reshape(-1)])
    return np.take(elements, sources.reshape(-1)).reshape(shape)


def mean(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Return the mean of all elements, or over `axis`, a number or a tuple."""
    return x.mean(axis=axis, keepdims=keepdims)


def prod(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Return the product of all elements, or over `axis`, a number or a tuple."""
    return x.prod(axis=axis, keepdims=keepdims)


def max(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Return the largest of all elements, or along `axis`, a number or a tuple."""
    return x.max(axis=axis, keepdims=keepdims)


def min(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Return the smallest of all elements, or along `axis`, a number or a tuple."""
    return x.min(axis=axis, keepdims=keepdims)


def var(x: Array, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Array:
    """Return the variance; the divisor is the count less `ddof`, as in NumPy."""
    return x.var(axis=axis, keepdims=keepdims, ddof=ddof)


def std(x: Array, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Array:
    """Return the standard deviation, the square root of `var`."""
    return x.std(axis=axis, keepdims=keepdims, ddof=ddof)


def argmax(x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """Return the index of the largest element, of the flattened tensor or along `axis`."""
    return x.argmax(axis=axis, keepdims=keepdims)


def argmin(x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """Return the index of the smallest element, of the flattened tensor or along `axis`."""
    return x.argmin(axis=axis, keepdims=keepdims)


def permute(x: Array, axes: Any = None) -> Array:
    """Return the tensor with its axes in another order, by default reversed."""
    return x.transpose() if axes is None else x.transpose(axes)


def _number(kind: type, x: Array) -> Any:
    return kind(only_element(x))


def getitem(x: Array, index: Any) -> Array:
    """Return the elements that `index` selects, as in NumPy; Tensors may be indices."""
    try:
        selected = x[index]
    except TypeError:
        if isinstance(x, np.ndarray):
            raise  # it converts Tensors itself
        return x[unwrap(index)]
    if selected.size or x.__class__ is not np.ndarray:
        return selected
    return x[unwrap(index)]  # NumPy takes an empty Tensor of bools for whole numbers


def setitem(x: Array, index: Any, value: Any) -> None:
    """Write `value` into the elements that `index` selects; Tensors may be indices."""
    if index.__class__ is tuple:
        if not _INDICES.issuperset(map(type, index)):
            index = unwrap(index)
    elif index.__class__ not in _INDICES:
        index = unwrap(index)  # NumPy would take an empty Tensor of bools for whole numbers
    x[index] = value


# The name of the op, that of its method without underscores, the forward, and the operator.
_ARITHMETIC: tuple[tuple[str, str, Any, str], ...] = (
    ("add", "add", np.add, "+"),
    ("sub", "sub", np.subtract, "-"),
    ("mul", "mul", np.multiply, "*"),
    ("div", "truediv", np.true_divide, "/"),
    ("floordiv", "floordiv", np.floor_divide, "//"),
    ("mod", "mod", np.remainder, "%"),
    # The operator, unlike the ufunc, squares with one multiplication.
    ("pow", "pow", operator.pow, "**"),
    ("matmul", "matmul", matmul, "@"),
    ("bitwise_and", "and", np.bitwise_and, "&"),
    ("bitwise_or", "or", np.bitwise_or, "|"),
    ("bitwise_xor", "xor", np.bitwise_xor, "^"),
)

# The ufuncs of those whose forward is another function.
_UFUNCS = {"pow": np.power, "matmul": np.matmul}

_COMPARISONS: tuple[tuple[str, Any, str], ...] = (
    ("eq", np.equal, "=="),
    ("ne", np.not_equal, "!="),
    ("lt", np.less, "<"),
    ("le", np.less_equal, "<="),
    ("gt", np.greater, ">"),
    ("ge", np.greater_equal, ">="),
)

# The name of the op, those of its methods, the forward, and the docstring.
_UNARY: tuple[tuple[str, str | tuple[str, ...], Any, str], ...] = (
    ("neg", "__neg__", np.negative, "Return `-self`, the negative of each element."),
    ("pos", "__pos__", np.positive, "Return `+self`, the elements themselves."),
    ("invert", "__invert__", np.invert, "Return `~self`, each element with its bits inverted."),
    ("exp", "exp", np.exp, "Return e to the power of each element."),
    ("log", "log", np.log, "Return the natural logarithm of each element."),
    ("sqrt", "sqrt", np.sqrt, "Return the non-negative square root of each element."),
    ("tanh", "tanh", np.tanh, "Return the hyperbolic tangent of each element."),
    ("abs", ("abs", "__abs__"), np.absolute, "Return the absolute value of each element."),
    ("conjugate", ("conj", "conjugate"), np.conjugate, "Return each element's complex conjugate."),
)

# `np.amax` and `np.max` are different objects.
_ALIASES = {"max": (np.max, np.amax), "min": (np.min, np.amin)}


@functools.cache
def core_ops() -> OpTable:
    """Return the ops of the plain Tensor, a table to copy before others are added."""
    ops = OpTable()
    for name, symbol, forward, sign in _ARITHMETIC:
        _add_operator(ops, name, symbol, forward, sign)
    for name, forward, sign in _COMPARISONS:
        doc = f"Return `self {sign} y` element by element, as booleans."
        ops.add(name, forward, method=f"__{name}__", operator=True, numpy=forward, doc=doc)
    for name, methods, forward, doc in _UNARY:
        ops.add(name, forward, method=methods, numpy=forward, doc=doc)
    for forward in (sum, mean, prod, max, min, var, std, argmax, argmin):
        name = forward.__name__
        ops.add(name, forward, method=True, numpy=_ALIASES.get(name, getattr(np, name)))
    ops.add("clip", clip, method=True, inputs=("x", "min", "max"), numpy=np.clip)
    ops.add("real", lambda x: x.real, numpy=np.real, doc="Return the real parts.")
    ops.add("imag", lambda x: x.imag, numpy=np.imag, doc="Return the imaginary parts.")
    doc = "Return the elements in another shape."
    ops.add("reshape", lambda x, shape: x.reshape(shape), inputs=("x",), numpy=np.reshape, doc=doc)
    ops.add("permute", permute, numpy=np.transpose)
    swap, doc = lambda x, axis1, axis2: x.swapaxes(axis1, axis2), "Swap two axes."
    ops.add("swapaxes", swap, method=True, inputs=("x",), numpy=np.swapaxes, doc=doc)
    convert, doc = lambda x, dtype: x.astype(dtype), "Return the elements in another dtype."
    ops.add("astype", convert, method=True, inputs=("x",), numpy=np.astype, doc=doc)
    doc = "Return a tensor with a copy of the array."
    ops.add("copy", lambda x: x.copy(), method=True, numpy=np.copy, doc=doc)
    ops.add("numpy", lambda x: x, method=True, raw=True, doc="Return the array itself, not a copy.")
    for kind in (int, float, complex):
        name, doc = kind.__name__, f"Return the only element as a Python {kind.__name__}."
        ops.add(name, functools.partial(_number, kind), method=f"__{name}__", raw=True, doc=doc)
    ops.add("getitem", getitem, method="__getitem__", inputs=("x",))
    ops.add("setitem", setitem, method="__setitem__", inputs=("x", "value"), in_place=True)
    return ops


def _add_operator(ops: OpTable, name: str, symbol: str, forward: Any, sign: str) -> None:
    """Add `x + y` and the like, and `x += y`."""
    ufunc = forward if isinstance(forward, np.ufunc) else _UFUNCS[name]
    operate = getattr(operator, f"i{symbol}")

    def in_place(x: Array, y: Array) -> Any:
        try:
            return ufunc(x, y, out=x)
        except TypeError:
            if isinstance(x, np.ndarray):
                raise
            return operate(x, y)  # a new array of a library whose arrays cannot be modified

    what = "the matrix product" if name == "matmul" else "element by element"
    methods: Any = {"method": f"__{symbol}__", "reflected": f"__r{symbol}__"}
    doc = f"Return `self {sign} y`, {what}."
    ops.add(name, forward, inputs=("x", "y"), operator=True, numpy=ufunc, doc=doc, **methods)
    doc = f"Compute `self {sign}= y`, {what}, in the memory of `self` if it is an ndarray."
    ops.add(f"i{name}", in_place, method=f"__i{symbol}__", operator=True, in_place=True, doc=doc)
