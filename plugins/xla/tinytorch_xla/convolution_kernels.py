"""Convolutions by XLA, and by sums of shifted images where those take less time on a CPU.

XLA's convolution for CPUs is made for many channels. With one input channel for each group, a sum
of the images, shifted and multiplied by each element of the kernel, takes 1/6 to 1/30 of the time;
with few of them, the adjoint takes a third as the sum of the shifted columns of one product.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tinytorch_xla.engine import jax, jnp

# With more elements of the kernel, the program becomes long.
_MOST_ELEMENTS = 49
# The number of input channels below which the columns are faster.
_FEW_CHANNELS = 8


def convolve(x: Any, weight: Any, bias: Any = None, windows: Any = None, groups: int = 1) -> Any:
    """Return the convolution of images; the arguments are those of the kernel."""
    windows.size("conv2d", x.shape[2:])
    if not (x.size and weight.size):
        return NotImplemented
    x, weight = jnp.asarray(x), jnp.asarray(weight)
    if _has_one_channel(weight, windows):
        out = _in_parts(x, lambda part: _by_shifts(part, weight, windows))
    else:
        out = _by_xla(x, weight, windows, groups)
    return out if bias is None else out + bias.reshape((-1, 1, 1))


def convolve_transposed(values: Any, weight: Any, image: Any, windows: Any, groups: int) -> Any:
    """Return the adjoint of `convolve` with respect to the images."""
    if not (values.size and weight.size):
        return NotImplemented
    values, weight = jnp.asarray(values), jnp.asarray(weight)
    if _has_few_channels(weight, windows, groups):
        return _by_columns(values, weight, image, windows)
    shape = (values.shape[0], weight.shape[1] * groups, *image)
    if _has_one_channel(weight, windows):
        return adjoint(lambda x: _by_shifts(x, weight, windows), shape, values)
    return adjoint(lambda x: _by_xla(x, weight, windows, groups), shape, values)


def correlate(values: Any, x: Any, windows: Any, groups: int) -> Any:
    """Return the adjoint of `convolve` with respect to the weight."""
    if not (values.size and x.size):
        return NotImplemented
    values, x = jnp.asarray(values), jnp.asarray(x)
    shape = (values.shape[1], x.shape[1] // groups, *windows.kernel)
    return adjoint(lambda weight: _by_xla(x, weight, windows, groups), shape, values)


def adjoint(function: Callable[..., Any], shape: tuple[int, ...], values: Any) -> Any:
    """Return the adjoint of a linear function of an array of `shape`, applied to values."""
    argument = jax.ShapeDtypeStruct(shape, values.dtype)
    (found,) = jax.linear_transpose(function, argument)(values)
    return found


def _has_one_channel(weight: Any, windows: Any) -> bool:
    return weight.shape[1] == 1 and math.prod(windows.kernel) <= _MOST_ELEMENTS and _is_on_cpu()


def _is_on_cpu() -> bool:
    return bool(jax.default_backend() == "cpu")


def _by_xla(x: Any, weight: Any, windows: Any, groups: int) -> Any:
    top, bottom, left, right = windows.padding
    dtype = jnp.result_type(x, weight)
    return jax.lax.conv_general_dilated(
        x.astype(dtype),
        weight.astype(dtype),
        window_strides=windows.stride,
        padding=((top, bottom), (left, right)),
        rhs_dilation=windows.dilation,
        feature_group_count=groups,
    )


def _by_shifts(x: Any, weight: Any, windows: Any) -> Any:
    """Return a convolution with one input channel for each group."""
    high, wide = windows.size("conv2d", x.shape[2:])
    top, bottom, left, right = windows.padding
    count, channels = x.shape[:2]
    x = jnp.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))[:, :, None]
    weight = weight.reshape((channels, -1, *windows.kernel))
    (down, across), (below, beyond) = windows.stride, windows.dilation
    out: Any = 0
    for i in range(windows.kernel[0]):
        rows = slice(i * below, i * below + down * (high - 1) + 1, down)
        for j in range(windows.kernel[1]):
            columns = slice(j * beyond, j * beyond + across * (wide - 1) + 1, across)
            out = out + x[..., rows, columns] * weight[:, :, i, j, None, None]
    return out.reshape((count, -1, high, wide))


def _in_parts(x: Any, function: Callable[..., Any]) -> Any:
    """Return a function of images, computed in a loop over parts of the batch.

    XLA would compute a large sum outside of a loop again for each of its uses. A few parts suffice,
    and all must have the same size.
    """
    parts = next((n for n in (4, 3, 2, 5, 7) if len(x) % n == 0), 1)
    if parts == 1:
        return function(x)
    found = jax.lax.map(function, x.reshape((parts, -1, *x.shape[1:])))
    return found.reshape((len(x), *found.shape[2:]))


def _has_few_channels(weight: Any, windows: Any, groups: int) -> bool:
    return (
        groups == 1
        and weight.shape[1] < _FEW_CHANNELS
        and windows.stride == windows.dilation == (1, 1)
        and math.prod(windows.kernel) <= _MOST_ELEMENTS
        and _is_on_cpu()
    )


def _by_columns(values: Any, weight: Any, image: Any, windows: Any) -> Any:
    """Return the adjoint of a convolution of stride 1 with few input channels."""
    outputs, channels, *kernel = weight.shape
    count, _, high, wide = values.shape
    columns = weight.reshape((outputs, -1)).T @ values.swapaxes(0, 1).reshape((outputs, -1))
    columns = columns.reshape((channels, *kernel, count, high, wide))
    out: Any = 0
    for i in range(kernel[0]):
        row: Any = 0
        for j in range(kernel[1]):
            row = row + _padded(columns[:, i, j], -1, j, kernel[1] - 1 - j)
        out = out + _padded(row, -2, i, kernel[0] - 1 - i)
    top, _, left, _ = windows.padding
    out = out[..., top : top + image[0], left : left + image[1]]
    return out.swapaxes(0, 1)


def _padded(x: Any, axis: int, before: int, after: int) -> Any:
    around = [(0, 0)] * x.ndim
    around[axis] = before, after
    return jnp.pad(x, around)
