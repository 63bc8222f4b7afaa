"""Textbook formulas of the layers' ops, for comparison by the conformance kit.

Convolution and pooling are computed from an array of all windows, and each adjoint from its
definition, one element at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_layers.functional.windows import Windows

Array = Any
Shape = tuple[int, ...]


def linear(x: Array, weight: Array, bias: Array = 0.0) -> Array:
    """Return x @ weight + bias over the last axis."""
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
) -> Array:
    """Return (x − mean) / √(variance + eps) over the last axes."""
    y = _standardized(x, tuple(range(x.ndim - axes, x.ndim)), eps)
    return y * (1 if weight is None else weight) + (0 if bias is None else bias)


def batch_norm(x: Array, weight: Array = None, bias: Array = None, eps: float = 1e-5) -> Array:
    """Return (x − mean) / √(variance + eps) for each channel."""
    y = np.moveaxis(x, 1, -1)  # channels last, as weight and bias
    y = _standardized(y, tuple(range(x.ndim - 1)), eps)
    y = y * (1 if weight is None else weight) + (0 if bias is None else bias)
    return np.moveaxis(y, -1, 1)


def embedding(indices: Array, weight: Array, padding_idx: int | None = None) -> Array:
    """Return the rows, as products of unit vectors with the table."""
    return np.eye(len(weight))[indices] @ weight


def embedding_weight(
    values: Array, indices: Array, count: int, padding_idx: int | None = None
) -> Array:
    """Return zeros with each value added to its row, except for row `padding_idx`."""
    out = np.zeros((count, values.shape[-1]))
    np.add.at(out, indices[indices != padding_idx], values[indices != padding_idx])
    return out


def attention(
    query: Array,
    key: Array,
    value: Array,
    added: Array = 0.0,
    scale: float = 1.0,
    is_causal: bool = False,
    mask: Array = None,
    keep: Array = None,
    dropout_p: float = 0.0,
) -> tuple[Array, Array]:
    """Return softmax(scores) value, and the logarithm of the sum of exp(scores)."""
    scores = np.einsum("...le,...se->...ls", query, key) * scale + added
    if is_causal:
        length, keys = scores.shape[-2:]
        scores = np.where(np.arange(keys) > np.arange(length)[:, None], -np.inf, scores)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    logaddexp: Any = np.logaddexp
    sums = logaddexp.reduce(scores, axis=-1)
    weights = np.exp(scores - sums[..., None])
    weights = weights if keep is None else np.where(keep, weights / (1 - dropout_p), 0)
    return np.einsum("...ls,...sv->...lv", weights, value), sums


def split_heads(x: Array, heads: int = 1, parts: int = 1) -> tuple[Array, ...]:
    """Return slices of the last axis, stacked for each part."""
    slices = np.split(x, parts * heads, axis=-1)
    return tuple(np.stack(slices[i * heads : (i + 1) * heads], axis=-3) for i in range(parts))


def merge_heads(*arrays: Array) -> Array:
    """Return the heads of all arrays, one after the other along the last axis."""
    heads = [x[..., i, :, :] for x in arrays for i in range(x.shape[-3])]
    return np.concatenate(heads, axis=-1)


def window_view(x: Array, windows: Windows, value: float = 0) -> Array:
    """Return all windows of images padded with `value`: (N, C, h, w, kh, kw)."""
    (kh, kw), (sh, sw), (top, bottom, left, right), (dh, dw) = windows
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)
    extent = dh * (kh - 1) + 1, dw * (kw - 1) + 1
    views = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=(2, 3))
    return views[:, :, ::sh, ::sw, ::dh, ::dw]


def _windows(kernel: Any, stride: Any, padding: Any, dilation: Any = 1) -> Windows:
    """Return Windows for arguments of one or two numbers each."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = (
        np.broadcast_to(given, 2).tolist() for given in (kernel, stride, padding, dilation)
    )
    return Windows((kh, kw), (sh, sw), (ph, ph, pw, pw), (dh, dw))


def _adjoint(linear: Callable[[Array], Array], shape: Shape, values: Array) -> Array:
    """Return the adjoint of a linear map f at `values`: <f(e), values> for each unit array e.

    `shape` is the shape of the input of f.
    """
    out = np.zeros(shape)
    for index in np.ndindex(shape):
        unit = np.zeros(shape)
        unit[index] = 1
        out[index] = (linear(unit) * values).sum()
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
    """Return the correlation of images with a kernel, for the arguments of `F.conv2d`."""
    return convolved(x, weight, bias, _windows(weight.shape[2:], stride, padding, dilation), groups)


def convolved(x: Array, weight: Array, bias: Array, windows: Windows, groups: int) -> Array:
    """Return the sum over each window times the weight of its group."""
    parts = zip(
        np.split(window_view(x, windows), groups, axis=1), np.split(weight, groups), strict=True
    )
    out = np.concatenate([np.einsum("nchwkl,ockl->nohw", *part) for part in parts], axis=1)
    return out if bias is None else out + bias[:, None, None]


def conv2d_input(
    values: Array, weight: Array, image: Shape, windows: Windows, groups: int
) -> Array:
    """Return the adjoint of `convolved` with respect to the images."""
    shape = (len(values), weight.shape[1] * groups, *image)
    return _adjoint(lambda x: convolved(x, weight, None, windows, groups), shape, values)


def conv2d_weight(values: Array, x: Array, windows: Windows, groups: int) -> Array:
    """Return the adjoint of `convolved` with respect to the weight."""
    shape = (values.shape[1], x.shape[1] // groups, *windows.kernel)
    return _adjoint(lambda weight: convolved(x, weight, None, windows, groups), shape, values)


def _pool_windows(
    x: Array, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Windows:
    """Return Windows for the arguments of pooling, with the padding that `ceil_mode` adds."""
    found = _windows(kernel, kernel if stride is None else stride, padding, dilation)
    sides = list(found.padding)
    for i in range(2):
        extent = found.dilation[i] * (found.kernel[i] - 1) + 1
        end, step = x.shape[2 + i] + sides[2 * i], found.stride[i]
        starts = [s for s in range(0, end, step) if s + extent <= end + sides[2 * i + 1]]
        rest = end + sides[2 * i + 1] - (starts[-1] + extent)
        if ceil_mode and rest and starts[-1] + step < end:
            sides[2 * i + 1] += step - rest
    return found._replace(padding=(sides[0], sides[1], sides[2], sides[3]))


def max_pool2d(
    x: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Array:
    """Return the maximum of each window; the padding is −∞."""
    windows = _pool_windows(x, kernel_size, stride, padding, dilation, ceil_mode)
    return window_view(x, windows, -np.inf).max(axis=(4, 5))


def max_pool2d_pick(values: Array, x: Array, largest: Array, windows: Windows) -> Array:
    """Return, for each window, the value at the position of its first maximum."""
    first = _flattened(window_view(x, windows, -np.inf)).argmax(axis=-1)
    return np.take_along_axis(_flattened(window_view(values, windows)), first[..., None], -1)[
        ..., 0
    ]


def max_pool2d_input(values: Array, x: Array, largest: Array, windows: Windows) -> Array:
    """Return the adjoint of `max_pool2d_pick` with respect to the values."""
    return _adjoint(lambda y: max_pool2d_pick(y, x, largest, windows), x.shape, values)


def _flattened(views: Array) -> Array:
    """Return (N, C, h, w, kh, kw) as (N, C, h, w, kh · kw)."""
    return views.reshape((*views.shape[:4], views.shape[4] * views.shape[5]))


def avg_pool2d(
    x: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Return the sum of each window over the number of its pixels that count."""
    windows = _pool_windows(x, kernel_size, stride, padding, 1, ceil_mode)
    sums = window_view(x, windows).sum(axis=(4, 5))
    if divisor_override is not None:
        return sums / divisor_override
    ones = np.ones((1, 1, *x.shape[2:]))
    if count_include_pad:
        high, wide = np.broadcast_to(padding, 2)
        ones = np.pad(ones, ((0, 0), (0, 0), (high, high), (wide, wide)), constant_values=1)
        _, bottom, _, right = windows.padding
        windows = windows._replace(padding=(0, bottom - high, 0, right - wide))
    return sums / window_view(ones, windows).sum(axis=(4, 5))


def average(x: Array, windows: Windows) -> Array:
    """Return the mean of each window."""
    return window_view(x, windows).mean(axis=(4, 5))


def avg_pool2d_input(values: Array, image: Shape, windows: Windows) -> Array:
    """Return the adjoint of `average`."""
    return _adjoint(lambda x: average(x, windows), (*values.shape[:2], *image), values)


def rnn(*arrays: Array, nonlinearity: str = "tanh", **options: Any) -> tuple[Array, ...]:
    """Return the hidden states of a simple recurrence, for the arguments of the op."""
    squash = np.tanh if nonlinearity == "tanh" else lambda a: a * (a > 0)
    return _recurrence(lambda p, u, h: (squash(p + u),), 1, *arrays, **options)


def lstm(*arrays: Array, **options: Any) -> tuple[Array, ...]:
    """Return the hidden and the cell states of a long short-term memory."""

    def step(p: Array, u: Array, hidden: Array, cell: Array) -> tuple[Array, ...]:
        i, f, g, o = np.split(p + u, 4)
        cell = cell / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        return np.tanh(cell) / (1 + np.exp(-o)), cell

    return _recurrence(step, 2, *arrays, **options)


def gru(*arrays: Array, **options: Any) -> tuple[Array, ...]:
    """Return the hidden states of a gated recurrent unit."""

    def step(p: Array, u: Array, hidden: Array) -> tuple[Array, ...]:
        (p_r, p_z, p_n), (u_r, u_z, u_n) = np.split(p, 3), np.split(u, 3)
        z = 1 / (1 + np.exp(-p_z - u_z))
        n = np.tanh(p_n + u_n / (1 + np.exp(-p_r - u_r)))
        return ((1 - z) * n + z * hidden,)

    return _recurrence(step, 1, *arrays, **options)


def _recurrence(
    step: Callable[..., tuple[Array, ...]],
    count: int,
    *arrays: Array,
    x: Array = None,
    sizes: Shape = (1,),
    reverse: bool = False,
    kept: Any = None,
) -> tuple[Array, ...]:
    """Return the states of each step, one sequence at a time."""
    x, weight_ih, weight_hh, *rest = arrays if x is None else (x, *arrays)
    initial = rest[len(rest) - count :]
    if len(x) != sum(sizes) or len(initial[0]) != sizes[0]:
        raise ValueError("the sizes do not fit the numbers of rows")
    bias_ih, bias_hh = rest[: len(rest) - count] or (0, 0)
    found = [np.zeros((len(x), len(weight_hh))) for _ in initial]
    starts = np.cumsum(sizes) - sizes
    for sequence in range(sizes[0]):
        states = [state[sequence] for state in initial]
        steps = [t for t in range(len(sizes)) if sizes[t] > sequence]
        for t in reversed(steps) if reverse else steps:
            row = starts[t] + sequence
            states = list(
                step(x[row] @ weight_ih + bias_ih, states[0] @ weight_hh + bias_hh, *states)
            )
            for out, state in zip(found, states, strict=True):
                out[row] = state
    return tuple(found)
