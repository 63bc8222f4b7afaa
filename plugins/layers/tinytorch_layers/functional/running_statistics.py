"""Batch normalization with running statistics, which stand in for those of the batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import AnyArray, unwrap

from tinytorch_layers.functional.normalization import batch_norm_forward, channelwise

Array = Any
Shape = tuple[int, ...]


def batch_norm(
    x: AnyArray,
    running_mean: Array = None,
    running_var: Array = None,
    weight: Array = None,
    bias: Array = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> AnyArray:
    """Return x with each channel standardized over the batch, times `weight`, plus `bias`.

    y = (x − mean) / √(variance + eps) · weight + bias, from Ioffe & Szegedy, "Batch
    normalization", 2015, arXiv:1502.03167.

    Args:
        x: a Tensor or array of shape (N, C) or (N, C, ...).
        running_mean, running_var: Tensors or arrays of shape (C,). If `training`, they are moved
            towards the mean and variance of the batch, in place, unless the batch is empty.
            Otherwise they are used instead of those of the batch. With None for both, those of
            the batch are used; PyTorch then requires `training`.
        weight, bias: Tensors or arrays of shape (C,), or None for 1 and 0.
        training: whether to use the mean and variance of the batch.
        momentum: the weight of this batch in the running mean and variance.
        eps: added to the variance, which may be zero.

    Returns:
        A Tensor or array of the shape of x. float16 is computed in float32.

    Raises:
        ValueError: only one of `running_mean` and `running_var` is None, or `training` and there
            is one value for each channel, which has no variance.
        TypeError: x is complex, or a running mean or variance to update belongs to another
            library and is not in a Tensor, so it may not be writable.

    >>> batch_norm(np.array([[1.0, 5.0], [3.0, 5.0]])).round(3)
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    check_running("batch_norm", running_mean, running_var, updated=training)
    if not training and running_mean is not None:
        return use_statistics(x, running_mean, running_var, weight, bias, eps)
    kept: list[Array] = []
    if not training:
        return batch_norm_forward(x, weight, bias, eps, kept)
    count = math.prod(x.shape) // max(x.shape[1], 1)
    if count == 0:
        return scaled(x, weight, bias)
    check_count("batch_norm", count, x.shape)
    out = batch_norm_forward(x, weight, bias, eps, kept)
    if running_mean is not None:
        *_, mean, variance = kept
        update_in_place(running_mean, mean.ravel(), momentum)
        update_in_place(running_var, unbiased(variance.ravel(), count), momentum)
    return out


def use_statistics(
    x: Array, mean: Array, variance: Array, weight: Array, bias: Array, eps: float
) -> Array:
    """Return x normalized with a given mean and variance for each channel."""
    scale = 1 / np.sqrt(unwrap(variance) + eps)
    scale = scale if weight is None else weight * scale
    shift = -unwrap(mean) * scale
    shift = shift if bias is None else bias + shift
    axes = len(x.shape)
    return x * channelwise(scale, axes) + channelwise(shift, axes)


def scaled(y: Array, weight: Array, bias: Array) -> Array:
    """Return y of shape (N, C, ...) times `weight` plus `bias` of shape (C,), unless None."""
    axes = len(y.shape)
    y = y if weight is None else y * channelwise(weight, axes)
    return y if bias is None else y + channelwise(bias, axes)


def unbiased(variance: Array, count: int) -> Array:
    """Return the unbiased estimate of the variance, with Bessel's correction, as in PyTorch."""
    return variance * (count / (count - 1))


def updated(running: Array, new: Array, momentum: Any) -> Array:
    """Return `running` moved towards `new`; an ndarray is changed in place and returned."""
    change = momentum * (new - running)
    if change.__class__ is np.ndarray and running.__class__ is np.ndarray:
        running += change
        return running
    return running + change  # arrays of other libraries may not be writable


def update_in_place(running: Array, new: Array, momentum: float) -> None:
    """Move a running statistic, a Tensor or an ndarray, towards the one of a batch."""
    if isinstance(running, Tensor):
        running.data = updated(running.data, new, momentum)
    else:
        updated(running, new, momentum)


def check_running(owner: str, mean: Array, variance: Array, *, updated: bool) -> None:
    """Check the arguments `running_mean` and `running_var` of a function.

    Raises:
        ValueError: only one of them is None.
        TypeError: they are to be updated in place, and one is neither a Tensor nor an ndarray.
    """
    if (mean is None) != (variance is None):
        raise ValueError(
            f"{owner} needs both running_mean and running_var, or None for both, but "
            f"{'running_mean' if mean is None else 'running_var'} is None"
        )
    for name, array in (("running_mean", mean), ("running_var", variance)):
        if updated and array is not None and not isinstance(array, Tensor | np.ndarray):
            raise TypeError(
                f"{name} of {owner} is updated in place, so it must be a Tensor or an ndarray, "
                f"not {type(array).__name__}; pass Tensor(array)"
            )


def check_count(owner: object, count: int, shape: Shape) -> None:
    """Check that there is more than one value to standardize.

    Raises:
        ValueError: there is only one.
    """
    if count == 1:
        raise ValueError(
            f"{owner} in training mode needs more than one value for each channel, but the "
            f"input has shape {shape}; use a larger batch, or eval()"
        )
