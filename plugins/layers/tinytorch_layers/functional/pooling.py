"""The ops of pooling: maxima and means, their adjoints, and the backward rules.

`pool_functions` has the functions for users.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import are_ndarrays, kernel

from tinytorch_layers.functional.windows import (
    Slice,
    Windows,
    add_at,
    batch_first,
    batch_last,
    contiguous,
)

Array = Any
Shape = tuple[int, ...]


@op("max_pool2d")
@kernel("x", fixed=True)
def maxima(x: Array, windows: Any) -> Array:
    """Return the maximum of each window of each channel."""
    size = windows.size("max_pool2d", x.shape[2:])
    padded = windows.pad(batch_last(x), -math.inf)
    (_, first), *others = windows.slices(size)
    out = contiguous(padded[first])
    target = out if isinstance(out, np.ndarray) else None
    for _, pixels in others:
        out = np.maximum(out, padded[pixels], out=target)
    return batch_first(out)


def max_pool2d_x(grad: Array, out: Array, x: Array, windows: Windows) -> Array:
    """dL/dx: g of each window at the position of its maximum."""
    return unpool(grad, x, out, windows)


@op("max_pool2d_input")
@kernel("values", "x", "largest")
def unpool(values: Array, x: Array, largest: Array, windows: Any) -> Array:
    """Return images with the value of each window added at the position of its maximum.

    This is the adjoint of `select`.

    Args:
        values: one number for each window, of shape (N, C, h, w).
        x: the images, of shape (N, C, H, W).
        largest: the result of `maxima` for these images.
        windows: those of `maxima`.

    Returns:
        An array of the shape of x, zero wherever no window has its maximum.
    """
    values, images = batch_last(values), batch_last(x)
    out = np.zeros_like(images, dtype=values.dtype, shape=windows.padded(images.shape))
    for pixels, is_first in _first_maxima(images, batch_last(largest), windows):
        if windows.disjoint and are_ndarrays(values, is_first):
            np.multiply(values, is_first, out=out[pixels])
        else:
            out = add_at(out, pixels, values * is_first)
    return batch_first(windows.crop(out, images.shape))


def max_pool2d_input_values(grad: Array, x: Array, largest: Array, windows: Windows) -> Array:
    """dL/dvalues: for each window, g at the position of its maximum."""
    return select(grad, x, largest, windows)


@op("max_pool2d_pick")
@kernel("values", "x", "largest")
def select(values: Array, x: Array, largest: Array, windows: Any) -> Array:
    """Return, for each window, the value at the position of its maximum.

    Args:
        values: one number for each pixel, of shape (N, C, H, W).
        x: the images, of shape (N, C, H, W).
        largest: the result of `maxima` for these images.
        windows: those of `maxima`.

    Returns:
        An array of shape (N, C, h, w).
    """
    padded, largest = windows.pad(batch_last(values)), batch_last(largest)
    out = np.zeros_like(largest, dtype=values.dtype)
    for pixels, is_first in _first_maxima(batch_last(x), largest, windows):
        part = padded[pixels] * is_first
        out = np.add(out, part, out=out if are_ndarrays(out, part) else None)
    return batch_first(out)


def max_pool2d_pick_values(grad: Array, x: Array, largest: Array, windows: Windows) -> Array:
    """dL/dvalues: the adjoint of `select`."""
    return unpool(grad, x, largest, windows)


def _first_maxima(images: Array, largest: Array, windows: Windows) -> Iterator[tuple[Slice, Array]]:
    """Yield, for each position in the kernel, its slice and in which windows it is the maximum.

    In each window only the first maximum counts, or the first NaN.
    """
    padded = windows.pad(images, -math.inf)
    remaining = np.ones_like(largest, dtype=bool)
    # Whether another library's array contains NaN may not be known yet.
    has_nan = not are_ndarrays(largest) or np.isnan(largest.max(initial=-math.inf))
    for _, pixels in windows.slices(largest.shape[1:3]):
        is_first = padded[pixels] == largest
        if has_nan:
            is_first |= np.isnan(padded[pixels])
        is_first &= remaining
        remaining ^= is_first
        yield pixels, is_first


@op("avg_pool2d")
@kernel("x", fixed=True)
def average(x: Array, windows: Any) -> Array:
    """Return the mean of each window of each channel."""
    size = windows.size("avg_pool2d", x.shape[2:])
    padded = windows.pad(batch_last(x))
    (_, first), *others = windows.slices(size)
    out = contiguous(padded[first])
    target = out if isinstance(out, np.ndarray) else None
    for _, pixels in others:
        out = np.add(out, padded[pixels], out=target)
    return batch_first(out * (1 / math.prod(windows.kernel)))


def avg_pool2d_x(grad: Array, x_shape: Shape, windows: Windows) -> Array:
    """dL/dx: for each pixel, the sum of g / (kh · kw) over the windows that cover it."""
    return spread(grad, x_shape[2:], windows)


@op("avg_pool2d_input")
@kernel("values", fixed=True)
def spread(values: Array, image: Shape, windows: Any) -> Array:
    """Return images with the value of each window spread evenly over its pixels.

    This is the adjoint of `average`.

    Args:
        values: one number for each window, of shape (N, C, h, w).
        image: the height and width of the images.
        windows: those of `average`.

    Returns:
        An array of shape (N, C, *image).
    """
    values = batch_last(values) * (1 / math.prod(windows.kernel))
    shape = (values.shape[0], *image, values.shape[3])
    out = np.zeros_like(values, shape=windows.padded(shape))
    for _, pixels in windows.slices(values.shape[1:3]):
        out = add_at(out, pixels, values)
    return batch_first(windows.crop(out, shape))


def avg_pool2d_input_values(grad: Array, windows: Windows) -> Array:
    """dL/dvalues: the mean of g over each window."""
    return average(grad, windows)
