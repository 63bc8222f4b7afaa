"""Layer and batch normalization."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_layers import init
from tinytorch_layers.arguments import input_shape, shape_error
from tinytorch_layers.functional.normalization import (
    batch_norm_forward,
    channelwise,
    layer_norm,
)
from tinytorch_modules import Module, Parameter
from tinytorch_modules.arguments import flag, integer, number

Array = Any


class LayerNorm(Module):
    """Standardizes each sample over its last axes, then scales and shifts it.

    See `functional.layer_norm`.

    Args:
        normalized_shape: the length of the last axis, or the lengths of the last axes.
        eps: added to the variance, which may be zero.
        elementwise_affine: whether the layer has a weight and a bias.
        bias: whether it has a bias, if `elementwise_affine`.
        dtype: the dtype of the parameters.

    Attributes:
        weight: a Parameter of shape `normalized_shape`, initially ones, or None.
        bias: a Parameter of shape `normalized_shape`, initially zeros, or None.

    Raises:
        TypeError, ValueError: a length is not a positive integer, `eps` is negative, or an option
            is not a bool.

    >>> LayerNorm(2)(np.array([[1.0, 3.0]])).data.round(3)
    array([[-1.,  1.]])
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: Any = np.float32,
    ) -> None:
        lengths = normalized_shape
        if not isinstance(lengths, tuple | list):
            lengths = (lengths,)
        if not lengths:
            raise ValueError("normalized_shape of LayerNorm must have at least one axis, not ()")
        self.normalized_shape = tuple(integer("LayerNorm", "normalized_shape", n) for n in lengths)
        self.eps = number("LayerNorm", "eps", eps, 0, math.inf, ends="[)")
        shape = self.normalized_shape
        scaled = flag("LayerNorm", "elementwise_affine", elementwise_affine)
        shifted = flag("LayerNorm", "bias", bias) and scaled
        self.weight = Parameter(init.ones(shape, dtype=dtype)) if scaled else None
        self.bias = Parameter(init.zeros(shape, dtype=dtype)) if shifted else None

    def forward(self, x: Array) -> Array:
        shape, own = input_shape(self, x), self.normalized_shape
        if shape[-len(own) :] != own:
            raise shape_error(self, f"(..., {', '.join(map(str, own))})", shape)
        return layer_norm(x, self.weight, self.bias, len(own), self.eps)

    def extra_repr(self) -> str:
        own = self.normalized_shape
        others = self._options(eps=1e-5)
        if self.weight is None:
            others += ", elementwise_affine=False"
        elif self.bias is None:
            others += ", bias=False"
        return f"{own[0] if len(own) == 1 else own}{others}"


class _BatchNorm(Module):
    """Batch normalization for inputs with any number of axes."""

    # The accepted shapes, for error messages, and the accepted numbers of axes.
    expected: str
    axes: tuple[int, ...]
    running_mean: Array
    running_var: Array
    num_batches_tracked: Array

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        *,
        dtype: Any = np.float32,
    ) -> None:
        name = type(self).__name__
        self.num_features = integer(name, "num_features", num_features)
        self.eps = number(name, "eps", eps, 0, math.inf, ends="[)")
        self.momentum = (
            None if momentum is None else number(name, "momentum", momentum, 0, 1, ends="[]")
        )
        shape = (self.num_features,)
        affine = flag(name, "affine", affine)
        self.weight = Parameter(init.ones(shape, dtype=dtype)) if affine else None
        self.bias = Parameter(init.zeros(shape, dtype=dtype)) if affine else None
        self.register_buffer("running_mean", init.zeros(shape, dtype=dtype))
        self.register_buffer("running_var", init.ones(shape, dtype=dtype))
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64))

    def forward(self, x: Array) -> Array:
        shape = input_shape(self, x)
        if len(shape) not in self.axes or shape[1] != self.num_features:
            raise shape_error(self, self.expected.format(C=self.num_features), shape)
        if not self.training:
            return self._use_running_statistics(x)
        count = math.prod(shape) // self.num_features
        if count == 0:
            # As in PyTorch, an empty batch only counts as a batch.
            vars(self)["num_batches_tracked"] += 1
            return self._use_running_statistics(x)
        if count == 1:
            raise ValueError(
                f"{self} in training mode needs more than one value for each channel, but the "
                f"input has shape {shape}; use a larger batch, or eval()"
            )
        kept: list[Array] = []
        out = batch_norm_forward(x, self.weight, self.bias, self.eps, kept)
        *_, mean, variance = kept
        self._update_statistics(mean.ravel(), variance.ravel(), count)
        return out

    def _use_running_statistics(self, x: Array) -> Array:
        scale = 1 / np.sqrt(unwrap(self.running_var) + self.eps)
        scale = scale if self.weight is None else self.weight * scale
        shift = -unwrap(self.running_mean) * scale
        shift = shift if self.bias is None else self.bias + shift
        axes = len(x.shape)
        return x * channelwise(scale, axes) + channelwise(shift, axes)

    def _update_statistics(self, mean: Array, variance: Array, count: int) -> None:
        # Written to the attributes directly, because Module checks each assignment to a buffer.
        buffers = vars(self)
        buffers["num_batches_tracked"] += 1
        momentum = self.momentum
        if momentum is None:
            batches = unwrap(self.num_batches_tracked)
            known = isinstance(batches, np.ndarray | np.generic)
            momentum = 1 / int(batches) if known else (1 / batches).astype(mean.dtype)
        by_mean = momentum * (mean - self.running_mean)
        # Bessel's correction: the unbiased estimate of the variance, as in PyTorch.
        by_var = momentum * (variance * (count / (count - 1)) - self.running_var)
        if mean.__class__ is np.ndarray:
            buffers["running_mean"] += by_mean
            buffers["running_var"] += by_var
        else:  # arrays of other libraries may not be writable
            buffers["running_mean"] = buffers["running_mean"] + by_mean
            buffers["running_var"] = buffers["running_var"] + by_var

    def extra_repr(self) -> str:
        others = self._options(eps=1e-5, momentum=0.1)
        return f"{self.num_features}{others}{'' if self.weight is not None else ', affine=False'}"


class BatchNorm1d(_BatchNorm):
    """Batch normalization of features, for inputs of shape (N, C) or (N, C, L).

    Arguments and attributes are those of `BatchNorm2d`.

    >>> layer = BatchNorm1d(2, affine=False)
    >>> layer(np.array([[1.0, 5.0], [3.0, 5.0]])).round(3)
    array([[-1.,  0.],
           [ 1.,  0.]])
    """

    expected = "(N, {C}) or (N, {C}, L)"
    axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalization of images, for inputs of shape (N, C, H, W).

    In training mode, standardizes each channel over the batch and updates the running mean and
    variance, unless the batch is empty. In evaluation mode, uses the running mean and variance
    instead. See `functional.batch_norm`.

    Args:
        num_features: C, the number of channels.
        eps: added to the variance, which may be zero.
        momentum: the weight of the new batch in the running mean and variance, in [0, 1]. With
            None they are averages over all batches.
        affine: whether the layer has a weight and a bias.
        dtype: the dtype of the parameters and of the running mean and variance.

    Attributes:
        weight: a Parameter of shape (C,), initially ones, or None.
        bias: a Parameter of shape (C,), initially zeros, or None.
        running_mean: a buffer of shape (C,), initially zeros.
        running_var: a buffer of shape (C,), initially ones.
        num_batches_tracked: a buffer, the number of batches so far.

    Raises:
        TypeError, ValueError: `num_features` is not a positive integer, `eps` is negative, or
            `momentum` is out of range, or `affine` is not a bool.

    >>> layer = BatchNorm2d(3)
    >>> layer(np.ones((2, 3, 4, 4), np.float32)).shape
    (2, 3, 4, 4)
    >>> layer.running_mean
    array([0.1, 0.1, 0.1], dtype=float32)
    """

    expected = "(N, {C}, H, W)"
    axes = (4,)
