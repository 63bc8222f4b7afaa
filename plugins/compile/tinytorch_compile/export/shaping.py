"""Functions that arrange elements without computing with them, in ONNX."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_compile.export.graph import Symbol, UnsupportedError, cast, emit, shape_of
from tinytorch_compile.export.rules import rule

Array = Any


def _integers(values: Any) -> Array:
    return np.array(values, np.int64).reshape(-1)


@rule(np.ndarray.reshape)
def reshape_method(x: Array, *shape: Any, order: str = "C", copy: Any = None) -> Array:
    """Reshape; the shape may be several arguments."""
    return reshape(x, shape[0] if len(shape) == 1 else shape, order)


@rule(np.reshape)
def reshape(x: Array, shape: Any, order: str = "C", *, copy: Any = None) -> Array:
    """Reshape in row-major order."""
    if order != "C":
        raise UnsupportedError(f"the order {order!r} has no counterpart")
    target = [int(n) for n in shape] if isinstance(shape, tuple | list) else [int(shape)]
    if -1 in target:
        rest = math.prod(n for n in target if n != -1)
        target[target.index(-1)] = x.size // rest if rest else 0
    if tuple(target) == x.shape:
        return x
    sizes = _integers(target)
    return emit("Reshape", x, sizes, shape=target, dtype=x.dtype, allowzero=int(0 in target))


@rule(np.ravel, np.ndarray.flatten)
def ravel(x: Array, order: str = "C") -> Array:
    """Reshape to one axis."""
    return reshape(x, (-1,) if x.size else (0,), "C" if order in "CK" else order)


@rule(np.transpose, np.permute_dims)
def transpose(x: Array, axes: Any = None) -> Array:
    """Permute the axes."""
    order = range(x.ndim)[::-1] if axes is None else [int(a) % x.ndim for a in axes]
    if list(order) == list(range(x.ndim)):
        return x
    return emit("Transpose", x, shape=[x.shape[a] for a in order], dtype=x.dtype, perm=list(order))


@rule(np.ndarray.transpose)
def transpose_method(x: Array, *axes: Any) -> Array:
    """Permute the axes; they may be several arguments."""
    given = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return transpose(x, given or None)


@rule(np.matrix_transpose)
def matrix_transpose(x: Array) -> Array:
    """Swap the last two axes."""
    return swapaxes(x, -1, -2)


@rule(np.swapaxes)
def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    """Swap two axes."""
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(x, order)


@rule(np.moveaxis)
def moveaxis(x: Array, source: Any, destination: Any) -> Array:
    """Move axes to other places."""
    sources, targets = (
        [int(a) % x.ndim for a in (axes if isinstance(axes, tuple | list) else [axes])]
        for axes in (source, destination)
    )
    order = [a for a in range(x.ndim) if a not in sources]
    for target, origin in sorted(zip(targets, sources, strict=True)):
        order.insert(target, origin)
    return transpose(x, order)


@rule(np.squeeze)
def squeeze(x: Array, axis: Any = None) -> Array:
    """Leave out axes of length 1."""
    axes = [a for a, n in enumerate(x.shape) if n == 1] if axis is None else axis
    axes = [a % x.ndim for a in (axes if isinstance(axes, tuple | list) else [axes])]
    return reshape(x, [n for a, n in enumerate(x.shape) if a not in axes])


@rule(np.expand_dims)
def expand_dims(x: Array, axis: Any) -> Array:
    """Add axes of length 1."""
    axes = axis if isinstance(axis, tuple | list) else [axis]
    places = {a % (x.ndim + len(axes)) for a in axes}
    rest = iter(x.shape)
    return reshape(x, [1 if a in places else next(rest) for a in range(x.ndim + len(axes))])


@rule(np.atleast_1d)
def atleast_1d(x: Array) -> Array:
    """Add an axis to an array without axes."""
    return x if x.shape else reshape(x, (1,))


@rule(np.broadcast_to)
def broadcast_to(x: Array, shape: Any, subok: bool = False) -> Array:
    """Repeat along axes of length 1."""
    shape = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if x.shape == shape:
        return x
    return emit("Expand", x, _integers(shape), shape=shape, dtype=x.dtype)


@rule(np.broadcast_arrays)
def broadcast_arrays(*arrays: Array, subok: bool = False) -> tuple[Array, ...]:
    """Broadcast arrays against each other."""
    shape = np.broadcast_shapes(*map(shape_of, arrays))
    return tuple(np.broadcast_to(x, shape) for x in arrays)


@rule(np.concatenate)
def concatenate(
    arrays: Sequence[Array], axis: Any = 0, out: None = None, *, dtype: Any = None, **_: Any
) -> Array:
    """Join arrays along an axis."""
    if axis is None:
        arrays, axis = [np.reshape(x, -1) for x in arrays], 0
    arrays = [x if isinstance(x, Symbol) else np.asarray(x) for x in arrays]
    kind = np.result_type(*(x.dtype for x in arrays)) if dtype is None else dtype
    axis = int(axis) % arrays[0].ndim
    shape = list(arrays[0].shape)
    shape[axis] = sum(x.shape[axis] for x in arrays)
    return emit("Concat", *(cast(x, kind) for x in arrays), shape=shape, dtype=kind, axis=axis)


@rule(np.stack)
def stack(arrays: Sequence[Array], axis: int = 0, out: None = None, **options: Any) -> Array:
    """Join arrays along a new axis."""
    return np.concatenate([np.expand_dims(x, axis) for x in arrays], axis=axis, **options)


@rule(np.hstack)
def hstack(arrays: Sequence[Array], **options: Any) -> Array:
    """Join arrays along the second axis."""
    arrays = [np.atleast_1d(x) for x in arrays]
    return np.concatenate(arrays, axis=min(1, len(shape_of(arrays[0])) - 1), **options)


@rule(np.vstack)
def vstack(arrays: Sequence[Array], **options: Any) -> Array:
    """Join rows."""
    rows = [np.reshape(x, (1, -1)) if len(shape_of(x)) < 2 else x for x in arrays]
    return np.concatenate(rows, axis=0, **options)


@rule(np.column_stack)
def column_stack(arrays: Sequence[Array]) -> Array:
    """Join columns."""
    return np.concatenate(
        [np.reshape(x, (-1, 1)) if len(shape_of(x)) < 2 else x for x in arrays], axis=1
    )


@rule(np.split, np.array_split)
def split(x: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Split into parts along an axis."""
    length, before = x.shape[axis], (slice(None),) * (axis % x.ndim)
    if isinstance(indices_or_sections, int):
        ends = [len(part) for part in np.array_split(np.arange(length), indices_or_sections)]
        cuts = [0, *np.cumsum(ends).tolist()]
    else:
        cuts = [0, *map(int, indices_or_sections), length]
    return [x[(*before, slice(*cut))] for cut in itertools.pairwise(cuts)]


@rule(np.flip)
def flip(x: Array, axis: Any = None) -> Array:
    """Reverse the order along axes."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    chosen = {a % x.ndim for a in axes}
    return x[tuple(slice(None, None, -1 if a in chosen else 1) for a in range(x.ndim))]


@rule(np.pad)
def pad(x: Array, pad_width: Any, mode: str = "constant", **options: Any) -> Array:
    """Add elements at the ends of the axes."""
    if mode not in ("constant", "edge", "reflect", "wrap") or options.keys() - {"constant_values"}:
        raise UnsupportedError(f"padding of mode {mode!r} with {options} has no counterpart")
    value = options.get("constant_values", 0)
    if np.ndim(value):
        raise UnsupportedError("several constant_values have no counterpart")
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(a, pad_width.get(a - x.ndim, 0)) for a in range(x.ndim)]
        pad_width = [(w, w) if isinstance(w, int) else w for w in pad_width]
    widths = np.broadcast_to(np.asarray(pad_width, np.int64), (x.ndim, 2))
    return emit(
        "Pad",
        x,
        _integers(widths.T),
        np.asarray(value, x.dtype),
        shape=[n + int(w.sum()) for n, w in zip(x.shape, widths, strict=True)],
        dtype=x.dtype,
        mode=mode,
    )


def _by_position(function: Any) -> Any:
    """Return a rule for a function that only rearranges: positions are rearranged, then taken."""

    def rearranged(x: Array, *args: Any, **kwargs: Any) -> Array:
        positions = function(np.arange(x.size).reshape(x.shape), *args, **kwargs)
        return np.reshape(x, -1)[positions]

    return rearranged


for _each in (np.roll, np.rot90, np.tile, np.repeat, np.diagonal, np.resize):
    rule(_each)(_by_position(_each))


def _masked(mask: Any) -> Any:
    """Return a rule for a function that sets elements outside of a triangle to 0."""

    def triangle(x: Array, k: int = 0) -> Array:
        return np.where(mask(np.ones(x.shape[-2:], bool), k), x, np.zeros((), x.dtype))

    return triangle


rule(np.tril)(_masked(np.tril))
rule(np.triu)(_masked(np.triu))


@rule(np.trace)
def trace(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Array:
    """Sum the diagonal."""
    return np.sum(np.diagonal(x, offset, axis1, axis2), axis=-1, dtype=dtype)


@rule(np.diag)
def diag(x: Array, k: int = 0) -> Array:
    """Return a diagonal, or a matrix that has it."""
    if x.ndim == 2:
        return np.diagonal(x, k)
    positions = np.diag(np.arange(1, x.size + 1), k)
    return np.concatenate([np.zeros(1, x.dtype), x])[positions]


def _filled(value: int) -> Any:
    def constant(x: Array, *args: Any, **options: Any) -> Array:
        return np.full_like(np.zeros_like(np.empty(x.shape, x.dtype), *args, **options), value)

    return constant


rule(np.zeros_like, np.empty_like)(_filled(0))
rule(np.ones_like)(_filled(1))


@rule(np.full_like)
def full_like(x: Array, fill_value: Any, dtype: Any = None, *_: Any, **options: Any) -> Array:
    """Fill an array of this shape."""
    shape = options.get("shape")
    shape = x.shape if shape is None else shape
    dtype = x.dtype if dtype is None else np.dtype(dtype)
    if not isinstance(fill_value, Symbol):
        return np.full(shape, fill_value, dtype)
    return np.broadcast_to(cast(fill_value, dtype), shape)
