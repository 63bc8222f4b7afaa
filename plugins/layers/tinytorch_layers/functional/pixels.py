"""Rearranging pixels: between space and channels, and between images and their windows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray

from tinytorch_layers.arguments import input_shape, shape_error, sizes
from tinytorch_layers.functional.convolution import convolve_transposed
from tinytorch_layers.functional.padding import padded
from tinytorch_layers.functional.windows import Windows, as_given, as_images, checked_shape, windows
from tinytorch_modules.arguments import integer

Array = Any


def pixel_shuffle(x: AnyArray, upscale_factor: int) -> AnyArray:
    """Return images with r² channels rearranged into blocks of r x r pixels.

    Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", 2016, arXiv:1609.05158.

    Args:
        x: a Tensor or array of shape (..., C · r², H, W).
        upscale_factor: r.

    Returns:
        A Tensor or array of shape (..., C, H · r, W · r).

    Raises:
        ValueError: the number of channels is not a multiple of r², or r is not positive.
        TypeError: x is not a Tensor or an array, or r is not an integer.

    >>> pixel_shuffle(np.arange(4.0).reshape(4, 1, 1), 2)
    array([[[0., 1.],
            [2., 3.]]])
    """
    r = integer("pixel_shuffle", "upscale_factor", upscale_factor)
    return shuffled("pixel_shuffle", x, r)


def pixel_unshuffle(x: AnyArray, downscale_factor: int) -> AnyArray:
    """Return images with blocks of r x r pixels rearranged into r² channels.

    This is the inverse of `pixel_shuffle`.

    Args:
        x: a Tensor or array of shape (..., C, H · r, W · r).
        downscale_factor: r.

    Returns:
        A Tensor or array of shape (..., C · r², H, W).

    Raises:
        ValueError: the height or width is not a multiple of r, or r is not positive.
        TypeError: x is not a Tensor or an array, or r is not an integer.

    >>> pixel_unshuffle(np.arange(4.0).reshape(1, 2, 2), 2).ravel()
    array([0., 1., 2., 3.])
    """
    r = integer("pixel_unshuffle", "downscale_factor", downscale_factor)
    return unshuffled("pixel_unshuffle", x, r)


def channel_shuffle(x: AnyArray, groups: int) -> AnyArray:
    """Return images or sequences with the channels of several groups in turn.

    Zhang et al., "ShuffleNet: an extremely efficient convolutional neural network for mobile
    devices", 2018, arXiv:1707.01083.

    Args:
        x: a Tensor or array of shape (N, C, ...).
        groups: the number of groups of successive channels.

    Returns:
        A Tensor or array of the shape of x: the first channel of each group, then the second of
        each group, and so on.

    Raises:
        ValueError: `groups` does not divide the number of channels, or is not positive.
        TypeError: x is not a Tensor or an array, or `groups` is not an integer.

    >>> channel_shuffle(np.arange(6).reshape(1, 6), 2)
    array([[0, 3, 1, 4, 2, 5]])
    """
    groups = integer("channel_shuffle", "groups", groups)
    return mixed("channel_shuffle", x, groups)


def unfold(
    x: AnyArray, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> AnyArray:
    """Return the windows of images as columns.

    Args:
        x: images, a floating Tensor or array of shape (N, C, H, W) or (C, H, W).
        kernel_size, dilation, padding, stride: as for `conv2d`.

    Returns:
        A Tensor or array of shape (N, C · kh · kw, h · w) or (C · kh · kw, h · w).

    Raises:
        ValueError, TypeError: see `conv2d`.

    >>> unfold(np.arange(6.0).reshape(1, 2, 3), (2, 2))
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]])
    """
    geometry = windows("unfold", kernel_size, stride, padding, dilation)
    return unfolded("unfold", x, geometry)


def fold(
    x: AnyArray,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> AnyArray:
    """Return images with columns added to their windows: the adjoint of `unfold`.

    Args:
        x: a floating Tensor or array of shape (N, C · kh · kw, h · w) or (C · kh · kw, h · w).
        output_size: the size of the images, an integer, or two for height and width.
        kernel_size, dilation, padding, stride: as for `conv2d`.

    Returns:
        A Tensor or array of shape (N, C, H, W) or (C, H, W).

    Raises:
        ValueError: the shape does not match the windows of such images, or an argument is out of
            range.
        TypeError: x is not floating, or an argument has the wrong type.

    >>> fold(np.ones((4, 2)), (2, 3), (2, 2))
    array([[[1., 2., 1.],
            [1., 2., 1.]]])
    """
    image = sizes("fold", "output_size", output_size)
    geometry = windows("fold", kernel_size, stride, padding, dilation)
    return folded("fold", x, image, geometry)


def shuffled(owner: object, x: Array, r: int) -> Array:
    """Return the result of `pixel_shuffle` for a checked factor."""
    shape = input_shape(owner, x, floating=False)
    if len(shape) < 3 or shape[-3] % (r * r):
        raise shape_error(owner, f"(..., C · {r}², H, W)", shape)
    *batch, channels, high, wide = shape
    count, channels = math.prod(batch), channels // (r * r)
    x = x.reshape((count, channels, r, r, high, wide)).transpose((0, 1, 4, 2, 5, 3))
    return x.reshape((*batch, channels, high * r, wide * r))


def unshuffled(owner: object, x: Array, r: int) -> Array:
    """Return the result of `pixel_unshuffle` for a checked factor."""
    shape = input_shape(owner, x, floating=False)
    if len(shape) < 3 or shape[-2] % r or shape[-1] % r:
        raise shape_error(owner, f"(..., C, H · {r}, W · {r})", shape)
    *batch, channels, high, wide = shape
    high, wide = high // r, wide // r
    x = x.reshape((math.prod(batch), channels, high, r, wide, r)).transpose((0, 1, 3, 5, 2, 4))
    return x.reshape((*batch, channels * r * r, high, wide))


def mixed(owner: object, x: Array, groups: int) -> Array:
    """Return the result of `channel_shuffle` for a checked number of groups."""
    shape = input_shape(owner, x, floating=False)
    if len(shape) < 2 or shape[1] % groups:
        raise shape_error(owner, f"(N, C · {groups}, ...)", shape)
    x = x.reshape((shape[0], groups, shape[1] // groups, *shape[2:]))
    return x.swapaxes(1, 2).reshape(shape)


def unfolded(owner: object, x: Array, geometry: Windows) -> Array:
    """Return the result of `unfold` for checked windows."""
    shape = checked_shape(owner, x, 2)
    size = geometry.size(owner, shape[-2:])
    top, bottom, left, right = geometry.padding
    images = padded(owner, as_images(x, 2), ((left, right), (top, bottom)), "constant")
    parts = [images[(slice(None), *pixels)] for _, pixels in geometry.slices(size)]
    columns = (shape[-3] * len(parts), math.prod(size))
    return np.stack(parts, axis=2).reshape((*shape[:-3], *columns))


def folded(owner: object, x: Array, image: tuple[int, ...], geometry: Windows) -> Array:
    """Return the result of `fold` for checked windows and a checked size of the images."""
    shape = input_shape(owner, x)
    size, elements = geometry.size(owner, image), math.prod(geometry.kernel)
    if len(shape) not in (2, 3) or shape[-2] % elements or shape[-1] != math.prod(size):
        raise shape_error(owner, f"(N, C · {elements}, {math.prod(size)}), or without N", shape)
    # The transposed convolution with the unit vectors as kernels, one channel per group.
    channels = shape[-2] // elements
    kernel = np.eye(elements, dtype=x.dtype).reshape((elements, 1, *geometry.kernel))
    weight = np.concatenate([kernel] * channels)
    values = x.reshape((*(shape[:-2] or (1,)), shape[-2], *size))
    out = convolve_transposed(values, weight, image, geometry, channels)
    return as_given(out, (*shape[:-2], channels, *image), 2)
