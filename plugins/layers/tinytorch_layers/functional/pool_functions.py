"""Pooling of images and sequences, as functions for users; sequences are images of height 1."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray, from_array, unwrap

from tinytorch_layers.functional.pooling import average, maxima, select
from tinytorch_layers.functional.windows import (
    Windows,
    as_given,
    as_images,
    checked_shape,
    windows,
)
from tinytorch_modules.arguments import flag, integer

Array = Any
Shape = tuple[int, ...]


def max_pool1d(
    x: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the maximum of each window of each channel of sequences; see `max_pool2d`.

    Args:
        x: sequences, a floating Tensor or array of shape (N, C, L) or (C, L).
        kernel_size, stride, padding, dilation, ceil_mode, return_indices: as for `max_pool2d`, for
            one axis.

    Returns:
        A Tensor or array of shape (N, C, l) or (C, l); with `return_indices` also the positions.

    Raises:
        ValueError, TypeError: see `max_pool2d`.

    >>> max_pool1d(np.array([[1.0, 4.0, 2.0, 3.0]]), 2)
    array([[4., 3.]])
    """
    check_flags("max_pool1d", ceil_mode=ceil_mode, return_indices=return_indices)
    geometry = pool_windows("max_pool1d", kernel_size, stride, padding, dilation, 1)
    return max_pool("max_pool1d", x, geometry, ceil_mode, return_indices, 1)


def max_pool2d(
    x: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the maximum of each window of each channel.

    If several values of a window are equal, the first in row-major order gets the gradient, as in
    PyTorch. If some are NaN, the first of these gets it.

    Args:
        x: images, a floating Tensor or array of shape (N, C, H, W) or (C, H, W).
        kernel_size: the size of the window, an integer, or two for height and width.
        stride: the step of the window; by default its size.
        padding: the number of pixels of −∞ added at each border, at most half of the window.
        dilation: the spacing of the window's elements.
        ceil_mode: whether windows may go beyond the padded images, if they begin before the end of
            the images.
        return_indices: whether to return the positions of the maxima, too.

    Returns:
        A Tensor or array of shape (N, C, h, w) or (C, h, w). With `return_indices`, a pair of it
        and of integers of the same shape: row · W + column of each maximum, for `max_unpool2d`.

    Raises:
        ValueError: the images have another number of axes, the window is larger than the padded
            images, or another argument is out of range.
        TypeError: the images are not floating, or another argument has the wrong type.

    >>> max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    >>> max_pool2d(np.arange(9.0).reshape(1, 3, 3), 2, ceil_mode=True, return_indices=True)[1]
    array([[[4, 5],
            [7, 8]]])
    """
    check_flags("max_pool2d", ceil_mode=ceil_mode, return_indices=return_indices)
    geometry = pool_windows("max_pool2d", kernel_size, stride, padding, dilation)
    return max_pool("max_pool2d", x, geometry, ceil_mode, return_indices, 2)


def avg_pool1d(
    x: AnyArray,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> AnyArray:
    """Return the mean of each window of each channel of sequences; see `avg_pool2d`.

    Args:
        x: sequences, a floating Tensor or array of shape (N, C, L) or (C, L).
        kernel_size, stride, padding, ceil_mode, count_include_pad: as for `avg_pool2d`, for one
            axis.

    Returns:
        A Tensor or array of shape (N, C, l) or (C, l).

    Raises:
        ValueError, TypeError: see `max_pool2d`.

    >>> avg_pool1d(np.array([[1.0, 4.0, 2.0, 3.0]]), 2)
    array([[2.5, 2.5]])
    """
    check_flags("avg_pool1d", ceil_mode=ceil_mode, count_include_pad=count_include_pad)
    geometry = pool_windows("avg_pool1d", kernel_size, stride, padding, axes=1)
    return avg_pool("avg_pool1d", x, geometry, ceil_mode, count_include_pad, None, 1)


def avg_pool2d(
    x: AnyArray,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> AnyArray:
    """Return the mean of each window of each channel.

    Args:
        x: images, a floating Tensor or array of shape (N, C, H, W) or (C, H, W).
        kernel_size: the size of the window, an integer, or two for height and width.
        stride: the step of the window; by default its size.
        padding: the number of zeros added at each border, at most half of the window.
        ceil_mode: whether windows may go beyond the padded images, if they begin before the end of
            the images. What is beyond them does not count.
        count_include_pad: whether the zeros of the padding count.
        divisor_override: the number to divide the sum of a window by, instead of its size.

    Returns:
        A Tensor or array of shape (N, C, h, w) or (C, h, w).

    Raises:
        ValueError, TypeError: see `max_pool2d`.

    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """
    check_flags("avg_pool2d", ceil_mode=ceil_mode, count_include_pad=count_include_pad)
    geometry = pool_windows("avg_pool2d", kernel_size, stride, padding)
    divisor = checked_divisor("avg_pool2d", divisor_override)
    return avg_pool("avg_pool2d", x, geometry, ceil_mode, count_include_pad, divisor, 2)


def pool_windows(
    owner: str,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    axes: int = 2,
) -> Windows:
    """Return Windows for the arguments of a pooling layer; see `windows`."""
    found = windows(owner, kernel, kernel if stride is None else stride, padding, dilation, axes)
    kernel, sides = found.kernel[-axes:], found.padding[::2][-axes:]
    if any(2 * side > size for side, size in zip(sides, kernel, strict=True)):
        # Otherwise a window could consist of padding only.
        raise ValueError(
            f"padding of {owner} must be at most half of the kernel, "
            f"{' x '.join(map(str, kernel))}, not {' x '.join(map(str, sides))}"
        )
    return found


def check_flags(owner: str, **flags: Any) -> None:
    """Raise TypeError if an argument is not True or False."""
    for name, value in flags.items():
        flag(owner, name, value)


def checked_divisor(owner: str, divisor: Any) -> int | None:
    """Return the argument `divisor_override`, an integer other than 0, or None."""
    if divisor is None:
        return None
    checked = integer(owner, "divisor_override", divisor, -(2**62))
    if checked == 0:
        raise ValueError(f"divisor_override of {owner} must not be 0")
    return checked


def max_pool(
    owner: object, x: Array, geometry: Windows, ceil_mode: bool, return_indices: bool, axes: int
) -> Any:
    """Return the maxima of windows of images or sequences, and their positions on request.

    Raises:
        ValueError: x has another number of axes, or a window is larger than the padded images.
        TypeError: x is not floating.
    """
    images, geometry = _prepared(owner, x, geometry, ceil_mode, axes)
    numbers = pixel_numbers(images) if return_indices else None
    return largest_and_numbers(images, geometry, numbers, x.shape, axes)


def pixel_numbers(images: Array) -> Array:
    """Return row · W + column of each pixel, of shape (H, W)."""
    high, wide = images.shape[2:]
    return np.arange(high * wide, dtype=np.int64).reshape((high, wide))


def largest_and_numbers(
    images: Array, geometry: Windows, numbers: Array | None, shape: Shape, axes: int
) -> Any:
    """Return the maxima of windows of images (N, C, H, W), and their numbers.

    Args:
        images: the images.
        geometry: the windows.
        numbers: an integer for each pixel, of shape (H, W), or None to return only the maxima.
        shape: the shape of the input that `as_images` has converted.
        axes: 2 for images, 1 for sequences.
    """
    largest = maxima(images, geometry)
    out = as_given(largest, shape, axes)
    if numbers is None:
        return out
    values = np.broadcast_to(numbers, images.shape)
    found = as_given(select(values, unwrap(images), unwrap(largest), geometry), shape, axes)
    return out, found if out is unwrap(out) else from_array(type(out), found)


def avg_pool(
    owner: object,
    x: Array,
    geometry: Windows,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
    axes: int,
) -> Array:
    """Return the means of windows of images or sequences.

    Raises:
        ValueError: x has another number of axes, or a window is larger than the padded images.
        TypeError: x is not floating.
    """
    images, used = _prepared(owner, x, geometry, ceil_mode, axes)
    out = average(images, used)
    if divisor is not None:
        out = out * (math.prod(geometry.kernel) / divisor)
    elif used != geometry or not (count_include_pad or geometry.padding == (0, 0, 0, 0)):
        shares = _shares(geometry, used, images.shape[2:], count_include_pad)
        out = out * shares.astype(out.dtype)
    return as_given(out, x.shape, axes)


def _prepared(
    owner: object, x: Array, geometry: Windows, ceil_mode: bool, axes: int
) -> tuple[Array, Windows]:
    """Return x as images, and the windows to use."""
    shape = checked_shape(owner, x, axes)
    images = as_images(x, axes)
    if ceil_mode:
        geometry = geometry.rounded_up(images.shape[2:])
    geometry.size(owner, shape[-axes:])
    return images, geometry


@lru_cache
def _shares(geometry: Windows, used: Windows, image: Shape, with_padding: bool) -> Array:
    """Return the size of a window divided by the number of its pixels that count, for each window.

    Args:
        geometry: the windows with the padding that the user passed.
        used: the windows with the padding for `ceil_mode`, which does not count.
        image: the height and width of the images.
        with_padding: whether the padding of `geometry` counts.
    """
    shares = []
    sides = geometry.padding[::2], geometry.padding[1::2]
    axes = zip(used.size("", image), image, used.kernel, used.stride, *sides, strict=True)
    for count, length, kernel, step, before, after in axes:
        starts = np.arange(count) * step - before
        low, high = (-before, length + after) if with_padding else (0, length)
        pixels = np.minimum(starts + kernel, high) - np.maximum(starts, low)
        shares.append(kernel / pixels)
    return shares[0][:, None] * shares[1]
