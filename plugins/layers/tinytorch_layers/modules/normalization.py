"""Layers that standardize: over the features of a sample, or over the batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_layers import init
from tinytorch_layers.arguments import integer, number, shape_of, wrong_shape
from tinytorch_layers.functional.normalization import batch_norm, channelwise, layer_norm
from tinytorch_layers.module import Module
from tinytorch_layers.parameter import Parameter

Array = Any


class LayerNorm(Module):
    """Each sample standardized over its last axes, then scaled and shifted.

    See `functional.layer_norm`.

    Args:
        normalized_shape: the length of the last axis, or the lengths of the last axes.
        eps: keeps the quotient finite where there is no spread.
        elementwise_affine: False for a layer without parameters.
        bias: False for one that only scales.
        dtype: of the parameters.

    Attributes:
        weight: a Parameter of shape `normalized_shape`, at first ones, or None.
        bias: a Parameter of this shape, at first zeros, or None.

    Raises:
        TypeError, ValueError: a length is no positive integer, or `eps` is negative.

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
            raise ValueError("normalized_shape of LayerNorm must have at least one axis")
        self.normalized_shape = tuple(integer("LayerNorm", "normalized_shape", n) for n in lengths)
        self.eps = number("LayerNorm", "eps", eps, 0, math.inf, ends="[)")
        shape = self.normalized_shape
        self.weight = Parameter(init.ones(shape, dtype=dtype)) if elementwise_affine else None
        self.bias = (
            Parameter(init.zeros(shape, dtype=dtype)) if elementwise_affine and bias else None
        )

    def forward(self, x: Array) -> Array:
        shape, own = shape_of(self, x), self.normalized_shape
        if shape[-len(own) :] != own:
            raise wrong_shape(self, f"(..., {', '.join(map(str, own))})", shape)
        return layer_norm(x, self.weight, self.bias, len(own), self.eps, [])

    def extra_repr(self) -> str:
        own = self.normalized_shape
        others = self._options(eps=1e-5)
        if self.weight is None:
            others += ", elementwise_affine=False"
        elif self.bias is None:
            others += ", bias=False"
        return f"{own[0] if len(own) == 1 else own}{others}"


class _BatchNorm(Module):
    """What the two have in common; `axes` are how many an input may have."""

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
        self.weight = Parameter(init.ones(shape, dtype=dtype)) if affine else None
        self.bias = Parameter(init.zeros(shape, dtype=dtype)) if affine else None
        self.register_buffer("running_mean", init.zeros(shape, dtype=dtype))
        self.register_buffer("running_var", init.ones(shape, dtype=dtype))
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64))

    def forward(self, x: Array) -> Array:
        shape = shape_of(self, x)
        if len(shape) not in self.axes or shape[1] != self.num_features:
            raise wrong_shape(self, self.expected.format(C=self.num_features), shape)
        if not self.training:
            return self._by_running_values(x)
        count = math.prod(shape) // self.num_features
        if count < 2:
            raise ValueError(
                f"{self} in training needs more than one value for each channel, and the input "
                f"has the shape {shape}; use a larger batch, or eval()"
            )
        kept: list[Array] = []
        out = batch_norm(x, self.weight, self.bias, self.eps, kept)
        *_, mean, variance = kept
        self._track(mean.ravel(), variance.ravel(), count)
        return out

    def _by_running_values(self, x: Array) -> Array:
        scale = 1 / np.sqrt(unwrap(self.running_var) + self.eps)
        scale = scale if self.weight is None else self.weight * scale
        shift = -unwrap(self.running_mean) * scale
        shift = shift if self.bias is None else self.bias + shift
        axes = len(x.shape)
        return x * channelwise(scale, axes) + channelwise(shift, axes)

    def _track(self, mean: Array, variance: Array, count: int) -> None:
        self.num_batches_tracked += 1
        part = self.momentum
        if part is None:
            part = 1 / int(self.num_batches_tracked)
        self.running_mean += part * (mean - self.running_mean)
        # The variance of all that the batch stands for, of which it is a sample.
        self.running_var += part * (variance * (count / (count - 1)) - self.running_var)

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

    In training each channel is standardized over the batch, and the running mean and variance
    move towards those of the batch; in evaluation these are used instead. See
    `functional.batch_norm`.

    Args:
        num_features: C, how many channels there are.
        eps: keeps the quotient finite where there is no spread.
        momentum: by which part the running values move to those of a batch; None keeps the
            plain mean over all batches.
        affine: False for a layer without parameters.
        dtype: of the parameters and the running values.

    Attributes:
        weight: a Parameter of shape (C,), at first ones, or None.
        bias: a Parameter of shape (C,), at first zeros, or None.
        running_mean: a buffer of shape (C,), at first zeros.
        running_var: a buffer of shape (C,), at first ones.
        num_batches_tracked: a buffer, how many batches there were.

    Raises:
        TypeError, ValueError: `num_features` is no positive integer, `eps` is negative, or
            `momentum` does not lie in [0, 1].

    >>> layer = BatchNorm2d(3)
    >>> layer(np.ones((2, 3, 4, 4), np.float32)).shape
    (2, 3, 4, 4)
    >>> layer.running_mean
    array([0.1, 0.1, 0.1], dtype=float32)
    """

    expected = "(N, {C}, H, W)"
    axes = (4,)
