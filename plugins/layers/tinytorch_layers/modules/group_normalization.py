"""Normalization of groups of channels, of single channels, and by the root mean square."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_layers import init
from tinytorch_layers.arguments import input_shape, shape_error
from tinytorch_layers.functional.group_normalization import (
    check_values_per_channel,
    group_norm,
    mean_statistics,
    rms_norm,
    standardize_groups,
)
from tinytorch_layers.functional.running_statistics import scaled
from tinytorch_layers.modules.normalization import RunningNorm, axis_lengths
from tinytorch_modules import Module, Parameter
from tinytorch_modules.arguments import flag, integer, number

Array = Any


class GroupNorm(Module):
    """Standardizes groups of channels of each sample, then scales and shifts each channel.

    The input has shape (N, C) or (N, C, ...). See `functional.group_norm`.

    Args:
        num_groups: the number of groups of consecutive channels.
        num_channels: C, the number of channels, a multiple of `num_groups`.
        eps: added to the variance, which may be zero.
        affine: whether the layer has a weight and a bias.
        bias: whether it has a bias, if `affine`.
        dtype: the dtype of the parameters.

    Attributes:
        weight: a Parameter of shape (C,), initially ones, or None.
        bias: a Parameter of shape (C,), initially zeros, or None.

    Raises:
        TypeError, ValueError: a number is not a positive integer, `eps` is negative, or an option
            is not a bool.
        ValueError: `num_groups` does not divide `num_channels`.

    >>> GroupNorm(2, 4)(np.array([[1.0, 3.0, 5.0, 5.0]])).data.round(3)
    array([[-1.,  1.,  0.,  0.]])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        dtype: Any = np.float32,
    ) -> None:
        self.num_groups = integer("GroupNorm", "num_groups", num_groups)
        self.num_channels = integer("GroupNorm", "num_channels", num_channels)
        if self.num_channels % self.num_groups:
            raise ValueError(
                "num_groups of GroupNorm must divide num_channels, but "
                f"{self.num_groups} does not divide {self.num_channels}"
            )
        self.eps = number("GroupNorm", "eps", eps, 0, math.inf, ends="[)")
        scale = flag("GroupNorm", "affine", affine)
        shift = flag("GroupNorm", "bias", bias) and scale
        shape = (self.num_channels,)
        self.weight = Parameter(init.ones(shape, dtype=dtype)) if scale else None
        self.bias = Parameter(init.zeros(shape, dtype=dtype)) if shift else None

    def forward(self, x: Array) -> Tensor:
        shape = input_shape(self, x)
        if len(shape) < 2 or shape[1] != self.num_channels:
            expected = f"(N, {self.num_channels}) or (N, {self.num_channels}, ...)"
            raise shape_error(self, expected, shape)
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        options = self._options(eps=1e-5)
        if self.weight is None:
            options += ", affine=False"
        elif self.bias is None:
            options += ", bias=False"
        return f"{self.num_groups}, {self.num_channels}{options}"


class _InstanceNorm(RunningNorm):
    """Instance normalization for inputs with any number of axes."""

    by_default = False
    # The accepted shapes, for error messages, and the number of axes with a batch axis.
    expected: str
    axes: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, bias=bias, dtype=dtype
        )

    def forward(self, x: Array) -> Tensor:
        shape = input_shape(self, x)
        if shape[-self.axes + 1 :][:1] != (self.num_features,) or len(shape) > self.axes:
            raise shape_error(self, self.expected.format(C=self.num_features), shape)
        return self._batch(x) if len(shape) == self.axes else self._batch(x[None])[0]

    def _batch(self, x: Array) -> Array:
        if self.uses_running_statistics:
            return self.use_running_statistics(x)
        check_values_per_channel(self, x.shape)
        kept: list[Array] = []
        out = standardize_groups(x, self.num_features, self.eps, kept)
        if kept and self.training and self.running_mean is not None:
            # As in PyTorch, None keeps the running statistics as they are.
            self.update_statistics(*mean_statistics(x, kept), self.momentum or 0)
        return scaled(out, self.weight, self.bias)


class InstanceNorm1d(_InstanceNorm):
    """Instance normalization of sequences, for inputs of shape (N, C, L) or (C, L).

    Arguments and attributes are those of `InstanceNorm2d`.

    >>> InstanceNorm1d(1)(np.array([[[1.0, 3.0]]])).round(3)
    array([[[-1.,  1.]]])
    """

    expected = "(N, {C}, L) or ({C}, L)"
    axes = 3


class InstanceNorm2d(_InstanceNorm):
    """Instance normalization of images, for inputs of shape (N, C, H, W) or (C, H, W).

    Standardizes each channel of each sample. With `track_running_stats`, evaluation mode uses a
    running mean and variance instead. See `functional.instance_norm`.

    Args:
        num_features: C, the number of channels.
        eps: added to the variance, which may be zero.
        momentum: the weight of the new batch in the running mean and variance, in [0, 1]. With
            None they stay as they are.
        affine: whether the layer has a weight and a bias.
        track_running_stats: whether there is a running mean and variance.
        bias: whether the layer has a bias, if `affine`.
        dtype: the dtype of the parameters and of the running mean and variance.

    Attributes:
        weight: a Parameter of shape (C,), initially ones, or None.
        bias: a Parameter of shape (C,), initially zeros, or None.
        running_mean: a buffer of shape (C,), initially zeros, or None.
        running_var: a buffer of shape (C,), initially ones, or None.
        num_batches_tracked: a buffer, which stays 0, as in PyTorch, or None.

    Raises:
        TypeError, ValueError: `num_features` is not a positive integer, `eps` is negative, or
            `momentum` is out of range, or another option is not a bool.

    >>> InstanceNorm2d(3)(np.ones((2, 3, 4, 4), np.float32)).shape
    (2, 3, 4, 4)
    """

    expected = "(N, {C}, H, W) or ({C}, H, W)"
    axes = 4


class RMSNorm(Module):
    """Divides each sample by its root mean square over its last axes, then scales it.

    See `functional.rms_norm`.

    Args:
        normalized_shape: the length of the last axis, or the lengths of the last axes.
        eps: added to the mean square, which may be zero; by default the distance from 1 to the
            next larger number of the dtype of the input.
        elementwise_affine: whether the layer has a weight.
        dtype: the dtype of the weight.

    Attributes:
        weight: a Parameter of shape `normalized_shape`, initially ones, or None.

    Raises:
        TypeError, ValueError: a length is not a positive integer, `eps` is negative, or
            `elementwise_affine` is not a bool.

    >>> RMSNorm(2)(np.array([[3.0, 4.0]])).data.round(3)
    array([[0.849, 1.131]])
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: Any = np.float32,
    ) -> None:
        self.normalized_shape = axis_lengths("RMSNorm", normalized_shape)
        self.eps = None if eps is None else number("RMSNorm", "eps", eps, 0, math.inf, ends="[)")
        scale = flag("RMSNorm", "elementwise_affine", elementwise_affine)
        self.weight = Parameter(init.ones(self.normalized_shape, dtype=dtype)) if scale else None

    def forward(self, x: Array) -> Tensor:
        shape, own = input_shape(self, x), self.normalized_shape
        if shape[-len(own) :] != own:
            raise shape_error(self, f"(..., {', '.join(map(str, own))})", shape)
        return rms_norm(x, own, self.weight, self.eps)

    def extra_repr(self) -> str:
        own = self.normalized_shape
        options = self._options(eps=None)
        if self.weight is None:
            options += ", elementwise_affine=False"
        return f"{own[0] if len(own) == 1 else own}{options}"
