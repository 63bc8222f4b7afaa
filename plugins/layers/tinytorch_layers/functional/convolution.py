"""The ops of 2-D convolution: the convolution and its two adjoints, and their backward rules.

A convolution is linear in the images and linear in the weight. Its derivatives are the adjoints
of these two linear maps, and the derivatives of the adjoints are again among the three ops.

Each op is a product of the weight or of values with the windows of images. The adjoint with respect
to the images is a sum of convolutions too. For NumPy arrays, `unfolding` computes the products; for
other arrays, the functions here do. `conv_functions` has the functions for users.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import are_ndarrays, kernel

from tinytorch_layers.arguments import Pair
from tinytorch_layers.functional import unfolding
from tinytorch_layers.functional.windows import Windows

Array = Any
Shape = tuple[int, ...]


@op("conv2d")
@kernel("x", "weight", fixed=True)
def convolve(
    x: Array, weight: Array, bias: Array = None, windows: Any = None, groups: int = 1
) -> Array:
    """Return the convolution of images (N, C, H, W) with a weight (O, C / groups, kh, kw)."""
    size = windows.size("conv2d", x.shape[2:])
    return _multiply(x, _grouped(weight, groups), bias, windows, size)


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
@kernel("values", "weight", fixed=True)
def convolve_transposed(
    values: Array, weight: Array, image: Shape, windows: Any, groups: int
) -> Array:
    """Return the adjoint of `convolve` with respect to the images (a transposed convolution).

    With a stride of s, the windows that cover a pixel use every s-th element of the kernel. So the
    pixels at every s-th position are a convolution, with stride 1, of the values with a part of
    the kernel in reverse order.

    Args:
        values: one number for each output of the convolution, of shape (N, O, h, w).
        weight: the kernel, of shape (O, C / groups, kh, kw).
        image: the height and width of the images.
        windows, groups: those of the convolution.

    Returns:
        An array of shape (N, C, *image).
    """
    kernel = _grouped(weight, groups).swapaxes(1, 2)
    vertical, horizontal = (
        [_phase(pixel, *axis) for pixel in range(axis[1])]
        for axis in zip(
            windows.kernel, windows.stride, windows.dilation, windows.padding[::2], strict=True
        )
    )
    size = tuple(-(-n // step) for n, step in zip(image, windows.stride, strict=True))
    parts = []
    for rows, down, top in vertical:
        for columns, right, left in horizontal:
            part = kernel[..., rows, columns]
            geometry = Windows(part.shape[3:], (1, 1), (top, 0, left, 0), (down, right))
            parts.append(_multiply(values, part, None, geometry, size))
    return parts[0] if len(parts) == 1 else _interleave(parts, windows.stride, image)


def conv2d_input_values(grad: Array, weight: Array, windows: Windows, groups: int) -> Array:
    """dL/dvalues: the adjoint of an adjoint is the convolution itself."""
    return convolve(grad, weight, None, windows, groups)


def conv2d_input_weight(grad: Array, values: Array, windows: Windows, groups: int) -> Array:
    """dL/dweight: as for the convolution, with g as the images."""
    return correlate(values, grad, windows, groups)


@op("conv2d_weight")
@kernel("values", "x", fixed=True)
def correlate(values: Array, x: Array, windows: Any, groups: int) -> Array:
    """Return the adjoint of `convolve` with respect to the weight.

    Args:
        values: one number for each output of the convolution, of shape (N, O, h, w).
        x: the images, of shape (N, C, H, W).
        windows, groups: those of the convolution.

    Returns:
        An array of shape (O, C / groups, kh, kw).
    """
    return _accumulate(values, x, windows, groups).reshape(
        (values.shape[1], x.shape[1] // groups, *windows.kernel)
    )


def conv2d_weight_values(grad: Array, x: Array, windows: Windows, groups: int) -> Array:
    """dL/dvalues: the convolution with g as the weight."""
    return convolve(x, grad, None, windows, groups)


def conv2d_weight_x(
    grad: Array, values: Array, x_shape: Shape, windows: Windows, groups: int
) -> Array:
    """dL/dx: the transposed convolution with g as the weight."""
    return convolve_transposed(values, grad, x_shape[2:], windows, groups)


def _grouped(weight: Array, groups: int) -> Array:
    """Return (O, C / groups, kh, kw) as (groups, O / groups, C / groups, kh, kw)."""
    return weight.reshape((groups, len(weight) // groups, *weight.shape[1:]))


@lru_cache
def _phase(
    pixel: int, kernel: int, stride: int, dilation: int, padding: int
) -> tuple[slice, int, int]:
    """Describe, along one axis, the convolution whose result is every stride-th pixel.

    Args:
        pixel: the first of these pixels.
        kernel, stride, dilation, padding: those of the convolution that is transposed.

    Returns:
        The elements of the kernel, in reverse order, and the dilation and padding to use.
    """
    used = [k for k in range(kernel) if (pixel + padding - k * dilation) % stride == 0]
    if not used:
        return slice(0, 0), 1, 0
    step = stride // math.gcd(stride, dilation)
    elements = slice(used[-1], used[0] - 1 if used[0] else None, -step)
    return elements, step * dilation // stride, (used[-1] * dilation - pixel - padding) // stride


def _interleave(parts: list[Array], stride: Pair, image: Shape) -> Array:
    """Return images of which each part contains every stride-th pixel, from successive pixels."""
    count, channels, high, wide = parts[0].shape
    if are_ndarrays(*parts):  # one copy, in the memory order of the parts
        out = np.empty_like(parts[0], shape=(count, channels, *image))
        for i, part in enumerate(parts):
            pixels = out[:, :, i // stride[1] :: stride[0], i % stride[1] :: stride[1]]
            pixels[...] = part[:, :, : pixels.shape[2], : pixels.shape[3]]
        return out
    out = np.stack(parts, axis=-1).reshape((count, channels, high, wide, *stride))
    out = out.transpose((0, 1, 2, 4, 3, 5))
    out = out.reshape((count, channels, high * stride[0], wide * stride[1]))
    return out[:, :, : image[0], : image[1]]


def _multiply(x: Array, kernel: Array, bias: Array, windows: Windows, size: Pair) -> Array:
    """Return the products of windows with a kernel, plus `bias`; see `unfolding.multiply`."""
    shape = (len(x), kernel.shape[0] * kernel.shape[1], *size)
    if not kernel.size:
        return np.zeros_like(x, shape=shape, dtype=np.result_type(x.dtype, kernel.dtype))
    if are_ndarrays(x, kernel, bias):
        return unfolding.multiply(x, kernel, bias, windows, size)
    columns = _unfold(x, windows, size, len(kernel))
    out = np.einsum("gocij,ngciyjz->ngoyz", kernel, columns).reshape(shape)
    return out if bias is None else out + bias.reshape((-1, 1, 1))


def _accumulate(values: Array, x: Array, windows: Windows, groups: int) -> Array:
    """Return the sum of windows times `values`; see `unfolding.accumulate`."""
    if are_ndarrays(values, x):
        return unfolding.accumulate(values, x, windows, groups)
    count, outputs, *size = values.shape
    columns = _unfold(x, windows, values.shape[2:], groups)
    values = values.reshape((count, groups, outputs // groups, *size))
    return np.einsum("ngoyz,ngciyjz->gocij", values, columns)


def _unfold(x: Array, windows: Windows, size: Pair, groups: int) -> Array:
    """Return the windows of images, of shape (N, groups, C / groups, kh, h, kw, w)."""
    axes = zip(windows.kernel, windows.stride, windows.dilation, strict=True)
    rows, columns = (
        step * np.arange(count) + spacing * np.arange(kernel)[:, None] - before
        for count, (kernel, step, spacing), before in zip(
            size, axes, windows.padding[::2], strict=True
        )
    )
    count, channels, high, wide = x.shape
    # Indices outside of the images select the added zeros.
    rows = np.where((rows >= 0) & (rows < high), rows, high)
    columns = np.where((columns >= 0) & (columns < wide), columns, wide)
    x = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)))
    x = x.reshape((count, groups, channels // groups, high + 1, wide + 1))
    # With indices of one axis, because Dask does not support more.
    x = x[:, :, :, rows.ravel()][..., columns.ravel()]
    return x.reshape((count, groups, channels // groups, *rows.shape, *columns.shape))
