"""Reading and writing elements by index, in ONNX."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from tinytorch_compile.export.graph import Symbol, UnsupportedError, cast, emit, shape_of
from tinytorch_compile.export.rules import rule
from tinytorch_compile.tracing import Writing

Array = Any

_REDUCTIONS = {np.add: "add", np.multiply: "mul", np.maximum: "max", np.minimum: "min"}


@rule(operator.getitem)
def getitem(x: Array, index: Any) -> Array:
    """Read what an index selects: slices first, then index arrays."""
    index = index if isinstance(index, tuple) else (index,)
    items = _items(index, len(shape_of(x)))
    if any(_is_array(item) for item in items):
        # Next to arrays, integers are arrays, too.
        items = [np.array(i) if isinstance(i, int) else i for i in items]
    arrays = [i for i in items if _is_array(i)]
    sliced = _sliced(x, items)
    if not arrays:
        return sliced
    places = [place for place, item in enumerate(_remaining(items)) if _is_array(item)]
    if len(arrays) == 1:
        return _gathered(sliced, places[0], arrays[0])
    return _selected(sliced, places, arrays, _are_apart(index))


def _are_apart(index: tuple[Any, ...]) -> bool:
    """Return whether slices, None or an Ellipsis, even of no axes, are between arrays."""
    kinds = [item is None or item is Ellipsis or isinstance(item, slice) for item in index]
    first, last = kinds.index(False), len(kinds) - 1 - kinds[::-1].index(False)
    return any(kinds[first:last])


def _is_array(item: Any) -> bool:
    return isinstance(item, Symbol | np.ndarray)


def _items(index: tuple[Any, ...], ndim: int) -> list[Any]:
    """Return an index as a list of integers, slices, None and integer arrays, one for each axis."""
    items: list[Any] = []
    for item in index:
        if isinstance(item, list):
            item = np.array(item, np.intp) if not item else np.asarray(item)
        if isinstance(item, bool | np.bool_):
            raise UnsupportedError("a truth value as an index has no counterpart")
        if isinstance(item, np.integer):
            item = int(item)
        if isinstance(item, Symbol) and item.dtype == bool:
            raise UnsupportedError(
                "the number of elements that truth values select depends on them; use np.where"
            )
        if isinstance(item, np.ndarray) and item.dtype == bool:
            items += np.nonzero(item)
        else:
            items.append(item)
    used = sum(item is not None and item is not Ellipsis for item in items)
    rest = [slice(None)] * (ndim - used)
    for place, item in enumerate(items):
        if item is Ellipsis:
            return [*items[:place], *rest, *items[place + 1 :]]
    return items + rest


def _remaining(items: list[Any]) -> list[Any]:
    """Return the items that leave an axis after slicing."""
    return [item for item in items if not isinstance(item, int)]


def _sliced(x: Array, items: list[Any]) -> Array:
    """Apply the slices and integers of an index, and add axes; arrays stay for later."""
    selecting = [item for item in items if item is not None]
    parts = [_part(item, n) for item, n in zip(selecting, shape_of(x), strict=True)]
    shape = [len(part) for part in parts]
    changed = [a for a, part in enumerate(parts) if part != range(shape_of(x)[a])]
    if changed:
        x = _cut(x, parts, changed, shape)
    lengths = iter(shape)
    kept = [(item, 1 if item is None else next(lengths)) for item in items]
    return np.reshape(x, [n for item, n in kept if not isinstance(item, int)])


def _part(item: Any, length: int) -> range:
    """Return the positions along an axis that a slice or integer selects; all for an array."""
    if isinstance(item, int):
        first = range(length)[item]
        return range(first, first + 1)
    part = range(length)[item] if isinstance(item, slice) else range(length)
    # The start of an empty range may be -1, which would count from the end.
    return part or range(0)


def _cut(x: Array, parts: list[range], axes: list[int], shape: list[int]) -> Array:
    # An end of -1 would count from the end, so it is one before the first element.
    ends = [part.stop if part.stop >= 0 else -n - 1 for part, n in zip(parts, x.shape, strict=True)]
    if not isinstance(x, Symbol):
        slices = [slice(p.start, end, p.step) for p, end in zip(parts, ends, strict=True)]
        return x[tuple(slices)]
    limits = (
        np.array(numbers, np.int64)
        for numbers in (
            [parts[a].start for a in axes],
            [ends[a] for a in axes],
            axes,
            [parts[a].step for a in axes],
        )
    )
    return emit("Slice", x, *limits, shape=shape, dtype=x.dtype)


def _gathered(x: Array, axis: int, index: Array) -> Array:
    """Select along one axis."""
    shape = (*shape_of(x)[:axis], *index.shape, *shape_of(x)[axis + 1 :])
    if not isinstance(x, Symbol) and not isinstance(index, Symbol):
        return np.take(x, index, axis)
    index = cast(index, np.int64)
    return emit("Gather", x, index, shape=shape, dtype=x.dtype, axis=axis)


def _selected(x: Array, places: list[int], arrays: list[Array], apart: bool) -> Array:
    """Select with several index arrays: their axes become one, at the front.

    The new axes stay there if the arrays are apart in the index, as in NumPy.
    """
    lengths = [shape_of(x)[place] for place in places]
    rest = [a for a in range(x.ndim) if a not in places]
    flat: Array = 0
    for array, length in zip(arrays, lengths, strict=True):
        array = cast(array, np.int64)
        flat = flat * length + np.where(array < 0, array + length, array)
    merged = np.transpose(x, [*places, *rest])
    merged = np.reshape(merged, (math.prod(lengths), *(shape_of(x)[a] for a in rest)))
    result = _gathered(merged, 0, flat)
    if apart or not places[0]:
        return result
    count = len(shape_of(flat))
    moved = list(range(count))
    others = list(range(count, result.ndim))
    return np.transpose(result, [*others[: places[0]], *moved, *others[places[0] :]])


@rule(np.ndarray.item)
def item(x: Array, *index: Any) -> Array:
    """Read one element."""
    flat = np.reshape(x, -1)
    return flat[0] if not index else x[index] if len(index) > 1 else flat[index[0]]


@rule(np.take)
def take(
    x: Array, indices: Array, axis: Any = None, out: None = None, mode: str = "raise"
) -> Array:
    """Select along one axis, or from the flattened array."""
    if mode != "raise":
        raise UnsupportedError(f"the mode {mode!r} has no counterpart")
    if not isinstance(indices, Symbol):
        indices = np.asarray(indices)
    if axis is None:
        return _gathered(np.reshape(x, -1), 0, indices)
    return _gathered(x, int(axis) % len(shape_of(x)), indices)


def _aligned(x: Array, indices: Array, axis: int) -> tuple[Array, Array]:
    """Broadcast an array and indices along an axis against each other on the other axes."""
    shapes = [list(shape_of(v)) for v in (x, indices)]
    lengths = [shape[axis] for shape in shapes]
    for shape in shapes:
        shape[axis] = 1
    both = list(np.broadcast_shapes(*map(tuple, shapes)))
    aligned = []
    for value, length in zip((x, indices), lengths, strict=True):
        both[axis] = length
        aligned.append(np.broadcast_to(value, tuple(both)))
    return aligned[0], aligned[1]


@rule(np.take_along_axis)
def take_along_axis(x: Array, indices: Array, axis: Any = -1) -> Array:
    """Select along an axis with an index for each element."""
    if axis is None:
        x, axis = np.reshape(x, -1), 0
    axis = axis % x.ndim
    x, indices = _aligned(x, indices, axis)
    indices = cast(indices, np.int64)
    return emit("GatherElements", x, indices, shape=indices.shape, dtype=x.dtype, axis=axis)


def _scattered(x: Array, positions: Array, values: Array, reduction: str = "none") -> Array:
    """Write values at positions of the flattened array."""
    flat, places = np.reshape(x, -1), cast(np.reshape(positions, -1), np.int64)
    if reduction != "none" and x.dtype == bool:
        raise UnsupportedError("ufunc.at of truth values has no counterpart")
    known = reduction == "none" and not isinstance(places, Symbol)
    if known and shape_of(values) and len(np.unique(places)) < len(places):
        raise UnsupportedError("an index selects an element twice, and the order is undefined")
    written = np.broadcast_to(_fitting(cast(values, x.dtype), positions), shape_of(positions))
    result = emit(
        "ScatterElements",
        flat,
        places,
        np.reshape(written, -1),
        shape=shape_of(flat),
        dtype=x.dtype,
        axis=0,
        reduction=reduction,
    )
    return np.reshape(result, shape_of(x))


def _fitting(values: Array, positions: Array) -> Array:
    """Leave out leading axes of length 1 that the positions do not have."""
    extra = len(shape_of(values)) - len(shape_of(positions))
    return np.reshape(values, shape_of(values)[extra:]) if extra > 0 else values


def _positions(x: Array, index: Any) -> Array:
    """Return the positions in the flattened array that an index selects."""
    every = np.arange(x.size).reshape(x.shape)
    items = index if isinstance(index, tuple) else (index,)
    symbolic = any(isinstance(item, Symbol) for item in items)
    return getitem(every, index) if symbolic else np.asarray(every[index])


@rule(Writing(operator.setitem))
def setitem(x: Array, index: Any, value: Array) -> Array:
    """Write what an index selects."""
    if isinstance(index, Symbol) and index.dtype == bool:
        if shape_of(value) and index.ndim:
            raise UnsupportedError(
                "the number of elements that truth values select depends on them; use np.where"
            )
        mask = np.reshape(index, (*index.shape, *(1,) * (x.ndim - index.ndim)))
        return np.where(mask, cast(value, x.dtype), x)
    positions = _positions(x, index)
    if not isinstance(positions, Symbol) and positions.size == x.size:
        every = np.arange(x.size).reshape(x.shape)
        if positions.shape == x.shape and np.array_equal(positions, every):
            return np.broadcast_to(_fitting(cast(value, x.dtype), x), x.shape)
    return _scattered(x, positions, value)


def write_at(ufunc: Any, x: Array, index: Any, value: Array) -> Array:
    """Compute `ufunc.at`, in which an index may occur several times."""
    if ufunc is np.subtract:
        ufunc, value = np.add, np.negative(value)
    if ufunc not in _REDUCTIONS:
        raise UnsupportedError("it has no counterpart")
    return _scattered(x, _positions(x, index), value, _REDUCTIONS[ufunc])


@rule(Writing(np.copyto))
def copyto(x: Array, source: Array, casting: str = "same_kind", where: Any = True) -> Array:
    """Write everything, or where a condition holds."""
    source = np.broadcast_to(_fitting(cast(source, x.dtype), x), x.shape)
    return source if where is True else np.where(where, source, x)


@rule(Writing(np.putmask))
def putmask(x: Array, mask: Array, values: Array) -> Array:
    """Write where a condition holds."""
    if shape_of(values) not in ((), x.shape):
        raise UnsupportedError("putmask repeats the values")
    return np.where(mask, cast(values, x.dtype), x)


@rule(Writing(np.put))
def put(x: Array, indices: Array, values: Array, mode: str = "raise") -> Array:
    """Write at positions of the flattened array."""
    return _scattered(x, indices if isinstance(indices, Symbol) else np.asarray(indices), values)


@rule(Writing(np.put_along_axis))
def put_along_axis(x: Array, indices: Array, values: Array, axis: Any) -> Array:
    """Write along an axis with an index for each element."""
    axis = axis % x.ndim
    indices = cast(_aligned(x, indices, axis)[1], np.int64)
    written = np.broadcast_to(cast(values, x.dtype), indices.shape)
    return emit("ScatterElements", x, indices, written, shape=x.shape, dtype=x.dtype, axis=axis)


@rule(Writing(np.fill_diagonal))
def fill_diagonal(x: Array, value: Array, wrap: bool = False) -> Array:
    """Write the diagonal."""
    positions = np.zeros(x.shape, bool)
    np.fill_diagonal(positions, True, wrap)
    return _scattered(x, np.flatnonzero(positions), value)


@rule(Writing(np.ndarray.sort))
def sort(x: Array, axis: int = -1, kind: Any = None) -> Array:
    """Sort along an axis."""
    return np.sort(x, axis)
