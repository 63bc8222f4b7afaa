"""The methods and options of ufuncs: `np.add.reduce`, `np.multiply.outer`, `np.exp(x, dtype=...)`.

They call the ufunc itself, so they are differentiable where the ufunc is. Reductions that are ops
run as these ops.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.arrays import as_array
from tinytorch_autograd.rules.axes import normalize_axes, slices_along, whole_axes_before
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()

_REDUCTIONS: dict[Any, Callable[..., Any]] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
}
_ACCUMULATIONS: dict[Any, Callable[..., Any]] = {np.add: np.cumsum, np.multiply: np.cumprod}


@family.composed(np.ufunc.__call__)
def with_options(
    ufunc: Any,
    *inputs: Array,
    dtype: Any = None,
    where: Any = True,
    casting: str = "same_kind",
    order: str = "K",
    subok: bool = True,
) -> Array:
    """Return the ufunc of the inputs in `dtype`, and 0 where `where` is false."""
    # Numbers stay numbers, which do not widen the dtype.
    inputs = tuple(x if type(x) in (int, float, complex) else as_array(x) for x in inputs)
    dtypes = [getattr(x, "dtype", type(x)) for x in inputs] + [None] * ufunc.nout
    options: dict[str, Any] = {"casting": casting}
    if dtype is not None:
        options["signature"] = (None,) * ufunc.nin + (np.dtype(dtype),) * ufunc.nout
    dtypes = ufunc.resolve_dtypes(tuple(dtypes), **options)  # raises if they do not fit
    if dtype is not None:
        inputs = tuple(as_array(x, kind) for x, kind in zip(inputs, dtypes, strict=False))
    if where is True:
        return ufunc(*inputs)
    where = unwrap(where)
    # 1, because most functions are finite there: those of the excluded elements may not be.
    results = ufunc(*(np.where(where, x, 1) if hasattr(x, "dtype") else x for x in inputs))
    if isinstance(results, tuple):
        return tuple(np.where(where, result, 0) for result in results)
    return np.where(where, results, 0)


@family.composed(np.ufunc.reduce)
def reduce(
    ufunc: Any,
    array: Array,
    axis: Any = 0,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Array:
    """Return ufunc(...ufunc(ufunc(x_0, x_1), x_2)..., x_n) along an axis."""
    options = {} if initial is None else {"initial": initial}
    if where is not True:
        options["where"] = where
    array = _checked(ufunc.reduce, array, axis, dtype)
    if ufunc in _REDUCTIONS:
        return _REDUCTIONS[ufunc](array, axis=axis, keepdims=keepdims, **options)
    if where is not True or not array.size:
        return NotImplemented
    if initial is None and ufunc is np.hypot:
        initial = 0  # the identity, which makes a difference: hypot(0, x) = |x|
    return _fold(ufunc, array, axis if array.shape else (), keepdims, initial)


def _checked(method: Callable[..., Any], array: Array, axis: Any, dtype: Any) -> Array:
    """Return an array in `dtype`, after NumPy has checked axis and dtype on an array of ones."""
    array = as_array(array)
    method(np.ones((1,) * len(array.shape), array.dtype), axis=axis, dtype=dtype)
    return as_array(array, dtype)


def _fold(
    ufunc: Any, array: Array, axis: Any, keepdims: bool = False, initial: Any = None
) -> Array:
    for a in sorted(normalize_axes(axis, array.ndim), reverse=True):
        first = [] if initial is None else [initial]
        array = functools.reduce(ufunc, [*first, *slices_along(array, a)])
        array = np.expand_dims(array, a) if keepdims else array
        initial = None
    return array if initial is None else ufunc(initial, array)


@family.composed(np.ufunc.accumulate)
def accumulate(
    ufunc: Any, array: Array, axis: int = 0, dtype: Any = None, out: None = None
) -> Array:
    """Return the intermediate results of `reduce` after each element."""
    array = _checked(ufunc.accumulate, array, axis, dtype)
    if not array.size:
        return array
    (axis,) = normalize_axes(axis, len(array.shape))
    if ufunc in _ACCUMULATIONS:
        return _ACCUMULATIONS[ufunc](array, axis=axis)
    first, *others = slices_along(array, axis)
    results = [first]
    for part in others:
        results.append(ufunc(results[-1], part))
    return np.stack(results, axis=axis)


@family.composed(np.ufunc.reduceat)
def reduceat(
    ufunc: Any,
    array: Array,
    indices: Sequence[int],
    axis: int = 0,
    dtype: Any = None,
    out: None = None,
) -> Array:
    """Return `reduce` of the slice from each index to the next, or of one element if empty."""
    starts = unwrap(indices)
    array = _checked(ufunc.accumulate, array, axis, dtype)  # which has the same arguments
    (axis,) = normalize_axes(axis, len(array.shape))
    if not len(starts):
        return NotImplemented
    if any(not 0 <= start < array.shape[axis] for start in starts):
        return NotImplemented  # NumPy raises its own error
    ends = [*starts[1:], array.shape[axis]]
    before = whole_axes_before(axis, array.ndim)
    parts = [
        _fold(ufunc, array[(*before, slice(a, max(a + 1, b)))], axis)
        for a, b in zip(starts, ends, strict=True)
    ]
    return np.stack(parts, axis=axis)


@family.composed(np.ufunc.outer)
def outer(ufunc: Any, x: Array, y: Array, dtype: Any = None) -> Array:
    """Return the ufunc of each element of x with each of y."""
    x, y = as_array(x), as_array(y)
    return with_options(ufunc, x.reshape(x.shape + (1,) * len(y.shape)), y, dtype=dtype)
