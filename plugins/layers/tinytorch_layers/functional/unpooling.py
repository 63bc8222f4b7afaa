"""The partial inverse of max pooling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray, are_ndarrays, place, sum_into_rows, unwrap

from tinytorch_layers.arguments import Pair, sizes
from tinytorch_layers.functional.pool_functions import pool_windows
from tinytorch_layers.functional.windows import Windows, as_given, as_images, checked_shape

Array = Any


def max_unpool1d(
    x: AnyArray,
    indices: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> AnyArray:
    """Return sequences with each maximum at its position; see `max_unpool2d`.

    Args:
        x, indices: the results of `max_pool1d`, of shape (N, C, l) or (C, l).
        kernel_size, stride, padding, output_size: as for `max_unpool2d`, for one axis.

    Returns:
        A Tensor or array of shape (N, C, L) or (C, L).

    Raises:
        ValueError, IndexError, TypeError: see `max_unpool2d`.

    >>> max_unpool1d(np.array([[4.0, 3.0]]), np.array([[1, 3]]), 2)
    array([[0., 4., 0., 3.]])
    """
    geometry = pool_windows("max_unpool1d", kernel_size, stride, padding, axes=1)
    return max_unpool("max_unpool1d", x, indices, geometry, output_size, 1)


def max_unpool2d(
    x: AnyArray,
    indices: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> AnyArray:
    """Return images with each maximum at its position, and 0 elsewhere.

    Args:
        x, indices: the results of `max_pool2d` with `return_indices`, of shape (N, C, h, w) or
            (C, h, w). Several maxima of a channel must not have the same position, as they may if
            windows overlap.
        kernel_size, stride, padding: the arguments of `max_pool2d`.
        output_size: the size of the images, an integer, or two for height and width; the last
            axes of a shape are used. By default the smallest size.

    Returns:
        A Tensor or array of shape (N, C, H, W) or (C, H, W).

    Raises:
        ValueError: the shapes differ, or an argument is out of range.
        IndexError: a position is outside of the images.
        TypeError: x is not floating, or an argument has the wrong type.

    >>> out, indices = np.array([[[4.0]]]), np.array([[[3]]])
    >>> max_unpool2d(out, indices, 2)
    array([[[0., 0.],
            [0., 4.]]])
    """
    geometry = pool_windows("max_unpool2d", kernel_size, stride, padding)
    return max_unpool("max_unpool2d", x, indices, geometry, output_size, 2)


def max_unpool(
    owner: object, x: Array, indices: Any, geometry: Windows, output_size: Any, axes: int
) -> Array:
    """Return images or sequences with each maximum at its position."""
    shape = checked_shape(owner, x, axes)
    numbers = unwrap(indices)
    if getattr(numbers, "shape", None) != shape or numbers.dtype.kind not in "iu":
        raise ValueError(
            f"{owner} expects whole numbers of shape {shape} as indices, got {indices!r:.60}"
        )
    size = _image_size(owner, shape, geometry, output_size, axes)
    pixels, images = math.prod(size), as_images(x, axes)
    if are_ndarrays(numbers) and numbers.size and not 0 <= numbers.min() <= numbers.max() < pixels:
        raise IndexError(
            f"{owner} needs indices from 0 to {pixels - 1} for an output of size "
            f"{' x '.join(map(str, size[-axes:]))}, got {numbers.min()} to {numbers.max()}"
        )
    count = math.prod(images.shape[:2])
    offsets = (pixels * np.arange(count)).reshape((*images.shape[:2], 1, 1))
    positions = (as_images(numbers, axes) + offsets).reshape(-1)
    if are_ndarrays(numbers):
        out = place(images.reshape(-1), positions, (count * pixels,))
    else:
        out = sum_into_rows(images.reshape((-1, 1)), positions, count * pixels)
    return as_given(out.reshape((*images.shape[:2], *size)), shape, axes)


def _image_size(
    owner: object, shape: tuple[int, ...], geometry: Windows, output_size: Any, axes: int
) -> Pair:
    """Return the height and width of the images, by default the smallest ones."""
    smallest = geometry.spanned((1, *shape[-axes:])[-2:])
    if output_size is None:
        return smallest
    if isinstance(output_size, tuple | list):
        output_size = tuple(output_size)[-axes:]
    high, wide = (1, *sizes(str(owner), "output_size", output_size, axes))[-2:]
    limits = zip((high, wide), smallest, geometry.stride, strict=True)
    if any(abs(size - expected) >= step for size, expected, step in limits):
        raise ValueError(
            f"output_size of {owner} must differ by less than {geometry.stride[-axes:]} from "
            f"{smallest[-axes:]} for an input of shape {shape}, not be {output_size}"
        )
    return high, wide
