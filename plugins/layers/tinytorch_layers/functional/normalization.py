"""The ops of layer and batch normalization, with their backward rules; and `layer_norm`."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from tinytorch_core import Tensor, op
from tinytorch_core.extend import AnyArray, are_ndarrays, kernel, matmul, sum_rows

Array = Any
Axes = tuple[int, ...]
Shape = tuple[int, ...]
Kept = list[Array]


def layer_norm(
    x: AnyArray,
    normalized_shape: Sequence[int],
    weight: Array = None,
    bias: Array = None,
    eps: float = 1e-5,
) -> AnyArray:
    """Return x standardized over its last axes, times `weight`, plus `bias`.

    y = (x − mean) / √(variance + eps) · weight + bias, from Ba, Kiros & Hinton, "Layer
    normalization", 2016, arXiv:1607.06450.

    Args:
        x: a Tensor or array.
        normalized_shape: the lengths of the last axes, over which the mean and variance are taken.
        weight, bias: Tensors or arrays of shape `normalized_shape`, or None for 1 and 0.
        eps: added to the variance, which may be zero.

    Returns:
        A Tensor or array of the shape of x. float16 is computed in float32.

    Raises:
        ValueError: the last axes of x do not have the lengths `normalized_shape`, or `weight` or
            `bias` does not have this shape.
        TypeError: x is complex, or `normalized_shape` is not a sequence of integers.

    >>> layer_norm(np.array([[1.0, 3.0], [2.0, 2.0]]), (2,), eps=0.0001).round(3)
    array([[-1.,  1.],
           [ 0.,  0.]])
    """
    lengths = last_lengths("layer_norm", x.shape, normalized_shape, weight=weight, bias=bias)
    return layer_norm_forward(x, weight, bias, len(lengths), eps, [])


def last_lengths(owner: str, shape: Shape, normalized_shape: Any, **parameters: Array) -> Shape:
    """Return `normalized_shape` as a tuple, after comparing it with the shapes of the inputs.

    Args:
        owner: the name of the function.
        shape: the shape of the input, whose last axes must have these lengths.
        normalized_shape: the lengths.
        parameters: arrays that must have this shape, or None, under their names.

    Raises:
        ValueError: a shape does not match, or `normalized_shape` is empty.
        TypeError: `normalized_shape` is not a sequence of integers.
    """
    try:
        lengths = tuple(operator.index(length) for length in normalized_shape)
    except TypeError:
        raise TypeError(
            f"normalized_shape of {owner} must be the lengths of the last axes, such as "
            f"x.shape[-1:], not {normalized_shape!r:.60}"
        ) from None
    if not lengths or shape[-len(lengths) :] != lengths:
        expected = ", ".join(map(str, ("...", *lengths)))
        raise ValueError(f"{owner} expects an input of shape ({expected}), got {shape}")
    for name, parameter in parameters.items():
        if parameter is not None and np.shape(parameter) != lengths:
            raise ValueError(
                f"{name} of {owner} must have the shape {lengths}, not {np.shape(parameter)}"
            )
    return lengths


@op("layer_norm")
def layer_norm_forward(
    x: Array,
    weight: Array = None,
    bias: Array = None,
    axes: int = 1,
    eps: float = 1e-5,
    kept: Kept | None = None,
) -> Array:
    """Return `layer_norm`, and put what `_standardize` keeps for the backward pass into `kept`."""
    return _affine(_standardize(x, _last(axes), eps, kept), weight, bias)


def layer_norm_x(
    grad: Array, x: Array, weight: Array, axes: int, eps: float, kept: Kept | None
) -> Array:
    """dL/dx: see `standardize_x`."""
    y, scale = _kept_or_recomputed(x, _last(axes), eps, kept)
    return standardize_x(grad if weight is None else grad * weight, y, scale, _last(axes))


def layer_norm_weight(grad: Array, x: Array, axes: int, eps: float, kept: Kept | None) -> Array:
    """dL/dweight = g · standardized x; autograd sums over the axes that are left."""
    return layer_norm_bias(grad * _kept_or_recomputed(x, _last(axes), eps, kept)[0], axes)


def layer_norm_bias(grad: Array, axes: int) -> Array:
    """dL/dbias = g; autograd sums over the axes that are left."""
    return sum_rows(grad) if axes == 1 else grad


@op("batch_norm")
def batch_norm_forward(
    x: Array,
    weight: Array = None,
    bias: Array = None,
    eps: float = 1e-5,
    kept: Kept | None = None,
) -> Array:
    """Return `batch_norm` with the statistics of the batch.

    What `_standardize` keeps for the backward pass is put into `kept`.
    """
    y = _standardize(x, _all_but_channels(x.ndim), eps, kept)
    return _affine(y, channelwise(weight, x.ndim), channelwise(bias, x.ndim))


def batch_norm_x(grad: Array, x: Array, weight: Array, eps: float, kept: Kept | None) -> Array:
    """dL/dx: see `standardize_x`."""
    axes = _all_but_channels(x.ndim)
    y, scale = _kept_or_recomputed(x, axes, eps, kept)
    weight = channelwise(weight, x.ndim)
    return standardize_x(grad if weight is None else grad * weight, y, scale, axes)


def batch_norm_weight(grad: Array, x: Array, eps: float, kept: Kept | None) -> Array:
    """dL/dweight = the sum of g · standardized x over each channel."""
    axes = _all_but_channels(x.ndim)
    return (grad * _kept_or_recomputed(x, axes, eps, kept)[0]).sum(axis=axes)


def batch_norm_bias(grad: Array) -> Array:
    """dL/dbias = the sum of g over each channel."""
    return grad.sum(axis=_all_but_channels(grad.ndim))


def standardize(x: Array, axes: Axes, eps: float) -> tuple[Array, Array, Array, Array]:
    """Return (x − mean) s with s = 1 / √(variance + eps), then s, mean and variance over `axes`.

    The variance is the mean of squares, divided by the count and not by count − 1. It may be too
    large for float16, so float16 is computed in float32, and only the first result is float16.

    Raises:
        TypeError: x is complex, and the mean of its squares is not a variance.
    """
    if x.dtype.char == "e":
        y, scale, mean, variance = standardize(x.astype(np.float32), axes, eps)
        return y.astype(x.dtype), scale, mean, variance
    if x.dtype.kind == "c":
        raise TypeError(f"normalization takes real numbers, not {x.dtype} of shape {x.shape}")
    if axes == (-1,):
        return _standardize_last(x, eps)
    return _standardize_over(x, axes, eps)


@kernel("x")
def _standardize_last(x: Array, eps: float) -> tuple[Array, Array, Array, Array]:
    """Return `standardize` over the last axis."""
    if not _is_plain(x):
        return _standardize_over(x, (-1,), eps)
    # A product with ones takes a quarter of the time of a mean, and np.vecdot half of a square.
    mean = _mean(x)
    y = x - mean
    variance = np.vecdot(y, y)[..., None] / x.shape[-1]
    scale = 1 / np.sqrt(variance + eps)
    return y * scale, scale, mean, variance


def _standardize_over(x: Array, axes: Axes, eps: float) -> tuple[Array, Array, Array, Array]:
    mean = x.mean(axis=axes, keepdims=True)
    centred = x - mean
    variance = (centred * centred).mean(axis=axes, keepdims=True)
    scale = 1 / np.sqrt(variance + eps)
    return centred * scale, scale, mean, variance


def standardize_x(grad: Array, y: Array, scale: Array, axes: Axes) -> Array:
    """dL/dx = s (g − mean(g) − y · mean(g · y)) for y = standardize(x).

    The last two terms are the derivatives of the mean and of the variance.
    """
    if axes == (-1,):
        return _standardize_last_x(grad, y, scale)
    return _standardize_over_x(grad, y, scale, axes)


@kernel("grad", "y", "scale")
def _standardize_last_x(grad: Array, y: Array, scale: Array) -> Array:
    """Return `standardize_x` for the last axis."""
    if not (_is_plain(y) and _is_plain(grad) and y.dtype == grad.dtype == scale.dtype):
        return _standardize_over_x(grad, y, scale, (-1,))
    out = y * (np.vecdot(grad, y)[..., None] / -y.shape[-1])
    out += grad
    out -= _mean(grad)
    out *= scale
    return out


def _standardize_over_x(grad: Array, y: Array, scale: Array, axes: Axes) -> Array:
    projection = (grad * y).mean(axis=axes, keepdims=True)
    return scale * (grad - grad.mean(axis=axes, keepdims=True) - y * projection)


def _is_plain(x: Array) -> bool:
    """Return whether an array is one of NumPy's that BLAS can multiply, and not empty."""
    return x.__class__ is np.ndarray and x.dtype.char in "fd" and x.size > 0 and x.ndim > 0


def _mean(x: Array) -> Array:
    """Return the mean over the last axis, which is kept with length 1."""
    count = x.shape[-1]
    return matmul(x, _weights(count, x.dtype.char))


@lru_cache(maxsize=8)
def _weights(count: int, dtype: str) -> Array:
    return np.full((count, 1), 1 / count, dtype)


def channelwise(values: Array, axes: int) -> Array:
    """Return values of shape (C,), reshaped to broadcast with (N, C, ...) of `axes` axes.

    None is returned unchanged.
    """
    return values if values is None or axes == 2 else values.reshape((-1, *(1,) * (axes - 2)))


def _last(axes: int) -> Axes:
    return tuple(range(-axes, 0))


def _all_but_channels(axes: int) -> Axes:
    return (0, *range(2, axes))


def _standardize(x: Array, axes: Axes, eps: float, kept: Kept | None) -> Array:
    """Return x standardized, and fill `kept` with the scale, the mean and the variance."""
    y, *small = standardize(x, axes, eps)
    if kept is not None:
        kept[:] = small
    return y


def _kept_or_recomputed(x: Array, axes: Axes, eps: float, kept: Kept | None) -> tuple[Array, Array]:
    """Return the first two results of `standardize` in the dtype of x.

    For a Tensor the mean and the scale are recomputed, so that they are recorded for second
    derivatives. Standardized values are not kept: they would need as much memory as x, which the
    graph keeps anyway.
    """
    if not kept or isinstance(x, Tensor):
        y, scale = standardize(x, axes, eps)[:2]
    elif len(kept) > 3:
        scale, _, _, y = kept
    else:
        scale, mean, _ = kept
        y = x - mean
        y *= scale
        kept.append(y)  # for the gradient of the weight, before the graph is freed
    return (y.astype(x.dtype), scale.astype(x.dtype)) if x.dtype.char == "e" else (y, scale)


def _affine(y: Array, weight: Array, bias: Array) -> Array:
    """Return y · weight + bias; `y` may be written into."""
    for operation, operand in ((np.multiply, weight), (np.add, bias)):
        if operand is not None:
            in_place = are_ndarrays(y, operand) and y.dtype == operand.dtype
            y = operation(y, operand, out=y) if in_place else operation(y, operand)
    return y
