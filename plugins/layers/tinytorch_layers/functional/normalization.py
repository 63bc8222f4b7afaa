"""Standardizing: values less their mean, over their spread. With the rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op

Array = Any
Axes = tuple[int, ...]


@op("layer_norm")
def layer_norm(
    x: Array, weight: Array = None, bias: Array = None, axes: int = 1, eps: float = 1e-5
) -> Array:
    """Each sample standardized over its last axes, times `weight`, plus `bias`.

    (x − mean) / √(variance + eps): Ba, Kiros & Hinton, "Layer normalization", 2016,
    arXiv:1607.06450.

    Args:
        x: a Tensor or array.
        weight, bias: of the shape of the last axes, or None for 1 and 0.
        axes: how many axes, counted from the last, are standardized over together.
        eps: keeps the quotient finite where there is no spread.

    Returns:
        The shape of x.

    >>> layer_norm(np.array([[1.0, 3.0], [2.0, 2.0]]), eps=0.0001).round(3)
    array([[-1.,  1.],
           [ 0.,  0.]])
    """
    out, _ = standardized(x, _last(axes), eps)
    return _affine(out, weight, bias)


def layer_norm_x(grad: Array, x: Array, weight: Array, axes: int, eps: float) -> Array:
    """See `standardized_rule`."""
    grad = grad if weight is None else grad * weight
    return standardized_rule(grad, *standardized(x, _last(axes), eps), _last(axes))


def layer_norm_weight(grad: Array, x: Array, axes: int, eps: float) -> Array:
    """d/dw = the standardized value; the engine adds up over the samples."""
    return grad * standardized(x, _last(axes), eps)[0]


@op("batch_norm")
def batch_norm(
    x: Array,
    weight: Array = None,
    bias: Array = None,
    eps: float = 1e-5,
    kept: list[Array] | None = None,
) -> Array:
    """Each channel standardized over the batch, times `weight`, plus `bias`.

    Ioffe & Szegedy, "Batch normalization", 2015, arXiv:1502.03167.

    Args:
        x: a Tensor or array of shape (N, C) or (N, C, ...).
        weight, bias: of shape (C,), or None for 1 and 0.
        eps: keeps the quotient finite where there is no spread.
        kept: an empty list, to be filled with the channels' means and variances.

    Returns:
        The shape of x.

    >>> batch_norm(np.array([[1.0, 5.0], [3.0, 5.0]])).round(3)
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    axes = _all_but_channels(x.ndim)
    out, _ = standardized(x, axes, eps, kept)
    return _affine(out, channelwise(weight, x.ndim), channelwise(bias, x.ndim))


def batch_norm_x(grad: Array, x: Array, weight: Array, eps: float) -> Array:
    """See `standardized_rule`."""
    axes = _all_but_channels(x.ndim)
    grad = grad if weight is None else grad * channelwise(weight, x.ndim)
    return standardized_rule(grad, *standardized(x, axes, eps), axes)


def batch_norm_weight(grad: Array, x: Array, eps: float) -> Array:
    """d/dw = the standardized values, added up for each channel."""
    axes = _all_but_channels(x.ndim)
    return (grad * standardized(x, axes, eps)[0]).sum(axis=axes)


def batch_norm_bias(grad: Array) -> Array:
    """The sum for each channel."""
    return grad.sum(axis=_all_but_channels(grad.ndim))


def standardized(
    x: Array, axes: Axes, eps: float, kept: list[Array] | None = None
) -> tuple[Array, Array]:
    """Y = (x − mean) s with s = 1 / √(variance + eps) over `axes`, and s, with those axes."""
    mean = x.mean(axis=axes, keepdims=True)
    centred = x - mean
    variance = (centred * centred).mean(axis=axes, keepdims=True)
    if kept is not None:
        kept[:] = mean.ravel(), variance.ravel()
    scale = 1 / np.sqrt(variance + eps)
    return centred * scale, scale


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


def _affine(out: Array, weight: Array, bias: Array) -> Array:
    if weight is not None:
        out = out * weight
    return out if bias is None else out + bias
