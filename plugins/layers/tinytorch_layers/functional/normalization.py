"""Standardizing: values less their mean, over their spread. With the rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import Tensor, op

Array = Any
Axes = tuple[int, ...]
Kept = list[Array]


@op("layer_norm")
def layer_norm(
    x: Array,
    weight: Array = None,
    bias: Array = None,
    axes: int = 1,
    eps: float = 1e-5,
    kept: Kept | None = None,
) -> Array:
    """Each sample standardized over its last axes, times `weight`, plus `bias`.

    (x − mean) / √(variance + eps): Ba, Kiros & Hinton, "Layer normalization", 2016,
    arXiv:1607.06450.

    Args:
        x: a Tensor or array.
        weight, bias: of the shape of the last axes, or None for 1 and 0.
        axes: how many axes, counted from the last, are standardized over together.
        eps: keeps the quotient finite where there is no spread.
        kept: an empty list, to be filled with what `standardized` returns, so that the backward
            pass need not compute it again.

    Returns:
        The shape of x.

    >>> layer_norm(np.array([[1.0, 3.0], [2.0, 2.0]]), eps=0.0001).round(3)
    array([[-1.,  1.],
           [ 0.,  0.]])
    """
    return _affine(_standardized(x, _last(axes), eps, kept), weight, bias)


def layer_norm_x(
    grad: Array, x: Array, weight: Array, axes: int, eps: float, kept: Kept | None
) -> Array:
    """See `standardized_rule`."""
    y, scale = _again(x, _last(axes), eps, kept)
    return standardized_rule(grad if weight is None else grad * weight, y, scale, _last(axes))


def layer_norm_weight(grad: Array, x: Array, axes: int, eps: float, kept: Kept | None) -> Array:
    """d/dw = the standardized value; the engine adds up over the samples."""
    return grad * _again(x, _last(axes), eps, kept)[0]


@op("batch_norm")
def batch_norm(
    x: Array,
    weight: Array = None,
    bias: Array = None,
    eps: float = 1e-5,
    kept: Kept | None = None,
) -> Array:
    """Each channel standardized over the batch, times `weight`, plus `bias`.

    Ioffe & Szegedy, "Batch normalization", 2015, arXiv:1502.03167.

    Args:
        x: a Tensor or array of shape (N, C) or (N, C, ...).
        weight, bias: of shape (C,), or None for 1 and 0.
        eps: keeps the quotient finite where there is no spread.
        kept: an empty list, to be filled with what `standardized` returns, of which the last two
            are the means and the variances of the channels.

    Returns:
        The shape of x.

    >>> batch_norm(np.array([[1.0, 5.0], [3.0, 5.0]])).round(3)
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    y = _standardized(x, _all_but_channels(x.ndim), eps, kept)
    return _affine(y, channelwise(weight, x.ndim), channelwise(bias, x.ndim))


def batch_norm_x(grad: Array, x: Array, weight: Array, eps: float, kept: Kept | None) -> Array:
    """See `standardized_rule`."""
    axes = _all_but_channels(x.ndim)
    y, scale = _again(x, axes, eps, kept)
    weight = channelwise(weight, x.ndim)
    return standardized_rule(grad if weight is None else grad * weight, y, scale, axes)


def batch_norm_weight(grad: Array, x: Array, eps: float, kept: Kept | None) -> Array:
    """d/dw = the standardized values, added up for each channel."""
    axes = _all_but_channels(x.ndim)
    return (grad * _again(x, axes, eps, kept)[0]).sum(axis=axes)


def batch_norm_bias(grad: Array) -> Array:
    """The sum for each channel."""
    return grad.sum(axis=_all_but_channels(grad.ndim))


def standardized(x: Array, axes: Axes, eps: float) -> tuple[Array, Array, Array, Array]:
    """(x − mean) s over `axes` with s = 1 / √(variance + eps), then s, mean and variance."""
    mean = x.mean(axis=axes, keepdims=True)
    centred = x - mean
    variance = (centred * centred).mean(axis=axes, keepdims=True)
    scale = 1 / np.sqrt(variance + eps)
    return centred * scale, scale, mean, variance


def standardized_rule(grad: Array, y: Array, scale: Array, axes: Axes) -> Array:
    """dL/dx = s (g − mean(g) − y mean(g y)): the mean and the spread depend on x too."""
    along = (grad * y).mean(axis=axes, keepdims=True)
    return scale * (grad - grad.mean(axis=axes, keepdims=True) - y * along)


def channelwise(values: Array, axes: int) -> Array:
    """A number for each channel, so that it broadcasts over the axes behind; None is None."""
    return values if values is None or axes == 2 else values.reshape((-1, *(1,) * (axes - 2)))


def _last(axes: int) -> Axes:
    return tuple(range(-axes, 0))


def _all_but_channels(axes: int) -> Axes:
    return (0, *range(2, axes))


def _standardized(x: Array, axes: Axes, eps: float, kept: Kept | None) -> Array:
    made = standardized(x, axes, eps)
    if kept is not None:
        kept[:] = made
    return made[0]


def _again(x: Array, axes: Axes, eps: float, kept: Kept | None) -> tuple[Array, Array]:
    """The first two of `standardized`, as they were kept, or to be differentiated in turn."""
    if not kept or isinstance(x, Tensor):
        return standardized(x, axes, eps)[:2]
    return kept[0], kept[1]


def _affine(y: Array, weight: Array, bias: Array) -> Array:
    out = y if weight is None else y * weight
    return out if bias is None else out + bias
