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


def max_pool(x: Array, windows: Any) -> Array:
    """Return the maximum of each window."""
    shape = (*x.shape[:2], *windows.size("max_pool2d", x.shape[2:]))
    options = _geometry(windows)
    return emit(
        "MaxPool", x, shape=shape, dtype=x.dtype, dilations=list(windows.dilation), **options
    )


def average_pool(x: Array, windows: Any) -> Array:
    """Return the mean of each window."""
    if x.dtype != np.float32:
        return NotImplemented
    shape = (*x.shape[:2], *windows.size("avg_pool2d", x.shape[2:]))
    options = _geometry(windows)
    return emit("AveragePool", x, shape=shape, dtype=x.dtype, count_include_pad=1, **options)


def erf(x: Array) -> Array:
    """Return the error function."""
    if x.dtype != np.float32:
        return NotImplemented
    return emit("Erf", x, shape=x.shape, dtype=x.dtype)


def _geometry(windows: Any) -> dict[str, Any]:
    top, bottom, left, right = windows.padding
    return {
        "kernel_shape": list(windows.kernel),
        "strides": list(windows.stride),
        "pads": [top, left, bottom, right],
    }


_OPERATORS: dict[str, Callable[..., Any]] = {
    "conv2d": convolution,
    "max_pool2d": max_pool,
    "avg_pool2d": average_pool,
    "erf": erf,
}


def kernel_rules() -> dict[Any, Callable[..., Any]]:
    """Return what adds the operator of each kernel of the active plugins.

    It returns NotImplemented for dtypes for which onnxruntime does not have the operator.
    """
    ops = plugins.surface().ops
    return {ops[name].forward: rule for name, rule in _OPERATORS.items() if name in ops}
