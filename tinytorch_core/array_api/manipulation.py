"""The functions of the array API standard that rearrange the elements of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_core.array_api.conversion import asarray

Array = Any


def broadcast_arrays(*arrays: Array) -> list[Array]:
    """Return tensors repeated to their common shape."""
    return list(np.broadcast_arrays(*map(asarray, arrays)))


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the common shape to which tensors of these shapes are repeated."""
    return np.broadcast_shapes(*shapes)


def broadcast_to(x: Array, /, shape: tuple[int, ...]) -> Array:
    """Return the tensor repeated to a shape."""
    return np.broadcast_to(asarray(x), shape)


def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
    """Return the tensors joined along an axis; None flattens them first."""
    return np.concatenate([asarray(x) for x in arrays], axis=axis)


def expand_dims(x: Array, /, axis: int | tuple[int, ...] = 0) -> Array:
    """Return the tensor with new axes of length 1 at `axis`."""
    return np.expand_dims(asarray(x), axis)


def flip(x: Array, /, *, axis: int | tuple[int, ...] | None = None) -> Array:
    """Return the elements in reverse order along the axes, by default all."""
    return np.flip(asarray(x), axis)


def matrix_transpose(x: Array, /) -> Array:
    """Return the tensor with its last two axes swapped."""
    return asarray(x).mT


def moveaxis(
    x: Array, source: int | tuple[int, ...], destination: int | tuple[int, ...], /
) -> Array:
    """Return the tensor with axes moved to other positions."""
    return np.moveaxis(asarray(x), source, destination)


def permute_dims(x: Array, /, axes: tuple[int, ...]) -> Array:
    """Return the tensor with its axes in another order."""
    return np.transpose(asarray(x), axes)


def repeat(x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    """Return the elements, or the slices along `axis`, each repeated."""
    return np.repeat(asarray(x), repeats, axis=axis)


def reshape(x: Array, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Array:
    """Return the elements in another shape.

    Args:
        x: the tensor.
        shape: the shape.
        copy: True always copies the memory, False never, and None only if it must.

    Raises:
        ValueError: `copy` is False, and the shape needs a copy.
    """
    x = asarray(x)
    return np.reshape(x, shape) if copy is None else np.reshape(x, shape, copy=copy)


def roll(
    x: Array,
    /,
    shift: int | tuple[int, ...],
    *,
    axis: int | tuple[int, ...] | None = None,
) -> Array:
    """Return the elements moved along the axes; those moved beyond the end come first."""
    return np.roll(asarray(x), shift, axis)


def squeeze(x: Array, /, axis: int | tuple[int, ...]) -> Array:
    """Return the tensor without the axes `axis`, which have length 1."""
    return np.squeeze(asarray(x), axis)


def stack(arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
    """Return the tensors joined along a new axis."""
    return np.stack([asarray(x) for x in arrays], axis=axis)


def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    """Return the elements, or the slices along `axis`, at these indices."""
    return np.take(asarray(x), indices, axis=axis)


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """Return for each index the element that it selects along `axis`."""
    return np.take_along_axis(asarray(x), indices, axis)


def tile(x: Array, repetitions: tuple[int, ...], /) -> Array:
    """Return the tensor repeated as a whole along each axis."""
    return np.tile(asarray(x), repetitions)


def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    """Return the slices along an axis."""
    return np.unstack(asarray(x), axis=axis)
