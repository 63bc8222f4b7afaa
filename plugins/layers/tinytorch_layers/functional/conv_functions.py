"""Convolutions of images and sequences, and transposed convolutions, as functions for users.

Each runs one op of `convolution`; sequences are images of height 1. A transposed convolution is the
adjoint of a convolution with respect to its images, so it runs the same op as the gradient.
"""

from __future__ import annotations

from typing import Any

from tinytorch_layers.arguments import input_shape
from tinytorch_layers.functional.convolution import convolve, convolve_transposed
from tinytorch_layers.functional.windows import (
    Windows,
    as_given,
    as_images,
    checked_shape,
    pair,
    windows,
)

Array = Any
Shape = tuple[int, ...]


def conv1d(
    x: Array,
    weight: Array,
    bias: Array = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Array:
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


def conv_transpose1d(
    x: Array,
    weight: Array,
    bias: Array = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Array:
    """Return the transposed convolution of sequences; see `conv_transpose2d`.

    Args:
        x: sequences, a floating Tensor or array of shape (N, C, L) or (C, L).
        weight: the kernel, of shape (C, O / groups, k).
        bias, stride, padding, output_padding, groups, dilation: as for `conv_transpose2d`, for one
            axis.

    Returns:
        A Tensor or array of shape (N, O, l) or (O, l).

    Raises:
        ValueError, TypeError: see `conv_transpose2d`.

    >>> import numpy as np
    >>> conv_transpose1d(np.array([[1.0, 2.0]]), np.array([[[1.0, 0.5]]]), stride=2)
    array([[1. , 0.5, 2. , 1. ]])
    """
    return _transposed(
        "conv_transpose1d", 1, x, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Array = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Array:
    """Return the transposed convolution of images with a kernel.

    Each pixel, times the kernel, is added to a window of the output. This is the gradient of
    `conv2d` with respect to its images, if x is the gradient of its result.

    Args:
        x: images, a floating Tensor or array of shape (N, C, H, W) or (C, H, W).
        weight: the kernel, of shape (C, O / groups, kh, kw).
        bias: a Tensor or array of shape (O,), or None.
        stride: the distance of the windows of neighbouring pixels, an integer, or two for height
            and width.
        padding: the number of pixels left out at each border of the output, an integer or two.
        output_padding: the number of pixels added at the bottom and right of the output, an integer
            or two. Convolutions with a stride give images of different sizes the same size; this
            selects one of them.
        groups: the number of groups of channels; each output channel sees one group.
        dilation: the spacing of the kernel's elements, an integer or two.

    Returns:
        A Tensor or array of shape (N, O, h, w) or (O, h, w), with
        h = (H − 1) · stride − 2 · padding + dilation · (kh − 1) + output_padding + 1.

    Raises:
        ValueError: the shapes do not match each other or `groups`, `output_padding` is neither less
            than the stride nor less than the dilation, or the output would be empty.
        TypeError: the images or the weight are not floating, or another argument is not an
            integer.

    >>> import numpy as np
    >>> conv_transpose2d(np.array([[[1.0, 2.0]]]), np.ones((1, 1, 2, 2)))
    array([[[1., 3., 2.],
            [1., 3., 2.]]])
    """
    return _transposed(
        "conv_transpose2d", 2, x, weight, bias, stride, padding, output_padding, groups, dilation
    )


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
    images, kernels = checked_shape(name, x, axes), input_shape(name, weight)
    expected = f"(O, C / groups, {_KERNEL[axes]}) with O divisible by groups"
    if len(kernels) != axes + 2 or images[-axes - 1] != groups * kernels[1] or kernels[0] % groups:
        raise _weight_error(name, images, kernels, groups, expected)
    geometry = windows(name, kernels[2:], stride, padding, dilation, axes)
    geometry.size(name, images[-axes:])
    return convolved(x, weight, bias, geometry, groups, axes)


def convolved(
    x: Array, weight: Array, bias: Array, geometry: Windows, groups: int, axes: int
) -> Array:
    """Return the convolution of checked images or sequences, with or without a batch axis."""
    shape = x.shape
    if len(shape) == 4:
        return convolve(x, weight, bias, geometry, groups)
    out = convolve(as_images(x, axes), as_images(weight, axes), bias, geometry, groups)
    return as_given(out, shape, axes)


def _transposed(
    name: str,
    axes: int,
    x: Array,
    weight: Array,
    bias: Array,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Array:
    images, kernels = checked_shape(name, x, axes), input_shape(name, weight)
    channels = images[-axes - 1]
    if len(kernels) != axes + 2 or channels != kernels[0] or channels % groups:
        expected = f"(C, O / groups, {_KERNEL[axes]}) with C divisible by groups"
        raise _weight_error(name, images, kernels, groups, expected)
    geometry = transposed_windows(
        name, kernels[2:], stride, padding, output_padding, dilation, axes
    )
    return convolved_transposed(name, x, weight, bias, geometry, groups, axes)


def transposed_windows(
    owner: str,
    kernel: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    axes: int,
) -> Windows:
    """Return Windows for the arguments of a transposed convolution.

    They are those of the convolution that it is the adjoint of, with less padding at the end by
    `output_padding`.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.
    """
    stride, dilation = (
        pair(owner, name, value, axes)
        for name, value in (("stride", stride), ("dilation", dilation))
    )
    before = pair(owner, "padding", padding, axes, 0)
    added = pair(owner, "output_padding", output_padding, axes, 0)
    for number, step, spacing in zip(added, stride, dilation, strict=True):
        if number >= max(step, spacing):
            raise ValueError(
                f"output_padding of {owner} must be less than the stride or the dilation, but "
                f"{number} is not less than {step} or {spacing}"
            )
    (top, left), (down, right) = before, added
    sides = (top, top - down, left, left - right)
    return Windows(pair(owner, "kernel_size", kernel, axes), stride, sides, dilation)


def convolved_transposed(
    owner: object,
    x: Array,
    weight: Array,
    bias: Array,
    geometry: Windows,
    groups: int,
    axes: int,
) -> Array:
    """Return the transposed convolution of checked images or sequences.

    Raises:
        ValueError: the output would be empty.
    """
    images = as_images(x, axes)
    size = geometry.spanned(images.shape[2:])
    if min(size) < 1:
        raise ValueError(
            f"{owner} of an input of shape {x.shape} would have an output of size "
            f"{' x '.join(map(str, size[-axes:]))}; decrease the padding"
        )
    out = convolve_transposed(images, as_images(weight, axes), size, geometry, groups)
    out = out if bias is None else out + bias.reshape((-1, 1, 1))
    return as_given(out, x.shape, axes)


# The axes of a kernel, for error messages.
_KERNEL = {1: "k", 2: "kh, kw"}


def _weight_error(
    name: str, images: Shape, kernels: Shape, groups: int, expected: str
) -> ValueError:
    return ValueError(
        f"{name} of an input of shape {images} with groups={groups} cannot use a weight of shape "
        f"{kernels}; expected {expected}"
    )
