"""The convolution of images, and its two adjoints, each an op. With their rules.

A convolution is linear in the images and in the weight, so the derivatives of the three are again
made of the three. Each is a product of matrices, for BLAS, between the weight and the columns:
what the windows see, one column for each window, with the axes (C, kh, kw, h, w, N). They take
kh · kw times the memory of the images while a product is made, and are not kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op

from tinytorch_layers.arguments import Pair, shape_of
from tinytorch_layers.functional.affine import plus
from tinytorch_layers.functional.products import inner_product, product
from tinytorch_layers.functional.windows import Windows, batch_first, batch_last, windows

Array = Any
Shape = tuple[int, ...]


def conv2d(
    x: Array,
    weight: Array,
    bias: Array = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Array:
    """The convolution of images with a kernel, or rather, as is usual, their correlation.

    out[n, o, i, j] = bias[o] + Σ over c, k, l of weight[o, c, k, l] x[n, c, i + k, j + l]

    Args:
        x: images, a floating Tensor or array of shape (N, C, H, W).
        weight: of shape (O, C / groups, kh, kw).
        bias: of shape (O,), or None for none.
        stride: how far the kernel moves, an integer or two, for height and width.
        padding: how many zeros are put around the images: an integer, two, "valid" for none, or
            "same" for as many as keep their size.
        dilation: how far apart the places of the kernel lie, an integer or two.
        groups: in how many groups the channels are divided; each makes its own outputs.

    Returns:
        The shape (N, O, h, w).

    Raises:
        ValueError: the shapes do not fit each other or `groups`, or the kernel is larger than the
            padded images.
        TypeError: the images or the weight are not floating, or a number is no integer.

    >>> image = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv2d(image, np.ones((1, 1, 2, 2)))
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """
    images, kernels = shape_of("conv2d", x), shape_of("conv2d", weight)
    if len(images) != 4 or len(kernels) != 4:
        raise ValueError(
            f"conv2d takes images of shape (N, C, H, W) and a weight of shape (O, C, kh, kw), "
            f"and was given {images} and {kernels}"
        )
    if images[1] != groups * kernels[1] or kernels[0] % groups:
        raise ValueError(
            f"conv2d in {groups} groups of images {images} cannot have a weight {kernels}"
        )
    seen = windows("conv2d", kernels[2:], stride, padding, dilation)
    return convolve(x, weight, bias, seen, groups)


@op("conv2d")
def convolve(
    x: Array, weight: Array, bias: Array = None, windows: Any = None, groups: int = 1
) -> Array:
    """The convolution of images (N, C, H, W) with a weight (O, C / groups, kh, kw)."""
    size = windows.size("conv2d", x.shape[2:])
    out = product(_matrices(weight, groups), _columns(x, windows, size, groups), size[0]).reshape(
        (len(weight), *size, len(x))
    )
    return batch_first(out if bias is None else plus(out, bias.reshape((-1, 1, 1, 1))))


def conv2d_x(grad: Array, x_shape: Shape, weight: Array, windows: Windows, groups: int) -> Array:
    """Each pixel gets what the windows that saw it have, by the weight with which they did."""
    return convolve_back(grad, weight, x_shape[2:], windows, groups)


def conv2d_weight(grad: Array, x: Array, windows: Windows, groups: int) -> Array:
    """Each weight gets the pixels that it met, by the gradient of where they went."""
    return correlate(grad, x, windows, groups)


def conv2d_bias(grad: Array) -> Array:
    """The sum over images and places."""
    return grad.sum(axis=(0, 2, 3))


@op("conv2d_input")
def convolve_back(values: Array, weight: Array, image: Shape, windows: Any, groups: int) -> Array:
    """The adjoint of `convolve` in the images.

    Args:
        values: a number for each result of a convolution, (N, O, h, w).
        weight: of shape (O, C / groups, kh, kw).
        image: the height and width of the images.
        windows, groups: those of the convolution.

    Returns:
        The shape (N, C, *image).
    """
    size, count = values.shape[2:], len(values)
    channels = groups * weight.shape[1]
    columns = _matrices(weight, groups).mT @ _rows(values, groups)
    columns = columns.reshape((channels, *windows.kernel, *size, count))
    shape = (channels, *image, count)
    out = np.zeros_like(columns, shape=windows.padded(shape))
    for (i, j), seen in windows.slices(size):
        out[seen] += columns[:, i, j]
    return batch_first(windows.crop(out, shape))


def conv2d_input_values(grad: Array, weight: Array, windows: Windows, groups: int) -> Array:
    """The adjoint of the adjoint: the convolution itself."""
    return convolve(grad, weight, None, windows, groups)


def conv2d_input_weight(grad: Array, values: Array, windows: Windows, groups: int) -> Array:
    """As for the convolution, with the gradient in the place of the images."""
    return correlate(values, grad, windows, groups)


@op("conv2d_weight")
def correlate(values: Array, x: Array, windows: Any, groups: int) -> Array:
    """The adjoint of `convolve` in the weight.

    Args:
        values: a number for each result of a convolution, (N, O, h, w).
        x: the images, (N, C, H, W).
        windows, groups: those of the convolution.

    Returns:
        The shape (O, C / groups, kh, kw).
    """
    columns = _columns(x, windows, values.shape[2:], groups)
    # Few outputs by many windows: BLAS is twice as fast the other way round.
    weight = inner_product(columns, _rows(values, groups), values.shape[2]).mT
    return weight.reshape((values.shape[1], x.shape[1] // groups, *windows.kernel))


def conv2d_weight_values(grad: Array, x: Array, windows: Windows, groups: int) -> Array:
    """The convolution with the gradient in the place of the weight."""
    return convolve(x, grad, None, windows, groups)


def conv2d_weight_x(
    grad: Array, values: Array, x_shape: Shape, windows: Windows, groups: int
) -> Array:
    """The adjoint in the images, with the gradient in the place of the weight."""
    return convolve_back(values, grad, x_shape[2:], windows, groups)


def _matrices(weight: Array, groups: int) -> Array:
    """The weight as a matrix for each group: outputs by what one window sees."""
    outputs, channels, high, wide = weight.shape
    return weight.reshape((groups, outputs // groups, channels * high * wide))


def _rows(values: Array, groups: int) -> Array:
    """(N, O, h, w) as a matrix for each group: outputs by windows."""
    count, outputs, high, wide = values.shape
    return batch_last(values).reshape((groups, outputs // groups, high * wide * count))


def _columns(x: Array, windows: Windows, size: Pair, groups: int) -> Array:
    """What the windows see, as a matrix for each group: what one sees by windows."""
    padded = windows.pad(batch_last(x))
    channels, count = x.shape[1], len(x)
    columns = np.empty_like(padded, shape=(channels, *windows.kernel, *size, count))
    for (i, j), seen in windows.slices(size):
        columns[:, i, j] = padded[seen]
    places = channels // groups * windows.kernel[0] * windows.kernel[1]
    return columns.reshape((groups, places, size[0] * size[1] * count))
