"""Normalization of groups of channels, of single channels, and by the root mean square."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray

from tinytorch_layers.functional.normalization import last_lengths, layer_norm_forward
from tinytorch_layers.functional.running_statistics import (
    check_running,
    scaled,
    unbiased,
    update_in_place,
    use_statistics,
)
from tinytorch_modules.arguments import integer

Array = Any


def group_norm(
    x: AnyArray, num_groups: int, weight: Array = None, bias: Array = None, eps: float = 1e-5
) -> AnyArray:
    """Return x with each group of channels of a sample standardized, times `weight`, plus `bias`.

    Wu & He, "Group normalization", 2018, arXiv:1803.08494. It is `layer_norm` of the values of
    each group.

    Args:
        x: a Tensor or array of shape (N, C) or (N, C, ...).
        num_groups: the number of groups of consecutive channels, a divisor of C.
        weight, bias: Tensors or arrays of shape (C,), or None for 1 and 0.
        eps: added to the variance, which may be zero.

    Returns:
        A Tensor or array of the shape of x. float16 is computed in float32.

    Raises:
        ValueError: x has fewer than two axes, or `num_groups` is not positive or does not divide C.
        TypeError: x is complex, or `num_groups` is not an integer.

    >>> group_norm(np.array([[1.0, 3.0, 5.0, 5.0]]), 2).round(3)
    array([[-1.,  1.,  0.,  0.]])
    """
    groups = integer("group_norm", "num_groups", num_groups)
    if len(x.shape) < 2 or x.shape[1] % groups:
        raise ValueError(
            f"group_norm expects an input of shape (N, C) or (N, C, ...) with C divisible by "
            f"num_groups={groups}, got {x.shape}"
        )
    return scaled(standardize_groups(x, groups, eps, []), weight, bias)


def instance_norm(
    x: AnyArray,
    running_mean: Array = None,
    running_var: Array = None,
    weight: Array = None,
    bias: Array = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> AnyArray:
    """Return x with each channel of a sample standardized, times `weight`, plus `bias`.

    Ulyanov, Vedaldi & Lempitsky, "Instance normalization", 2016, arXiv:1607.08022.

    Args:
        x: a Tensor or array of shape (N, C, ...).
        running_mean, running_var: Tensors or arrays of shape (C,), or None. If `use_input_stats`,
            they are moved towards the mean over the batch of each channel's mean and variance, in
            place. Otherwise they are used instead of those of the input.
        weight, bias: Tensors or arrays of shape (C,), or None for 1 and 0.
        use_input_stats: whether to use the mean and variance of the input.
        momentum: the weight of this batch in the running mean and variance.
        eps: added to the variance, which may be zero.

    Returns:
        A Tensor or array of the shape of x. float16 is computed in float32.

    Raises:
        ValueError: there is one value for each channel of a sample, which has no variance; or
            only one of `running_mean` and `running_var` is None, or both and not
            `use_input_stats`.
        TypeError: x is complex, or a running mean or variance to update belongs to another
            library and is not in a Tensor, so it may not be writable.

    >>> instance_norm(np.array([[[1.0, 3.0], [5.0, 5.0]]])).round(3)
    array([[[-1.,  1.],
            [ 0.,  0.]]])
    """
    check_running("instance_norm", running_mean, running_var, updated=use_input_stats)
    if not use_input_stats:
        if running_mean is None:
            raise ValueError(
                "instance_norm needs running_mean and running_var if use_input_stats is False"
            )
        return use_statistics(x, running_mean, running_var, weight, bias, eps)
    check_values_per_channel("instance_norm", x.shape)
    kept: list[Array] = []
    out = scaled(standardize_groups(x, x.shape[1], eps, kept), weight, bias)
    if kept and running_mean is not None:
        mean, variance = mean_statistics(x, kept)
        update_in_place(running_mean, mean, momentum)
        update_in_place(running_var, variance, momentum)
    return out


def rms_norm(
    x: AnyArray, normalized_shape: Sequence[int], weight: Array = None, eps: float | None = None
) -> AnyArray:
    """Return x divided by its root mean square over the last axes, times `weight`.

    y = x / √(mean(x²) + eps) · weight, from Zhang & Sennrich, "Root mean square layer
    normalization", 2019, arXiv:1910.07467.

    Args:
        x: a Tensor or array.
        normalized_shape: the lengths of the last axes, over which the mean is taken.
        weight: a Tensor or array of shape `normalized_shape`, or None for 1.
        eps: added to the mean square, which may be zero; by default the distance from 1 to the
            next larger number of the dtype.

    Returns:
        A Tensor or array of the shape of x. float16 is computed in float32.

    Raises:
        ValueError: the last axes of x do not have the lengths `normalized_shape`, or `weight` does
            not have this shape.
        TypeError: x is complex, or `normalized_shape` is not a sequence of integers.

    >>> rms_norm(np.array([[3.0, 4.0], [0.0, 0.0]]), (2,)).round(3)
    array([[0.849, 1.131],
           [0.   , 0.   ]])
    """
    lengths = last_lengths("rms_norm", x.shape, normalized_shape, weight=weight)
    if x.dtype.kind == "c":
        raise TypeError(f"normalization takes real numbers, not {x.dtype} of shape {x.shape}")
    wide = x.astype(np.float32) if x.dtype.char == "e" else x
    if eps is None:
        eps = float(np.finfo(wide.dtype).eps)
    mean_square = (wide * wide).mean(axis=tuple(range(-len(lengths), 0)), keepdims=True)
    y = wide / np.sqrt(mean_square + eps)
    y = y if wide is x else y.astype(x.dtype)
    return y if weight is None else y * weight


def standardize_groups(x: Array, groups: int, eps: float, kept: list[Array]) -> Array:
    """Return x of shape (N, C, ...) with each group of channels of a sample standardized.

    Args:
        x: a Tensor or array. If it is empty, it is returned as it is.
        groups: the number of groups, a divisor of C.
        eps: added to the variance.
        kept: an empty list, which gets 1 / √(variance + eps), the mean and the variance, all of
            shape (N, groups, 1), unless x is empty.
    """
    shape = x.shape
    size = math.prod(shape)
    if not size:
        return x
    rows = x.reshape((shape[0], groups, size // (shape[0] * groups)))
    return layer_norm_forward(rows, None, None, 1, eps, kept).reshape(shape)


def mean_statistics(x: Array, kept: list[Array]) -> tuple[Array, Array]:
    """Return the mean over the batch of the mean and of the unbiased variance of each channel.

    Args:
        x: the input of `standardize_groups`.
        kept: what it kept.
    """
    *_, mean, variance = kept
    count = math.prod(x.shape[2:])
    return mean.mean(axis=(0, 2)), unbiased(variance.mean(axis=(0, 2)), count)


def check_values_per_channel(owner: object, shape: tuple[int, ...]) -> None:
    """Check that each channel of a sample has more than one value.

    Raises:
        ValueError: it has one.
    """
    if math.prod(shape[2:]) == 1:
        raise ValueError(
            f"{owner} needs more than one value for each channel of a sample, but the input has "
            f"shape {shape}; standardizing one value gives 0"
        )
