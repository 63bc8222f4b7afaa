"""Rearranging pixels: between space and channels, and between images and their windows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_layers.arguments import input_shape, shape_error, sizes
from tinytorch_layers.functional.convolution import convolve_transposed
from tinytorch_layers.functional.padding import padded
from tinytorch_layers.functional.windows import as_given, as_images, checked_shape, windows
from tinytorch_modules.arguments import integer

Array = Any


def pixel_shuffle(x: Array, upscale_factor: int) -> Array:
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
    shape = input_shape("pixel_shuffle", x, floating=False)
    if len(shape) < 3 or shape[-3] % (r * r):
        raise shape_error("pixel_shuffle", f"(..., C · {r}², H, W)", shape)
    *batch, channels, high, wide = shape
    count, channels = math.prod(batch), channels // (r * r)
    x = x.reshape((count, channels, r, r, high, wide)).transpose((0, 1, 4, 2, 5, 3))
    return x.reshape((*batch, channels, high * r, wide * r))


def pixel_unshuffle(x: Array, downscale_factor: int) -> Array:
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
    shape = input_shape("pixel_unshuffle", x, floating=False)
    if len(shape) < 3 or shape[-2] % r or shape[-1] % r:
        raise shape_error("pixel_unshuffle", f"(..., C, H · {r}, W · {r})", shape)
    *batch, channels, high, wide = shape
    high, wide = high // r, wide // r
    x = x.reshape((math.prod(batch), channels, high, r, wide, r)).transpose((0, 1, 3, 5, 2, 4))
    return x.reshape((*batch, channels * r * r, high, wide))


def unfold(
    x: Array, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Array:
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
    shape = checked_shape("unfold", x, 2)
    geometry = windows("unfold", kernel_size, stride, padding, dilation)
    size = geometry.size("unfold", shape[-2:])
    top, bottom, left, right = geometry.padding
    images = padded("unfold", as_images(x, 2), ((left, right), (top, bottom)), "constant")
    parts = [images[(slice(None), *pixels)] for _, pixels in geometry.slices(size)]
    columns = (shape[-3] * len(parts), math.prod(size))
    return np.stack(parts, axis=2).reshape((*shape[:-3], *columns))


def fold(
    x: Array,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Array:
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
    shape = input_shape("fold", x)
    image = sizes("fold", "output_size", output_size)
    geometry = windows("fold", kernel_size, stride, padding, dilation)
    size, elements = geometry.size("fold", image), math.prod(geometry.kernel)
    if len(shape) not in (2, 3) or shape[-2] % elements or shape[-1] != math.prod(size):
        raise shape_error("fold", f"(N, C · {elements}, {math.prod(size)}), or without N", shape)
    # The transposed convolution with the unit vectors as kernels, one channel per group.
    channels = shape[-2] // elements
    kernel = np.eye(elements, dtype=x.dtype).reshape((elements, 1, *geometry.kernel))
    weight = np.concatenate([kernel] * channels)
    values = x.reshape((*(shape[:-2] or (1,)), shape[-2], *size))
    out = convolve_transposed(values, weight, image, geometry, channels)
    return as_given(out, (*shape[:-2], channels, *image), 2)
