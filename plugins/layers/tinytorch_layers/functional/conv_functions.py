"""Convolutions of images and sequences, as functions for users.

Each runs one op of `convolution`; sequences are images of height 1.
"""

from __future__ import annotations

from typing import Any

from tinytorch_core.extend import AnyArray

from tinytorch_layers.arguments import input_shape
from tinytorch_layers.functional.convolution import convolve
from tinytorch_layers.functional.windows import (
    Windows,
    as_given,
    as_images,
    checked_shape,
    windows,
)
from tinytorch_modules.arguments import integer

Array = Any
Shape = tuple[int, ...]


def conv1d(
    x: AnyArray,
    weight: Array,
    bias: Array = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> AnyArray:
    """Return the convolution of sequences with a kernel (as usual in networks, a correlation).

    Args:
        x: sequences, a floating Tensor or array of shape (N, C, L) or (C, L).
        weight: the kernel, of shape (O, C / groups, k).
        bias, stride, padding, dilation, groups: as for `conv2d`, for one axis.

    Returns:
        A Tensor or array of shape (N, O, l) or (O, l).

    Raises:
        ValueError, TypeError: see `conv2d`.

    >>> import numpy as np
    >>> conv1d(np.array([[1.0, 2.0, 4.0]]), np.array([[[-1.0, 1.0]]]))
    array([[1., 2.]])
    """
    return _convolution("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(
    x: AnyArray,
    weight: Array,
    bias: Array = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> AnyArray:
    """Return the convolution of images with a kernel (as usual in networks, a correlation).

    With stride 1, no padding, dilation 1 and one group:

        out[n, o, i, j] = bias[o] + Σ over c, k, l of weight[o, c, k, l] x[n, c, i + k, j + l]

    Args:
        x: images, a floating Tensor or array of shape (N, C, H, W) or (C, H, W).
        weight: the kernel, of shape (O, C / groups, kh, kw).
        bias: a Tensor or array of shape (O,), or None.
        stride: the step of the kernel, an integer, or two for height and width.
        padding: the number of zeros added at each border: an integer, two integers, "valid" for
            none, or "same" to keep the size of the images.
        dilation: the spacing of the kernel's elements, an integer or two.
        groups: the number of groups of channels; each output channel sees one group.

    Returns:
        A Tensor or array of shape (N, O, h, w) or (O, h, w).

    Raises:
        ValueError: the shapes do not match each other or `groups`, or the kernel is larger than
            the padded images.
        TypeError: the images or the weight are not floating, or another argument is not an
            integer.

    >>> import numpy as np
    >>> image = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv2d(image, np.ones((1, 1, 2, 2)))
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """
    return _convolution("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


def _convolution(
    name: str,
    axes: int,
    x: Array,
    weight: Array,
    bias: Array,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Array:
    kernel, groups = checked_kernel(name, x, weight, groups, axes)
    geometry = windows(name, kernel, stride, padding, dilation, axes)
    geometry.size(name, x.shape[-axes:])
    return convolved(x, weight, bias, geometry, groups, axes)


def checked_kernel(
    name: str, x: Array, weight: Array, groups: int, axes: int, transposed: bool = False
) -> tuple[Shape, int]:
    """Return the size of the kernel and the number of groups after checking them.

    Args:
        name: the function, for the errors.
        x: the images or sequences.
        weight: the kernel, of shape (O, C / groups, ...), or (C, O / groups, ...) if `transposed`.
        groups: the number of groups.
        axes: 2 for images, 1 for sequences.
        transposed: whether the convolution is transposed.

    Raises:
        TypeError: x or the weight is not a floating Tensor or array, or `groups` not an integer.
        ValueError: x has the wrong number of axes, or the shapes do not match each other or
            `groups`.
    """
    images, kernels = checked_shape(name, x, axes), input_shape(name, weight)
    groups = integer(name, "groups", groups)
    fits = len(kernels) == axes + 2 and not kernels[0] % groups
    if not fits or images[-axes - 1] != (kernels[0] if transposed else groups * kernels[1]):
        first, second = "CO" if transposed else "OC"
        layout = f"({first}, {second} / groups, {'k' if axes == 1 else 'kh, kw'})"
        raise ValueError(
            f"{name} of an input of shape {images} with groups={groups} cannot use a weight of "
            f"shape {kernels}; expected {layout} with {first} divisible by groups"
        )
    return kernels[2:], groups


def convolved(
    x: Array, weight: Array, bias: Array, geometry: Windows, groups: int, axes: int
) -> Array:
    """Return the convolution of checked images or sequences, with or without a batch axis."""
    shape = x.shape
    if len(shape) == 4:
        return convolve(x, weight, bias, geometry, groups)
    out = convolve(as_images(x, axes), as_images(weight, axes), bias, geometry, groups)
    return as_given(out, shape, axes)
