"""Ops that move elements: reshape, permute, indexing, broadcasting, concatenation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import kernel, place, sum_into_rows, sum_rows, unwrap

from tinytorch_autograd.complex_numbers import cast, real_part
from tinytorch_autograd.rules.arithmetic import has_values
from tinytorch_autograd.rules.axes import slices_along, whole_axes_before
from tinytorch_autograd.rules.family import Family

Array = Any
Shape = tuple[int, ...]

family = Family()


@op("broadcast_to")
@kernel("x", fixed=True)  # because the layout of a copy differs from that of a view
def broadcast_to(x: Array, shape: Any) -> Array:
    """Return `x` broadcast to `shape`; a small one is a copy."""
    if shape.__class__ is int:
        shape = (shape,)
    few = isinstance(shape, tuple | list) and math.prod(shape) < 1_000
    if few and isinstance(x, np.ndarray | np.generic) and x.ndim <= len(shape):
        # Creating a view takes five times as long as copying so few elements.
        if x.__class__ is not np.ndarray:
            x = np.asarray(x)
        out = np.empty(shape, x.dtype, like=x)  # `like`, so that a compiled program can reuse it
        out[...] = x
        return out
    return np.broadcast_to(x, shape)


@op("scatter_add")
def scatter_add(x: Array, index: Any, shape: Shape) -> Array:
    """Return zeros of `shape` with `x` added at `index`, the adjoint of indexing.

    Values for the same element are summed.
    """
    if x.__class__ is not np.ndarray and not isinstance(x, np.generic):
        return _scattered(x, index, shape)
    if not _is_unique(index):
        return _summed_at(np.asarray(x), index, shape)
    out = np.zeros_like(x, shape=shape)
    out[index] = x
    return out


def _scattered(x: Array, index: Any, shape: Shape) -> Array:
    """Return `scatter_add` of an array of another library, which may not be writable."""
    return place(x, index, shape) if _is_unique(index) else _summed_at(x, index, shape)


@kernel("x")
def _summed_at(x: Array, index: Any, shape: Shape) -> Array:
    """Return `scatter_add` for an index that may repeat an element."""
    if x.__class__ is np.ndarray:
        out = np.zeros_like(x, shape=shape)
        np.add.at(out, index, x)
        return out
    size = math.prod(shape)
    positions = np.arange(size)
    if not all(map(has_values, index if isinstance(index, tuple) else (index,))):
        # The same numbers as an array of the library, because the index is one.
        positions = np.cumsum(np.ones_like(x, shape=(size,), dtype=np.intp)) - 1
    positions = positions.reshape(shape)[index].reshape(-1)
    return sum_into_rows(x.reshape((-1, 1)), positions, size).reshape(shape)


def _is_unique(index: Any) -> bool:
    """Return whether an index has only slices, numbers and masks, which never repeat an element."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None
        or part is Ellipsis
        or isinstance(part, int | slice | np.integer)
        or (isinstance(part, np.ndarray) and part.dtype == bool)
        for part in parts
    )


def unbroadcast(grad: Array, shape: Shape) -> Array:
    """Return `grad` summed over the axes that broadcasting added or stretched."""
    added = grad.ndim - len(shape)
    if len(shape) == 1 and added > 0 and grad.shape[-1:] == shape:
        return sum_rows(grad)  # the common case, a bias
    if added < 0:
        raise ValueError(
            f"a rule returned a gradient of shape {grad.shape} for an input of shape {shape}; "
            "return one of the input's shape, or of a shape to which the input broadcasts"
        )
    stretched = tuple(i + added for i, n in enumerate(shape) if n == 1)
    return grad.sum(axis=(*range(added), *stretched)).reshape(shape)


def permute_rule(grad: Array, axes: Sequence[int] | None) -> Array:
    """The gradient with the inverse permutation of axes."""
    if axes is None:
        return grad.T
    inverse = sorted(range(len(axes)), key=[a % len(axes) for a in axes].__getitem__)
    return np.transpose(grad, inverse)


def astype_rule(grad: Array, x_dtype: np.dtype[Any], dtype: Any) -> Array:
    """The gradient in the dtype of the input; its real part if the output is real."""
    if grad.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        grad = real_part(grad)
    return cast(grad, x_dtype)


def concatenate(*arrays: Array, axis: int | None = 0) -> Array:
    """Return the arrays one after the other along `axis`; None flattens them first."""
    return np.concatenate(arrays, axis=axis)


def concatenate_rule(
    grad: Array, arrays_shape: Sequence[Shape], axis: int | None
) -> Sequence[Array]:
    """Each array gets its slice of the gradient."""
    before = () if axis is None else whole_axes_before(axis, grad.ndim)
    parts = []
    start = 0
    for shape in arrays_shape:
        length = math.prod(shape) if axis is None else shape[axis]
        part = grad[(*before, slice(start, start + length))]
        parts.append(part.reshape(shape) if axis is None else part)
        start += length
    return parts


def stack(*arrays: Array, axis: int = 0) -> Array:
    """Return arrays of one shape along a new axis."""
    return np.stack(arrays, axis=axis)


def stack_rule(grad: Array, axis: int) -> Sequence[Array]:
    """Each array gets its slice of the gradient."""
    return slices_along(grad, axis)


family.rule("reshape", lambda grad, x_shape: grad.reshape(x_shape))
family.rule("permute", permute_rule)
family.rule("swapaxes", lambda grad, axis1, axis2: np.swapaxes(grad, axis1, axis2))
family.rule("getitem", lambda grad, x_shape, index: scatter_add(grad, unwrap(index), x_shape))
family.rule("astype", astype_rule)
family.rule("copy", lambda grad: grad)

family.function(
    "scatter_add", (), lambda grad, index: grad[index], forward=scatter_add, inputs=("x",)
)
family.function(
    "broadcast_to",
    np.broadcast_to,
    lambda grad, x_shape: unbroadcast(grad, x_shape),
    forward=broadcast_to,
    inputs=("x",),
)
family.function("concatenate", np.concatenate, concatenate_rule, forward=concatenate)
family.function("stack", np.stack, stack_rule, forward=stack)
family.function(
    "squeeze",
    np.squeeze,
    lambda grad, x_shape: grad.reshape(x_shape),
    forward=lambda x, axis=None: np.squeeze(x, axis),
)
family.function(
    "expand_dims",
    np.expand_dims,
    lambda grad, x_shape: grad.reshape(x_shape),
    forward=lambda x, axis: np.expand_dims(x, axis),
    inputs=("x",),
)
family.function(
    "ravel",
    np.ravel,
    lambda grad, x_shape: grad.reshape(x_shape),
    forward=lambda x: np.ravel(x),
)
