"""Kernels that ONNX has operators for. All others run, and the NumPy calls in them are exported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core import plugins

from tinytorch_compile.export.graph import cast, emit

Array = Any


def convolution(
    x: Array, weight: Array, bias: Array = None, windows: Any = None, groups: int = 1
) -> Array:
    """Return the convolution of images with a weight."""
    if not x.dtype == weight.dtype == np.float32:
        return NotImplemented  # onnxruntime has no other
    x, windows = _covered(x, windows)
    shape = (x.shape[0], weight.shape[0], *windows.size("conv2d", x.shape[2:]))
    arrays = [x, weight] if bias is None else [x, weight, cast(bias, x.dtype)]
    return emit(
        "Conv",
        *arrays,
        shape=shape,
        dtype=x.dtype,
        group=groups,
        dilations=list(windows.dilation),
        **_geometry(windows),
    )


def transposed_convolution(
    values: Array, weight: Array, image: tuple[int, ...], windows: Any, groups: int
) -> Array:
    """Return the adjoint of the convolution with respect to the images."""
    if not values.dtype == weight.dtype == np.float32:
        return NotImplemented
    outside = [max(-after, 0) for after in windows.padding[1::2]]
    image = tuple(n - rest for n, rest in zip(image, outside, strict=True))
    windows = _without_negative(windows)
    top, bottom, left, right = windows.padding
    covered = [
        step * (count - 1) + spacing * (size - 1) + 1 - padding
        for step, count, spacing, size, padding in zip(
            windows.stride,
            values.shape[2:],
            windows.dilation,
            windows.kernel,
            (top + bottom, left + right),
            strict=True,
        )
    ]
    out = emit(
        "ConvTranspose",
        values,
        weight,
        shape=(values.shape[0], weight.shape[1] * groups, *image),
        dtype=values.dtype,
        group=groups,
        dilations=list(windows.dilation),
        output_padding=[n - size for n, size in zip(image, covered, strict=True)],
        **_geometry(windows),
    )
    return np.pad(out, [(0, 0), (0, 0), *((0, n) for n in outside)]) if any(outside) else out


def correlation(values: Array, x: Array, windows: Any, groups: int) -> Array:
    """Return the adjoint of the convolution with respect to the weight.

    It is a convolution of the images with the values, in which the axes of examples and channels,
    and stride and dilation, change places.
    """
    if not values.dtype == x.dtype == np.float32 or groups != 1:
        return NotImplemented
    x, windows = _covered(x, windows)
    top, bottom, left, right = windows.padding
    size = [
        (n + padding - step * (count - 1) - 1) // spacing + 1
        for n, padding, step, count, spacing in zip(
            x.shape[2:],
            (top + bottom, left + right),
            windows.stride,
            values.shape[2:],
            windows.dilation,
            strict=True,
        )
    ]
    found = emit(
        "Conv",
        np.swapaxes(x, 0, 1),
        np.swapaxes(values, 0, 1),
        shape=(x.shape[1], values.shape[1], *size),
        dtype=x.dtype,
        strides=list(windows.dilation),
        dilations=list(windows.stride),
        kernel_shape=list(values.shape[2:]),
        pads=[top, left, bottom, right],
    )
    high, wide = windows.kernel
    return np.swapaxes(found[:, :, :high, :wide], 0, 1)


def _has_wide_padding(windows: Any) -> bool:
    """Return whether a window could lie in the padding, which onnxruntime refuses in pooling."""
    high, wide = windows.kernel
    top, bottom, left, right = windows.padding
    return bool(max(top, bottom) >= high or max(left, right) >= wide)


def max_pool(x: Array, windows: Any) -> Array:
    """Return the maximum of each window."""
    if _has_wide_padding(windows):
        return NotImplemented
    shape = (*x.shape[:2], *windows.size("max_pool2d", x.shape[2:]))
    options = _geometry(windows)
    return emit(
        "MaxPool", x, shape=shape, dtype=x.dtype, dilations=list(windows.dilation), **options
    )


def average_pool(x: Array, windows: Any) -> Array:
    """Return the mean of each window."""
    if x.dtype != np.float32 or _has_wide_padding(windows):
        return NotImplemented
    shape = (*x.shape[:2], *windows.size("avg_pool2d", x.shape[2:]))
    options = _geometry(windows)
    return emit("AveragePool", x, shape=shape, dtype=x.dtype, count_include_pad=1, **options)


def erf(x: Array) -> Array:
    """Return the error function."""
    if x.dtype != np.float32:
        return NotImplemented
    return emit("Erf", x, shape=x.shape, dtype=x.dtype)


def _covered(x: Array, windows: Any) -> tuple[Array, Any]:
    """Return the images without the pixels that negative padding leaves out, and Windows for them.

    ONNX does not allow negative padding. The transposed convolutions whose `output_padding` is at
    least the stride have it, at the bottom and right.
    """
    high, wide = (min(after, 0) for after in windows.padding[1::2])
    if high or wide:
        x = x[:, :, : x.shape[2] + high, : x.shape[3] + wide]
    return x, _without_negative(windows)


def _without_negative(windows: Any) -> Any:
    return windows._replace(padding=tuple(max(n, 0) for n in windows.padding))


def _geometry(windows: Any) -> dict[str, Any]:
    top, bottom, left, right = windows.padding
    return {
        "kernel_shape": list(windows.kernel),
        "strides": list(windows.stride),
        "pads": [top, left, bottom, right],
    }


_OPERATORS: dict[str, Callable[..., Any]] = {
    "conv2d": convolution,
    "conv2d_input": transposed_convolution,
    "conv2d_weight": correlation,
    "max_pool2d": max_pool,
    "avg_pool2d": average_pool,
    "erf": erf,
}


def kernel_rules() -> dict[Any, Callable[..., Any]]:
    """Return what adds the operator of each kernel of the active plugins.

    It returns NotImplemented for dtypes and paddings for which onnxruntime does not have the
    operator.
    """
    ops = plugins.surface().ops
    return {ops[name].forward: rule for name, rule in _OPERATORS.items() if name in ops}
