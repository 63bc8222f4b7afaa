"""The methods and options of ufuncs: `np.add.reduce`, `np.multiply.outer`, `np.exp(x, dtype=...)`.

Each is the ufunc itself, called as often as it takes, and so has a derivative where the ufunc has.
The common reductions are ops of their own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.axes import before, checked_axes
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
    """The ufunc of inputs of `dtype`; `where` leaves the rest undefined, and has no derivative."""
    if where is not True:
        return NotImplemented
    return ufunc(*(x if dtype is None else converted(x, dtype) for x in inputs))


def converted(x: Any, dtype: Any) -> Any:
    """An array or Tensor in another dtype, or a number as an array of it."""
    return np.astype(x, np.dtype(dtype)) if hasattr(x, "dtype") else np.asarray(x, dtype)


def layers(array: Array, axis: int) -> list[Array]:
    """The parts of an array along an axis, without it."""
    head = before(axis, len(array.shape))
    return [array[(*head, i)] for i in range(array.shape[axis])]


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
    """The ufunc of the first two elements along an axis, of that and the third, and so on."""
    options = {} if initial is None else {"initial": initial}
    if where is not True:
        options["where"] = where
    if ufunc in _REDUCTIONS:
        array = array if dtype is None else converted(array, dtype)
        return _REDUCTIONS[ufunc](array, axis=axis, keepdims=keepdims, **options)
    if where is not True:
        return NotImplemented
    array = array if dtype is None else converted(array, dtype)
    for a in sorted(checked_axes(axis, array.ndim), reverse=True):
        first = [] if initial is None else [initial]
        array = functools.reduce(ufunc, [*first, *layers(array, a)])
        array = np.expand_dims(array, a) if keepdims else array
        initial = None
    return array


@family.composed(np.ufunc.accumulate)
def accumulate(
    ufunc: Any, array: Array, axis: int = 0, dtype: Any = None, out: None = None
) -> Array:
    """What `reduce` has after each element."""
    array = array if dtype is None else converted(array, dtype)
    if ufunc in _ACCUMULATIONS:
        return _ACCUMULATIONS[ufunc](array, axis=axis)
    if not array.shape[axis]:
        return array
    first, *others = layers(array, axis)
    made = [first]
    for layer in others:
        made.append(ufunc(made[-1], layer))
    return np.stack(made, axis=axis)


@family.composed(np.ufunc.reduceat)
def reduceat(
    ufunc: Any,
    array: Array,
    indices: Sequence[int],
    axis: int = 0,
    dtype: Any = None,
    out: None = None,
) -> Array:
    """`reduce` of the slice from each index to the next; of one element where that is empty."""
    starts = unwrap(indices)
    if any(not 0 <= start < array.shape[axis] for start in starts):
        return NotImplemented  # which NumPy refuses, and explains
    ends = [*starts[1:], array.shape[axis]]
    head = before(axis, array.ndim)
    parts = [
        reduce(ufunc, array[(*head, slice(a, max(a + 1, b)))], axis, dtype)
        for a, b in zip(starts, ends, strict=True)
    ]
    return np.stack(parts, axis=axis)


@family.composed(np.ufunc.outer)
def outer(ufunc: Any, x: Array, y: Array, dtype: Any = None) -> Array:
    """The ufunc of each element of x with each of y."""
    x, y = (v if hasattr(v, "shape") else np.asarray(v) for v in (x, y))
    return with_options(ufunc, x.reshape(x.shape + (1,) * len(y.shape)), y, dtype=dtype)
