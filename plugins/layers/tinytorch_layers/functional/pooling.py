"""The largest or the mean of what each window sees, and the ops behind their derivatives."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinytorch_core import op

from tinytorch_layers.arguments import shape_of
from tinytorch_layers.functional.windows import Slice, Windows, batch_first, batch_last, windows

Array = Any
Shape = tuple[int, ...]


def max_pool2d(
    x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1
) -> Array:
    """The largest of what each window sees of each channel.

    Of equal ones the first has the gradient, row by row, as in PyTorch.

    Args:
        x: images, a floating Tensor or array of shape (N, C, H, W).
        kernel_size: the size of the window, an integer or two, for height and width.
        stride: how far the window moves; by default its size.
        padding: how much of −∞ is put around the images, at most half of the window.
        dilation: how far apart the places of the window lie.

    Returns:
        The shape (N, C, h, w).

    Raises:
        ValueError: the images have other axes, the window is larger than they are when padded,
            or one of the numbers is too small or large.
        TypeError: the images are not floating, or one of the numbers is no integer.

    >>> max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """
    _check_axes("max_pool2d", x)
    return maxima(x, pool_windows("max_pool2d", kernel_size, stride, padding, dilation))


def avg_pool2d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Array:
    """The mean of what each window sees of each channel, zeros of the padding included.

    Args:
        x: images, a floating Tensor or array of shape (N, C, H, W).
        kernel_size: the size of the window, an integer or two, for height and width.
        stride: how far the window moves; by default its size.
        padding: how many zeros are put around the images, at most half of the window.

    Returns:
        The shape (N, C, h, w).

    Raises:
        ValueError, TypeError: see `max_pool2d`.

    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """
    _check_axes("avg_pool2d", x)
    return average(x, pool_windows("avg_pool2d", kernel_size, stride, padding))


def pool_windows(
    owner: str, kernel: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1
) -> Windows:
    """The windows of a pooling layer from what a person writes; see `windows`."""
    made = windows(owner, kernel, kernel if stride is None else stride, padding, dilation)
    (high, wide), (top, _, left, _) = made.kernel, made.padding
    if 2 * top > high or 2 * left > wide:
        raise ValueError(
            f"padding of {owner} must be at most half of the kernel, {high} x {wide}, and is "
            f"{top} x {left}: a window would see nothing else"
        )
    return made


def _check_axes(function: str, x: Array) -> None:
    shape = shape_of(function, x)
    if len(shape) != 4:
        raise ValueError(f"{function} takes images of shape (N, C, H, W), and was given {shape}")


@op("max_pool2d")
def maxima(x: Array, windows: Any) -> Array:
    """The largest of what each window sees."""
    size = windows.size("max_pool2d", x.shape[2:])
    padded = windows.pad(batch_last(x), -math.inf)
    (_, first), *others = windows.slices(size)
    out = padded[first].copy(order="K")
    for _, seen in others:
        np.maximum(out, padded[seen], out=out)
    return batch_first(out)


def max_pool2d_x(grad: Array, out: Array, x: Array, windows: Windows) -> Array:
    """The place of the largest has the gradient of its window."""
    return unpool(grad, x, out, windows)


@op("max_pool2d_input")
def unpool(values: Array, x: Array, largest: Array, windows: Any) -> Array:
    """Puts each window's value to where the window has its largest, zeros elsewhere.

    Args:
        values: a number for each window, (N, C, h, w).
        x: the images, (N, C, H, W).
        largest: what `maxima` makes of them.
        windows: those of `maxima`.

    Returns:
        The shape of x.
    """
    values, images = batch_last(values), batch_last(x)
    out = np.zeros_like(images, dtype=values.dtype, shape=windows.padded(images.shape))
    for seen, hit in _first_hits(images, batch_last(largest), windows):
        if windows.apart:
            np.multiply(values, hit, out=out[seen])
        else:
            out[seen] += values * hit
    return batch_first(windows.crop(out, images.shape))


def max_pool2d_input_values(grad: Array, x: Array, largest: Array, windows: Windows) -> Array:
    """Each window takes what came to where it has its largest."""
    return pick(grad, x, largest, windows)


@op("max_pool2d_pick")
def pick(values: Array, x: Array, largest: Array, windows: Any) -> Array:
    """Takes for each window the value from where the window has its largest.

    Args:
        values: a number for each pixel, (N, C, H, W).
        x: the images, (N, C, H, W).
        largest: what `maxima` makes of them.
        windows: those of `maxima`.

    Returns:
        The shape (N, C, h, w).
    """
    padded, largest = windows.pad(batch_last(values)), batch_last(largest)
    out = np.zeros_like(largest, dtype=values.dtype)
    for seen, hit in _first_hits(batch_last(x), largest, windows):
        out += padded[seen] * hit
    return batch_first(out)


def max_pool2d_pick_values(grad: Array, x: Array, largest: Array, windows: Windows) -> Array:
    """The adjoint of picking is putting."""
    return unpool(grad, x, largest, windows)


def _first_hits(images: Array, largest: Array, windows: Windows) -> Iterator[tuple[Slice, Array]]:
    """For each place in the kernel: its slice, and in which windows it is the first largest."""
    padded = windows.pad(images, -math.inf)
    free = np.ones_like(largest, dtype=bool)
    for _, seen in windows.slices(largest.shape[1:3]):
        hit = padded[seen] == largest
        hit &= free
        free ^= hit
        yield seen, hit


@op("avg_pool2d")
def average(x: Array, windows: Any) -> Array:
    """The mean of what each window sees."""
    size = windows.size("avg_pool2d", x.shape[2:])
    padded = windows.pad(batch_last(x))
    (_, first), *others = windows.slices(size)
    out = padded[first].copy(order="K")
    for _, seen in others:
        out += padded[seen]
    return batch_first(out * (1 / math.prod(windows.kernel)))


def avg_pool2d_x(grad: Array, x_shape: Shape, windows: Windows) -> Array:
    """Each pixel has its share of the gradients of the windows that saw it."""
    return spread(grad, x_shape[2:], windows)


@op("avg_pool2d_input")
def spread(values: Array, image: Shape, windows: Any) -> Array:
    """Spreads each window's value evenly over what it sees: the adjoint of `average`.

    Args:
        values: a number for each window, (N, C, h, w).
        image: the height and width of the images.
        windows: those of `average`.

    Returns:
        The shape (N, C, *image).
    """
    values = batch_last(values) * (1 / math.prod(windows.kernel))
    shape = (values.shape[0], *image, values.shape[3])
    out = np.zeros_like(values, shape=windows.padded(shape))
    for _, seen in windows.slices(values.shape[1:3]):
        out[seen] += values
    return batch_first(windows.crop(out, shape))


def avg_pool2d_input_values(grad: Array, windows: Windows) -> Array:
    """The adjoint of spreading is the mean."""
    return average(grad, windows)
