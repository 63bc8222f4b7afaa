"""Sums, maxima, means, sorting and other functions along axes, in ONNX."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_compile.export.graph import Symbol, UnsupportedError, cast, emit, shape_of
from tinytorch_compile.export.rules import rule

Array = Any

# NumPy 2.5 declares its reductions for True and False, but not for a bool.
_np: Any = np

_REDUCTIONS = {
    np.add: "ReduceSum",
    np.multiply: "ReduceProd",
    np.maximum: "ReduceMax",
    np.minimum: "ReduceMin",
    np.logical_and: "ReduceMin",
    np.logical_or: "ReduceMax",
    np.bitwise_and: "ReduceMin",
    np.bitwise_or: "ReduceMax",
}
_OF_TRUTH_VALUES = (np.logical_and, np.logical_or, np.bitwise_and, np.bitwise_or)


def _axes(axis: Any, ndim: int) -> list[int]:
    """Return axes as numbers from 0."""
    given = range(ndim) if axis is None else axis if isinstance(axis, tuple | list) else [axis]
    return sorted(int(a) % ndim for a in given)


@rule((np.ufunc, "reduce"))
def reduce(
    ufunc: Any,
    x: Array,
    axis: Any = 0,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Array:
    """Reduce with a ufunc over axes."""
    if ufunc not in _REDUCTIONS:
        raise UnsupportedError("it has no counterpart")
    if where is not True:
        neutral = ufunc.identity if initial is None else initial
        if neutral is None:
            raise UnsupportedError("`where` needs `initial`")
        x = np.where(where, x, neutral)
    axes = _axes(axis, len(shape_of(x)))
    dtype = ufunc.reduce(np.ones(1, x.dtype), dtype=dtype).dtype
    of_truth_values = dtype.kind == "b"
    if ufunc in _OF_TRUTH_VALUES and not of_truth_values:
        raise UnsupportedError("it has a counterpart for truth values only")
    kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    shape = kept if keepdims else tuple(n for a, n in enumerate(x.shape) if a not in axes)
    if not axes:
        result = cast(x, dtype)
    elif math.prod(shape) and not x.size:
        result = np.full(shape, ufunc.identity, dtype)
    else:
        computed = np.dtype(np.int32) if of_truth_values else dtype
        operands = cast(cast(x, bool) if of_truth_values else x, computed), np.array(axes, np.int64)
        result = emit(
            _REDUCTIONS[ufunc], *operands, shape=shape, dtype=computed, keepdims=int(keepdims)
        )
    result = cast(result, dtype)
    return result if initial is None else ufunc(result, initial)


@rule((np.ufunc, "accumulate"))
def accumulate(ufunc: Any, x: Array, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
    """Combine each element with those before it, in log2(n) steps; a sum has an operator."""
    x = cast(x, ufunc.reduce(np.ones(1, x.dtype), dtype=dtype).dtype)
    axis = int(axis) % x.ndim
    if ufunc is np.add:
        return emit("CumSum", x, np.array(axis, np.int64), shape=x.shape, dtype=x.dtype)
    before = (slice(None),) * axis
    step = 1
    while step < x.shape[axis]:
        first, rest = x[(*before, slice(step))], x[(*before, slice(step, None))]
        x = np.concatenate([first, ufunc(rest, x[(*before, slice(-step))])], axis=axis)
        step *= 2
    return x


@rule((np.ufunc, "outer"))
def outer_of(ufunc: Any, x: Array, y: Array, **options: Any) -> Array:
    """Apply a ufunc to all pairs."""
    return ufunc(np.reshape(x, (*shape_of(x), *(1,) * len(shape_of(y)))), y, **options)


def _typed(ufunc: Any) -> Any:
    """Return the function that reduces with a ufunc, whose third argument is a dtype."""

    def reduction(
        x: Array, axis: Any = None, dtype: Any = None, out: None = None, **kw: Any
    ) -> Any:
        return ufunc.reduce(x, axis, dtype, **_given(kw))

    return reduction


def _untyped(ufunc: Any) -> Any:
    """Return the function that reduces with a ufunc, whose third argument is `out`."""

    def reduction(
        x: Array, axis: Any = None, out: None = None, keepdims: Any = False, **kw: Any
    ) -> Any:
        return ufunc.reduce(x, axis, keepdims=bool(keepdims), **_given(kw))

    return reduction


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not np._NoValue}


rule(np.sum)(_typed(np.add))
rule(np.prod)(_typed(np.multiply))
rule(np.max, np.amax)(_untyped(np.maximum))
rule(np.min, np.amin)(_untyped(np.minimum))
rule(np.all)(_untyped(np.logical_and))
rule(np.any)(_untyped(np.logical_or))


def _count(x: Array, axis: Any) -> int:
    return math.prod(x.shape[a] for a in _axes(axis, x.ndim))


def _floating(x: Array, dtype: Any = None) -> Array:
    """Return x in the dtype of its mean."""
    return cast(x, np.ones(1, x.dtype).mean(dtype=dtype).dtype)


@rule(np.mean)
def mean(
    x: Array, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False
) -> Array:
    """Divide the sum by the count."""
    return _np.sum(_floating(x, dtype), axis=axis, keepdims=bool(keepdims)) / _count(x, axis)


@rule(np.average)
def average(x: Array, axis: Any = None, weights: Any = None, *, keepdims: Any = False) -> Array:
    """Return the mean."""
    if weights is not None:
        raise UnsupportedError("weights have no counterpart; divide the sum of the products")
    return _np.mean(x, axis=axis, keepdims=keepdims is True)


@rule(np.var)
def var(
    x: Array,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    ddof: Any = 0,
    keepdims: Any = False,
    correction: Any = None,
    **options: Any,
) -> Array:
    """Return the mean square of the differences to the mean."""
    x = _floating(x, dtype)
    difference = x - np.mean(x, axis=axis, keepdims=True)
    total = _np.sum(difference * difference, axis=axis, keepdims=bool(keepdims))
    less = ddof if correction in (None, np._NoValue) else correction
    return total / max(_count(x, axis) - less, 0)


@rule(np.std)
def std(x: Array, *args: Any, **kwargs: Any) -> Array:
    """Return the root of the variance."""
    return np.sqrt(np.var(x, *args, **kwargs))


@rule(np.cumsum)
def cumsum(x: Array, axis: Any = None, dtype: Any = None) -> Array:
    """Add up along an axis."""
    x, axis = (np.reshape(x, -1), 0) if axis is None else (x, axis)
    return np.add.accumulate(x, axis, dtype)


@rule(np.cumprod)
def cumprod(x: Array, axis: Any = None, dtype: Any = None) -> Array:
    """Multiply along an axis."""
    x, axis = (np.reshape(x, -1), 0) if axis is None else (x, axis)
    return np.multiply.accumulate(x, axis, dtype)


@rule(np.ptp)
def ptp(x: Array, axis: Any = None, out: None = None, keepdims: bool = False) -> Array:
    """Return the range of the elements."""
    high, low = _np.max(x, axis=axis, keepdims=keepdims), _np.min(x, axis=axis, keepdims=keepdims)
    return high - low


@rule(np.count_nonzero)
def count_nonzero(x: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """Count the elements that are not 0."""
    return _np.sum(cast(cast(x, bool), np.int64), axis=axis, keepdims=keepdims)


@rule(np.linalg.norm)
def norm(x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """Return the norm of a vector, or of the elements of an array."""
    if axis is None and ord is None:
        x, axis = np.reshape(x, -1), 0
    elif axis is None and x.ndim == 1:
        axis = 0
    if not isinstance(axis, int) or ord not in (None, 1, 2, np.inf, -np.inf):
        raise UnsupportedError(f"the norm of order {ord} over axes {axis} has no counterpart")
    x = _floating(x)
    if ord == 1:
        return _np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    if ord in (np.inf, -np.inf):
        return (_np.max if ord > 0 else _np.min)(np.abs(x), axis=axis, keepdims=keepdims)
    return np.sqrt(_np.sum(x * x, axis=axis, keepdims=keepdims))


def _extremum(operator: str) -> Any:
    def position(x: Array, axis: Any = None, out: None = None, *, keepdims: Any = False) -> Array:
        keepdims = bool(keepdims) if keepdims is not np._NoValue else False
        if axis is None:
            flat = position(np.reshape(x, -1), 0)
            return np.reshape(flat, (1,) * x.ndim) if keepdims else flat
        axis = int(axis) % x.ndim
        kept = x.shape[:axis] + (1,) * keepdims + x.shape[axis + 1 :]
        x = cast(x, np.int32) if x.dtype == bool else x
        return emit(operator, x, shape=kept, dtype=np.int64, axis=axis, keepdims=int(keepdims))

    return position


rule(np.argmax)(_extremum("ArgMax"))
rule(np.argmin)(_extremum("ArgMin"))


def _ascending(x: Array, axis: int) -> Array:
    """Return the order of the elements along an axis; equal elements keep theirs."""
    x = cast(x, np.int32) if x.dtype.kind == "b" else x
    count = np.array([x.shape[axis]], np.int64)
    _, positions = x.graph.add("TopK", [x, count], 2, axis=axis, largest=0, sorted=1)
    return Symbol(x.graph, positions, x.shape, np.int64)


def _order(x: Array, axis: int) -> Array:
    """Return the order of the elements along an axis, with NaN at the end."""
    if x.dtype.kind != "f":
        return _ascending(x, axis)
    is_nan = np.isnan(x)
    order = _ascending(np.where(is_nan, np.inf, x), axis)
    nan_last = _ascending(np.take_along_axis(is_nan, order, axis), axis)
    return np.take_along_axis(order, nan_last, axis)


@rule(np.sort)
def sort(x: Array, axis: Any = -1, kind: Any = None, order: None = None, **options: Any) -> Array:
    """Sort along an axis."""
    x, axis = (np.reshape(x, -1), 0) if axis is None else (x, int(axis) % x.ndim)
    return np.take_along_axis(x, _order(x, axis), axis)


@rule(np.argsort)
def argsort(
    x: Array, axis: Any = -1, kind: Any = None, order: None = None, **options: Any
) -> Array:
    """Return the order along an axis; equal elements keep theirs."""
    x, axis = (np.reshape(x, -1), 0) if axis is None else (x, int(axis) % x.ndim)
    return _order(x, axis)


@rule(np.searchsorted)
def searchsorted(a: Array, v: Array, side: str = "left", sorter: Any = None) -> Array:
    """Count the elements of `a` that are in front of each number."""
    a = a if sorter is None else np.take(a, sorter)
    numbers = np.reshape(v, (*shape_of(v), 1))
    before = np.less(a, numbers) if side == "left" else np.less_equal(a, numbers)
    return np.sum(before, axis=-1)


@rule(np.diff)
def diff(x: Array, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    """Return the differences of neighbours along an axis."""
    axis = axis % x.ndim
    edge = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    parts = [x]
    for end, value in ((0, prepend), (2, append)):
        if value is not None and value is not np._NoValue:
            value = np.broadcast_to(value, edge) if not shape_of(value) else value
            parts.insert(end, value)
    x = np.concatenate(parts, axis=axis) if len(parts) > 1 else x
    before = (slice(None),) * axis
    for _ in range(n):
        later, earlier = x[(*before, slice(1, None))], x[(*before, slice(-1))]
        x = later != earlier if x.dtype == bool else later - earlier
    return x
