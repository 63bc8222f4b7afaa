"""The formulas of the layers as in textbooks, which the conformance kit compares the ops with.

A convolution and the pools are written in terms of what each window sees, and each adjoint by its
definition, one element after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_layers.functional.windows import Windows

Array = Any
Shape = tuple[int, ...]


def linear(x: Array, weight: Array, bias: Array = 0.0) -> Array:
    """The map x @ weight + bias, over the last axis."""
    return np.einsum("...i,io->...o", x, weight) + bias


def _standardized(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    if not x.size:
        return x
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def layer_norm(
    x: Array,
    weight: Array = None,
    bias: Array = None,
    axes: int = 1,
    eps: float = 1e-5,
    kept: Any = None,
) -> Array:
    """Each sample less its mean, over its standard deviation; `kept` is not looked at."""
    y = _standardized(x, tuple(range(x.ndim - axes, x.ndim)), eps)
    return y * (1 if weight is None else weight) + (0 if bias is None else bias)


def batch_norm(
    x: Array, weight: Array = None, bias: Array = None, eps: float = 1e-5, kept: Any = None
) -> Array:
    """With the channels last, where weight and bias meet them."""
    y = np.moveaxis(x, 1, -1)
    y = _standardized(y, tuple(range(x.ndim - 1)), eps)
    y = y * (1 if weight is None else weight) + (0 if bias is None else bias)
    return np.moveaxis(y, -1, 1)


def embedding(indices: Array, weight: Array, padding_idx: int | None = None) -> Array:
    """The rows as products with unit vectors."""
    return np.eye(len(weight))[indices] @ weight


def embedding_weight(
    values: Array, indices: Array, count: int, padding_idx: int | None = None
) -> Array:
    """Zeros with each value added to its row, but to that of `padding_idx`."""
    out = np.zeros((count, values.shape[-1]))
    np.add.at(out, indices[indices != padding_idx], values[indices != padding_idx])
    return out


def seen(x: Array, windows: Windows, value: float = 0) -> Array:
    """What each window sees of images with `value` around them: (N, C, h, w, kh, kw)."""
    (kh, kw), (sh, sw), (top, below, left, right), (dh, dw) = windows
    padded = np.pad(x, ((0, 0), (0, 0), (top, below), (left, right)), constant_values=value)
    reach = dh * (kh - 1) + 1, dw * (kw - 1) + 1
    views = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(2, 3))
    return views[:, :, ::sh, ::sw, ::dh, ::dw]


def _windows(kernel: Any, stride: Any, padding: Any, dilation: Any = 1) -> Windows:
    """The windows that one or two numbers each mean."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = (
        np.broadcast_to(given, 2).tolist() for given in (kernel, stride, padding, dilation)
    )
    return Windows((kh, kw), (sh, sw), (ph, ph, pw, pw), (dh, dw))


def _adjoint(linear: Callable[[Array], Array], shape: Shape, values: Array) -> Array:
    """The adjoint of a linear map of arrays of a shape, element by element: <f(e), values>."""
    out = np.zeros(shape)
    for at in np.ndindex(shape):
        unit = np.zeros(shape)
        unit[at] = 1
        out[at] = (linear(unit) * values).sum()
    return out


def conv2d(
    x: Array,
    weight: Array,
    bias: Array = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Array:
    """The correlation of images with a kernel, from what a person writes."""
    return convolved(x, weight, bias, _windows(weight.shape[2:], stride, padding, dilation), groups)


def convolved(x: Array, weight: Array, bias: Array, windows: Windows, groups: int) -> Array:
    """The sum of each window times the weight of its group."""
    parts = zip(np.split(seen(x, windows), groups, axis=1), np.split(weight, groups), strict=True)
    out = np.concatenate([np.einsum("nchwkl,ockl->nohw", *part) for part in parts], axis=1)
    return out if bias is None else out + bias[:, None, None]


def conv2d_input(
    values: Array, weight: Array, image: Shape, windows: Windows, groups: int
) -> Array:
    """The adjoint of `convolved` in the images."""
    shape = (len(values), weight.shape[1] * groups, *image)
    return _adjoint(lambda x: convolved(x, weight, None, windows, groups), shape, values)


def conv2d_weight(values: Array, x: Array, windows: Windows, groups: int) -> Array:
    """The adjoint of `convolved` in the weight."""
    shape = (values.shape[1], x.shape[1] // groups, *windows.kernel)
    return _adjoint(lambda weight: convolved(x, weight, None, windows, groups), shape, values)


def max_pool2d(
    x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1
) -> Array:
    """The largest of each window, which sees −∞ around the images."""
    windows = _windows(kernel_size, kernel_size if stride is None else stride, padding, dilation)
    return seen(x, windows, -np.inf).max(axis=(4, 5))


def max_pool2d_pick(values: Array, x: Array, largest: Array, windows: Windows) -> Array:
    """Of each window the value from where it sees the first largest."""
    which = _in_rows(seen(x, windows, -np.inf)).argmax(axis=-1)
    return np.take_along_axis(_in_rows(seen(values, windows)), which[..., None], -1)[..., 0]


def max_pool2d_input(values: Array, x: Array, largest: Array, windows: Windows) -> Array:
    """The adjoint of `max_pool2d_pick` in the values."""
    return _adjoint(lambda y: max_pool2d_pick(y, x, largest, windows), x.shape, values)


def _in_rows(seen: Array) -> Array:
    """What each window sees as one axis."""
    return seen.reshape((*seen.shape[:4], seen.shape[4] * seen.shape[5]))


def avg_pool2d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Array:
    """The mean of each window, from what a person writes."""
    return average(x, _windows(kernel_size, kernel_size if stride is None else stride, padding))


def average(x: Array, windows: Windows) -> Array:
    """The mean of each window."""
    return seen(x, windows).mean(axis=(4, 5))


def avg_pool2d_input(values: Array, image: Shape, windows: Windows) -> Array:
    """The adjoint of `average`."""
    return _adjoint(lambda x: average(x, windows), (*values.shape[:2], *image), values)
