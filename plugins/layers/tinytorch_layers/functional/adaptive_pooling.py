"""Pooling to a given size, with windows of unequal sizes.

Along each axis, window i of m begins at ⌊i n / m⌋ and ends before ⌈(i + 1) n / m⌉, for n elements.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray, matmul

from tinytorch_layers.arguments import Pair, sizes
from tinytorch_layers.functional.pool_functions import (
    check_flags,
    largest_and_numbers,
    pixel_numbers,
)
from tinytorch_layers.functional.windows import Windows, as_given, as_images, checked_shape

Array = Any
Sizes = tuple[int | None, ...]


def adaptive_avg_pool1d(x: AnyArray, output_size: Any) -> AnyArray:
    """Return the means of `output_size` windows of each channel of sequences.

    Args:
        x: sequences, a floating Tensor or array of shape (N, C, L) or (C, L).
        output_size: the number of windows; None for L.

    Returns:
        A Tensor or array of shape (N, C, l) or (C, l).

    Raises:
        ValueError, TypeError: see `adaptive_max_pool2d`.

    >>> adaptive_avg_pool1d(np.array([[1.0, 2.0, 6.0]]), 2)
    array([[1.5, 4. ]])
    """
    checked = output_sizes("adaptive_avg_pool1d", output_size, 1)
    return adaptive_avg_pool("adaptive_avg_pool1d", x, checked, 1)


def adaptive_avg_pool2d(x: AnyArray, output_size: Any) -> AnyArray:
    """Return the means of windows of each channel, of as many windows as requested.

    They are computed with matrix products, in which a NaN or an infinity spreads over its row and
    column.

    Args:
        x: images, a floating Tensor or array of shape (N, C, H, W) or (C, H, W).
        output_size: the number of windows in each direction: an integer, or a pair for height and
            width; None for the size of the images.

    Returns:
        A Tensor or array of shape (N, C, h, w) or (C, h, w).

    Raises:
        ValueError, TypeError: see `adaptive_max_pool2d`.

    >>> adaptive_avg_pool2d(np.arange(6.0).reshape(1, 2, 3), (1, 2))
    array([[[2., 3.]]])
    """
    checked = output_sizes("adaptive_avg_pool2d", output_size, 2)
    return adaptive_avg_pool("adaptive_avg_pool2d", x, checked, 2)


def adaptive_max_pool1d(x: Array, output_size: Any, return_indices: bool = False) -> Any:
    """Return the maxima of `output_size` windows of each channel of sequences.

    Args:
        x: sequences, a floating Tensor or array of shape (N, C, L) or (C, L).
        output_size: the number of windows; None for L.
        return_indices: whether to return the positions of the maxima, too.

    Returns:
        A Tensor or array of shape (N, C, l) or (C, l); with `return_indices` also the positions.

    Raises:
        ValueError, TypeError: see `adaptive_max_pool2d`.

    >>> adaptive_max_pool1d(np.array([[1.0, 2.0, 6.0]]), 2)
    array([[2., 6.]])
    """
    check_flags("adaptive_max_pool1d", return_indices=return_indices)
    checked = output_sizes("adaptive_max_pool1d", output_size, 1)
    return adaptive_max_pool("adaptive_max_pool1d", x, checked, return_indices, 1)


def adaptive_max_pool2d(x: Array, output_size: Any, return_indices: bool = False) -> Any:
    """Return the maxima of windows of each channel, of as many windows as requested.

    Args:
        x: images, a floating Tensor or array of shape (N, C, H, W) or (C, H, W).
        output_size: the number of windows in each direction: an integer, or a pair for height and
            width; None for the size of the images.
        return_indices: whether to return the positions of the maxima, too.

    Returns:
        A Tensor or array of shape (N, C, h, w) or (C, h, w); with `return_indices` a pair, as for
        `max_pool2d`.

    Raises:
        ValueError: x has another number of axes, or images of size 0, or the size is not positive.
        TypeError: x is not floating, or an argument has the wrong type.

    >>> adaptive_max_pool2d(np.arange(6.0).reshape(1, 2, 3), (1, 2))
    array([[[4., 5.]]])
    """
    check_flags("adaptive_max_pool2d", return_indices=return_indices)
    checked = output_sizes("adaptive_max_pool2d", output_size, 2)
    return adaptive_max_pool("adaptive_max_pool2d", x, checked, return_indices, 2)


def output_sizes(owner: str, output_size: Any, axes: int) -> Sizes:
    """Return the argument `output_size` as an integer or None for each axis.

    Raises:
        TypeError, ValueError: it is not as expected.
    """
    given = output_size if isinstance(output_size, tuple | list) else (output_size,) * axes
    checked = iter(sizes(owner, "output_size", tuple(1 if n is None else n for n in given), axes))
    return tuple(None if n is None else m for n, m in zip(given, checked, strict=True))


def adaptive_avg_pool(owner: object, x: Array, output_size: Sizes, axes: int) -> Array:
    """Return means for `output_size` windows of images or sequences."""
    images, size = _prepared(owner, x, output_size, axes)
    count, channels, *image = images.shape
    (high, wide), (h, w) = image, size
    if high % h == 0 and wide % w == 0:
        parts = images.reshape((count, channels, h, high // h, w, wide // w))
        return as_given(parts.mean(axis=(3, 5)), x.shape, axes)
    for axis, length, windows in ((-1, wide, w), (-2, high, h)):
        if length != windows:
            images = transformed(images, _means(length, windows), axis)
    return as_given(images, x.shape, axes)


def transformed(x: Array, matrix: Array, axis: int) -> Array:
    """Return x with an axis, -1 or -2, multiplied by a constant matrix, in the dtype of x."""
    matrix = matrix.astype(x.dtype)
    return matmul(x, matrix.T) if axis == -1 else matmul(matrix, x)


def adaptive_max_pool(
    owner: object, x: Array, output_size: Sizes, return_indices: bool, axes: int
) -> Any:
    """Return maxima for `output_size` windows of images or sequences.

    If the sizes of the windows differ or windows overlap, their pixels are copied into disjoint
    windows of the size of the largest one. The smaller ones repeat their last row or column, which
    does not change the maximum or its first position.
    """
    images, size = _prepared(owner, x, output_size, axes)
    numbers = pixel_numbers(images) if return_indices else None
    image = images.shape[2:]
    kernel = tuple(n // m for n, m in zip(image, size, strict=True))
    if any(n % m for n, m in zip(image, size, strict=True)):
        rows, columns = (_members(*axis) for axis in zip(image, size, strict=True))
        kernel = rows.shape[1], columns.shape[1]
        rows, columns = rows.reshape(-1), columns.reshape(-1)
        images = images[:, :, rows][..., columns]
        numbers = None if numbers is None else numbers[rows][:, columns]
    geometry = Windows((kernel[0], kernel[1]), (kernel[0], kernel[1]))
    return largest_and_numbers(images, geometry, numbers, x.shape, axes)


def _prepared(owner: object, x: Array, output_size: Sizes, axes: int) -> tuple[Array, Pair]:
    """Return x as images, and the number of windows in each direction."""
    shape = checked_shape(owner, x, axes)
    if 0 in shape[-axes:]:
        raise ValueError(f"{owner} has no windows in an input of shape {shape}")
    found = [n if m is None else m for n, m in zip(shape[-axes:], output_size, strict=True)]
    high, wide = (1, *found)[-2:]
    return as_images(x, axes), (high, wide)


def _bounds(length: int, count: int) -> tuple[Array, Array]:
    """Return the first element of each window, and the one after its last."""
    numbers = np.arange(count)
    return numbers * length // count, -(-(numbers + 1) * length // count)


@lru_cache(maxsize=16)
def _means(length: int, count: int) -> Array:
    """Return the matrix that maps an axis to the means of its windows."""
    (starts, ends), elements = _bounds(length, count), np.arange(length)
    inside = (elements >= starts[:, None]) & (elements < ends[:, None])
    return inside / inside.sum(axis=1, keepdims=True)


@lru_cache(maxsize=16)
def _members(length: int, count: int) -> Array:
    """Return the elements of each window, the last of them repeated if others are longer."""
    starts, ends = _bounds(length, count)
    numbers = starts[:, None] + np.arange((ends - starts).max())
    return np.minimum(numbers, ends[:, None] - 1)
