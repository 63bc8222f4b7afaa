"""The ops of the layers as the conformance kit calls them, with their formulas as in textbooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core.testing import Samples, call

from tinytorch_layers import functional as F
from tinytorch_layers.functional.windows import Windows

Array = Any
Shape = tuple[int, ...]

# A geometry in which nothing is symmetric, and windows overlap.
_UNEVEN = Windows((2, 3), (1, 2), (1, 0, 0, 2), (2, 1))
_APART = Windows((2, 2), (2, 2))
_IMAGE = (1, 2, 4, 4)


def describe(samples: Samples) -> None:
    """Describes every op of this plugin."""
    _describe_linear(samples)
    _describe_normalization(samples)
    _describe_lookup(samples)
    _describe_dropout(samples)
    _describe_convolution(samples)
    _describe_maximum(samples)
    _describe_average(samples)


def _numbers(*shape: int, seed: int = 0) -> Array:
    """Numbers from -2 to 2 in a mixed order, of which no two are nearly equal."""
    size = int(np.prod(shape))
    order = np.random.default_rng(seed).permutation(size)
    return np.linspace(-2, 2, max(size, 1))[order].reshape(shape)


def _describe_linear(samples: Samples) -> None:
    weight, bias = _numbers(3, 4), _numbers(4)
    calls = [call(_numbers(*shape, 3), weight, bias) for shape in ((2,), (2, 2), (), (0,))]
    calls.append(call(_numbers(2, 1, 3), weight))
    samples.add("linear", _linear, calls=calls, function=F.linear)
    samples.refuse("linear", ValueError, "linear of shapes (2, 4)", _numbers(2, 4), weight)


def _describe_normalization(samples: Samples) -> None:
    x, weight, bias = _numbers(2, 3, 4), _numbers(4, seed=1), _numbers(4, seed=2)
    calls = [
        call(x, weight, bias, kept=[]),
        call(x, weight, bias),
        call(x, weight, None, eps=0.1),
        call(x, None, bias),
        call(x, _numbers(3, 4, seed=3), axes=2),
        call(_numbers(0, 4), weight, bias),
    ]
    samples.add("layer_norm", _layer_norm, calls=calls, function=F.layer_norm)
    weight, bias = weight[:3], bias[:3]
    calls = [
        call(x, weight, bias, kept=[]),
        call(x, weight, bias),
        call(_numbers(4, 3), weight, None, eps=0.1),
        call(_numbers(2, 3, 2, 2), None, bias),
        call(_numbers(4, 3)),
    ]
    samples.add("batch_norm", _batch_norm, calls=calls, function=F.batch_norm)


def _describe_lookup(samples: Samples) -> None:
    weight, places = _numbers(4, 3), [np.array([[3, 0], [1, 3]]), np.array(2), np.array([], int)]
    # That the row without gradient has none is no derivative; here it is looked up by nobody.
    calls = [call(i, weight) for i in places] + [call(np.array([0, 1]), weight, padding_idx=2)]
    samples.add("embedding", _embedding, calls=calls, function=F.embedding)
    samples.refuse("embedding", IndexError, "index[1] is 4", np.array([0, 4]), weight)
    samples.refuse("embedding", TypeError, "float64", np.array([0.5]), weight)
    calls = [
        call(_numbers(*i.shape, 3), indices=i, count=4, padding_idx=padding)
        for i in places
        for padding in (None, 3)
    ]
    samples.add("embedding_weight", _embedding_weight, calls=calls)


def _describe_dropout(samples: Samples) -> None:
    x = _numbers(2, 3)
    calls = [call(a, mask=a > -1, p=0.25) for a in (x, _numbers(), _numbers(0, 2))]
    samples.add(
        "dropout",
        lambda x, mask, p: np.where(mask, x / (1 - p), 0),
        calls=calls,
        function=F.dropout,
    )
    samples.refuse("dropout", ValueError, "p of dropout", x, mask=x > 0, p=1)
    samples.refuse("dropout", ValueError, "a mask of shape (3,)", x, mask=x[0] > 0, p=0.5)


def _describe_convolution(samples: Samples) -> None:
    x, weight, bias = _numbers(*_IMAGE), _numbers(3, 2, 2, 3, seed=1), _numbers(3, seed=2)
    grouped = _numbers(4, 1, 2, 2, seed=3)
    calls = [
        call(x, weight, bias),
        call(x, weight, stride=(1, 2), padding=(1, 2), dilation=(2, 1)),
        call(x, grouped, stride=2, padding=1, groups=2),
        call(_numbers(2, 2, 2, 2), grouped, groups=2),
        call(x[:0], weight, bias),
    ]
    samples.add("conv2d", _conv2d, calls=calls, function=F.conv2d)
    samples.refuse("conv2d", ValueError, "(2, 4, 4)", x[0], weight)
    samples.refuse("conv2d", ValueError, "in 1 groups", x, grouped)
    samples.refuse("conv2d", ValueError, "covers 2 x 3", x[:, :, :1], weight)
    samples.refuse("conv2d", TypeError, "int64", x.astype(np.int64), weight)
    _describe_adjoints(samples, x, [(weight, _UNEVEN, 1), (grouped, _APART, 2)])


def _describe_adjoints(
    samples: Samples, x: Array, geometries: Sequence[tuple[Array, Windows, int]]
) -> None:
    by_input, by_weight = [], []
    for weight, windows, groups in geometries:
        out = _convolved(x, weight, None, windows, groups)
        for images in (x, x[:0]):
            values = _numbers(len(images), *out.shape[1:], seed=4)
            options: dict[str, Any] = {"windows": windows, "groups": groups}
            by_input.append(call(values, weight, image=x.shape[2:], **options))
            by_weight.append(call(values, images, **options))
    samples.add("conv2d_input", _conv2d_input, calls=by_input)
    samples.add("conv2d_weight", _conv2d_weight, calls=by_weight)


def _describe_maximum(samples: Samples) -> None:
    x = _numbers(*_IMAGE)
    calls = [
        call(x, kernel_size=2),
        call(x, kernel_size=(2, 3), stride=(1, 2), padding=(1, 0), dilation=(2, 1)),
        call(x[:0], kernel_size=2),
    ]
    samples.add("max_pool2d", _max_pool2d, calls=calls, function=F.max_pool2d)
    samples.refuse("max_pool2d", ValueError, "(2, 4, 4)", x[0], kernel_size=2)
    samples.refuse("max_pool2d", ValueError, "at most half", x, kernel_size=2, padding=2)
    samples.refuse("max_pool2d", TypeError, "int64", x.astype(np.int64), kernel_size=2)
    put, picked = [], []
    for windows in (_UNEVEN, _APART):
        for images in (x, x[:0]):
            largest = _seen(images, windows, -np.inf).max(axis=(4, 5))
            values = _numbers(*largest.shape, seed=1)
            put.append(call(values, images, largest, windows=windows))
            picked.append(call(_numbers(*images.shape, seed=2), images, largest, windows=windows))
    # Where the largest lies changes in jumps.
    jumping = ("x", "largest")
    samples.add("max_pool2d_input", _max_pool2d_input, calls=put, stepwise=jumping)
    samples.add("max_pool2d_pick", _max_pool2d_pick, calls=picked, stepwise=jumping)


def _describe_average(samples: Samples) -> None:
    x = _numbers(*_IMAGE)
    calls = [
        call(x, kernel_size=2),
        call(x, kernel_size=(2, 3), stride=(1, 2), padding=(1, 0)),
        call(x[:0], kernel_size=2),
    ]
    samples.add("avg_pool2d", _avg_pool2d, calls=calls, function=F.avg_pool2d)
    samples.refuse("avg_pool2d", ValueError, "(2, 4, 4)", x[0], kernel_size=2)
    samples.refuse("avg_pool2d", ValueError, "at most half", x, kernel_size=2, padding=2)
    samples.refuse("avg_pool2d", TypeError, "int64", x.astype(np.int64), kernel_size=2)
    spread = [
        call(_numbers(*_average(images, w).shape, seed=1), image=x.shape[2:], windows=w)
        for w in (_UNEVEN, _APART)
        for images in (x, x[:0])
    ]
    samples.add("avg_pool2d_input", _avg_pool2d_input, calls=spread)


def _linear(x: Array, weight: Array, bias: Array = 0.0) -> Array:
    return np.einsum("...i,io->...o", x, weight) + bias


def _standardized(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    if not x.size:
        return x
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def _layer_norm(
    x: Array,
    weight: Array = None,
    bias: Array = None,
    axes: int = 1,
    eps: float = 1e-5,
    kept: Any = None,
) -> Array:
    y = _standardized(x, tuple(range(x.ndim - axes, x.ndim)), eps)
    return y * (1 if weight is None else weight) + (0 if bias is None else bias)


def _batch_norm(
    x: Array, weight: Array = None, bias: Array = None, eps: float = 1e-5, kept: Any = None
) -> Array:
    """With the channels last, where weight and bias meet them."""
    y = np.moveaxis(x, 1, -1)
    y = _standardized(y, tuple(range(x.ndim - 1)), eps)
    y = y * (1 if weight is None else weight) + (0 if bias is None else bias)
    return np.moveaxis(y, -1, 1)


def _embedding(indices: Array, weight: Array, padding_idx: int | None = None) -> Array:
    return np.eye(len(weight))[indices] @ weight


def _embedding_weight(
    values: Array, indices: Array, count: int, padding_idx: int | None = None
) -> Array:
    out = np.zeros((count, values.shape[-1]))
    np.add.at(out, indices[indices != padding_idx], values[indices != padding_idx])
    return out


def _seen(x: Array, windows: Windows, value: float = 0) -> Array:
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


def _conv2d(
    x: Array,
    weight: Array,
    bias: Array = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Array:
    return _convolved(
        x, weight, bias, _windows(weight.shape[2:], stride, padding, dilation), groups
    )


def _convolved(x: Array, weight: Array, bias: Array, windows: Windows, groups: int) -> Array:
    parts = zip(np.split(_seen(x, windows), groups, axis=1), np.split(weight, groups), strict=True)
    out = np.concatenate([np.einsum("nchwkl,ockl->nohw", *part) for part in parts], axis=1)
    return out if bias is None else out + bias[:, None, None]


def _conv2d_input(
    values: Array, weight: Array, image: Shape, windows: Windows, groups: int
) -> Array:
    shape = (len(values), weight.shape[1] * groups, *image)
    return _adjoint(lambda x: _convolved(x, weight, None, windows, groups), shape, values)


def _conv2d_weight(values: Array, x: Array, windows: Windows, groups: int) -> Array:
    shape = (values.shape[1], x.shape[1] // groups, *windows.kernel)
    return _adjoint(lambda weight: _convolved(x, weight, None, windows, groups), shape, values)


def _max_pool2d(
    x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1
) -> Array:
    windows = _windows(kernel_size, kernel_size if stride is None else stride, padding, dilation)
    return _seen(x, windows, -np.inf).max(axis=(4, 5))


def _max_pool2d_pick(values: Array, x: Array, largest: Array, windows: Windows) -> Array:
    which = _in_rows(_seen(x, windows, -np.inf)).argmax(axis=-1)
    return np.take_along_axis(_in_rows(_seen(values, windows)), which[..., None], -1)[..., 0]


def _max_pool2d_input(values: Array, x: Array, largest: Array, windows: Windows) -> Array:
    return _adjoint(lambda y: _max_pool2d_pick(y, x, largest, windows), x.shape, values)


def _in_rows(seen: Array) -> Array:
    """What each window sees as one axis."""
    return seen.reshape((*seen.shape[:4], seen.shape[4] * seen.shape[5]))


def _avg_pool2d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Array:
    return _average(x, _windows(kernel_size, kernel_size if stride is None else stride, padding))


def _average(x: Array, windows: Windows) -> Array:
    return _seen(x, windows).mean(axis=(4, 5))


def _avg_pool2d_input(values: Array, image: Shape, windows: Windows) -> Array:
    return _adjoint(lambda x: _average(x, windows), (*values.shape[:2], *image), values)
