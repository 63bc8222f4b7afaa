"""Transposed convolutions of images and sequences, as functions for users.

A transposed convolution is the adjoint of a convolution with respect to its images. So it runs the
op that computes their gradient, with the geometry of that convolution.
"""

from __future__ import annotations

from typing import Any

from tinytorch_core.extend import AnyArray

from tinytorch_layers.functional.conv_functions import checked_kernel
from tinytorch_layers.functional.convolution import convolve_transposed
from tinytorch_layers.functional.windows import Windows, as_given, as_images, pair

Array = Any


def conv_transpose1d(
    x: AnyArray,
    weight: Array,
    bias: Array = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> AnyArray:
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
    x: AnyArray,
    weight: Array,
    bias: Array = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> AnyArray:
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
    kernel, groups = checked_kernel(name, x, weight, groups, axes, transposed=True)
    geometry = transposed_windows(name, kernel, stride, padding, output_padding, dilation, axes)
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
    geometry = _with_padding(geometry)
    out = convolve_transposed(images, as_images(weight, axes), size, geometry, groups)
    out = out if bias is None else out + bias.reshape((-1, 1, 1))
    return as_given(out, x.shape, axes)


def _with_padding(geometry: Windows) -> Windows:
    """Return Windows with less negative padding at the end, without room for another window.

    It is negative only if `output_padding` is at least the stride, so that a backend needs to
    support negative numbers only for such convolutions.
    """
    if min(geometry.padding) >= 0:
        return geometry
    top, bottom, left, right = geometry.padding
    high, wide = geometry.stride
    bottom, right = (min(max(n, 0), n + s - 1) for n, s in ((bottom, high), (right, wide)))
    return geometry._replace(padding=(top, bottom, left, right))
