"""The ops of 2-D convolution: the convolution and its two adjoints, and their backward rules.

A convolution is linear in the images and linear in the weight. Its derivatives are the adjoints
of these two linear maps, and the derivatives of the adjoints are again among the three ops.

Each op is a matrix product of the weight and the columns (im2col), which BLAS computes. The
columns have the axes (C, kh, kw, h, w, N) and need kh · kw times the memory of the images; they
are freed after the product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op

from tinytorch_layers.arguments import Pair, input_shape
from tinytorch_layers.functional.affine import add_bias
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
    """Return the convolution of images with a kernel (as usual in networks, a correlation).

    With stride 1, no padding, dilation 1 and one group:

        out[n, o, i, j] = bias[o] + Σ over c, k, l of weight[o, c, k, l] x[n, c, i + k, j + l]

    Args:
        x: images, a floating Tensor or array of shape (N, C, H, W).
        weight: the kernel, of shape (O, C / groups, kh, kw).
        bias: a Tensor or array of shape (O,), or None.
        stride: the step of the kernel, an integer, or two for height and width.
        padding: the number of zeros added at each border: an integer, two integers, "valid" for
            none, or "same" to keep the size of the images.
        dilation: the spacing of the kernel's elements, an integer or two.
        groups: the number of groups of channels; each output channel sees one group.

    Returns:
        A Tensor or array of shape (N, O, h, w).

    Raises:
        ValueError: the shapes do not match each other or `groups`, or the kernel is larger than
            the padded images.
        TypeError: the images or the weight are not floating, or another argument is not an
            integer.

    >>> image = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv2d(image, np.ones((1, 1, 2, 2)))
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """
    images, kernels = input_shape("conv2d", x), input_shape("conv2d", weight)
    if len(images) != 4 or len(kernels) != 4:
        raise ValueError(
            "conv2d expects images of shape (N, C, H, W) and a weight of shape (O, C, kh, kw), "
            f"got {images} and {kernels}"
        )
    if images[1] != groups * kernels[1] or kernels[0] % groups:
        raise ValueError(
            f"conv2d of images of shape {images} with groups={groups} cannot use a weight of "
            f"shape {kernels}; expected (O, C / groups, kh, kw) with O divisible by groups"
        )
    geometry = windows("conv2d", kernels[2:], stride, padding, dilation)
    return convolve(x, weight, bias, geometry, groups)


@op("conv2d")
def convolve(
    x: Array, weight: Array, bias: Array = None, windows: Any = None, groups: int = 1
) -> Array:
    """Return the convolution of images (N, C, H, W) with a weight (O, C / groups, kh, kw)."""
    size = windows.size("conv2d", x.shape[2:])
    out = product(_matrices(weight, groups), _columns(x, windows, size, groups), size[0]).reshape(
        (len(weight), *size, len(x))
    )
    return batch_first(out if bias is None else add_bias(out, bias.reshape((-1, 1, 1, 1))))


def conv2d_x(grad: Array, x_shape: Shape, weight: Array, windows: Windows, groups: int) -> Array:
    """dL/dx: the transposed convolution of g."""
    return convolve_transposed(grad, weight, x_shape[2:], windows, groups)


def conv2d_weight(grad: Array, x: Array, windows: Windows, groups: int) -> Array:
    """dL/dweight: the correlation of g with the images."""
    return correlate(grad, x, windows, groups)


def conv2d_bias(grad: Array) -> Array:
    """dL/dbias = the sum of g over images and positions."""
    return grad.sum(axis=(0, 2, 3))


@op("conv2d_input")
def convolve_transposed(
    values: Array, weight: Array, image: Shape, windows: Any, groups: int
) -> Array:
    """Return the adjoint of `convolve` with respect to the images (a transposed convolution).

    Args:
        values: one number for each output of the convolution, of shape (N, O, h, w).
        weight: the kernel, of shape (O, C / groups, kh, kw).
        image: the height and width of the images.
        windows, groups: those of the convolution.

    Returns:
        An array of shape (N, C, *image).
    """
    size, count = values.shape[2:], len(values)
    channels = groups * weight.shape[1]
    columns = _matrices(weight, groups).mT @ _rows(values, groups)
    columns = columns.reshape((channels, *windows.kernel, *size, count))
    shape = (channels, *image, count)
    out = np.zeros_like(columns, shape=windows.padded(shape))
    for (i, j), pixels in windows.slices(size):
        out[pixels] += columns[:, i, j]
    return batch_first(windows.crop(out, shape))


def conv2d_input_values(grad: Array, weight: Array, windows: Windows, groups: int) -> Array:
    """dL/dvalues: the adjoint of an adjoint is the convolution itself."""
    return convolve(grad, weight, None, windows, groups)


def conv2d_input_weight(grad: Array, values: Array, windows: Windows, groups: int) -> Array:
    """dL/dweight: as for the convolution, with g as the images."""
    return correlate(values, grad, windows, groups)


@op("conv2d_weight")
def correlate(values: Array, x: Array, windows: Any, groups: int) -> Array:
    """Return the adjoint of `convolve` with respect to the weight.

    Args:
        values: one number for each output of the convolution, of shape (N, O, h, w).
        x: the images, of shape (N, C, H, W).
        windows, groups: those of the convolution.

    Returns:
        An array of shape (O, C / groups, kh, kw).
    """
    columns = _columns(x, windows, values.shape[2:], groups)
    # With few outputs and many windows, BLAS is twice as fast in this order of the factors.
    weight = inner_product(columns, _rows(values, groups), values.shape[2]).mT
    return weight.reshape((values.shape[1], x.shape[1] // groups, *windows.kernel))


def conv2d_weight_values(grad: Array, x: Array, windows: Windows, groups: int) -> Array:
    """dL/dvalues: the convolution with g as the weight."""
    return convolve(x, grad, None, windows, groups)


def conv2d_weight_x(
    grad: Array, values: Array, x_shape: Shape, windows: Windows, groups: int
) -> Array:
    """dL/dx: the transposed convolution with g as the weight."""
    return convolve_transposed(values, grad, x_shape[2:], windows, groups)


def _matrices(weight: Array, groups: int) -> Array:
    """Return the weight as one matrix per group: (groups, O / groups, C / groups · kh · kw)."""
    outputs, channels, high, wide = weight.shape
    return weight.reshape((groups, outputs // groups, channels * high * wide))


def _rows(values: Array, groups: int) -> Array:
    """Return (N, O, h, w) as one matrix per group: (groups, O / groups, h · w · N)."""
    count, outputs, high, wide = values.shape
    return batch_last(values).reshape((groups, outputs // groups, high * wide * count))


def _columns(x: Array, windows: Windows, size: Pair, groups: int) -> Array:
    """Return the windows of images as columns: (groups, C / groups · kh · kw, h · w · N)."""
    padded = windows.pad(batch_last(x))
    channels, count = x.shape[1], len(x)
    columns = np.empty_like(padded, shape=(channels, *windows.kernel, *size, count))
    for (i, j), pixels in windows.slices(size):
        columns[:, i, j] = padded[pixels]
    length = channels // groups * windows.kernel[0] * windows.kernel[1]
    return columns.reshape((groups, length, size[0] * size[1] * count))
