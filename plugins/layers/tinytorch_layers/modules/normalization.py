"""Layer and batch normalization."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

from tinytorch_layers import init
from tinytorch_layers.arguments import input_shape, shape_error
from tinytorch_layers.functional.normalization import batch_norm_forward, layer_norm_forward
from tinytorch_layers.functional.running_statistics import (
    check_count,
    scaled,
    unbiased,
    updated,
    use_statistics,
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
        self.normalized_shape = axis_lengths("LayerNorm", normalized_shape)
        self.eps = number("LayerNorm", "eps", eps, 0, math.inf, ends="[)")
        shape = self.normalized_shape
        scaled = flag("LayerNorm", "elementwise_affine", elementwise_affine)
        shifted = flag("LayerNorm", "bias", bias) and scaled
        self.weight = Parameter(init.ones(shape, dtype=dtype)) if scaled else None
        self.bias = Parameter(init.zeros(shape, dtype=dtype)) if shifted else None

    def forward(self, x: Array) -> Tensor:
        shape, own = input_shape(self, x), self.normalized_shape
        if shape[-len(own) :] != own:
            raise shape_error(self, f"(..., {', '.join(map(str, own))})", shape)
        return layer_norm_forward(x, self.weight, self.bias, len(own), self.eps, [])

    def extra_repr(self) -> str:
        own = self.normalized_shape
        others = self._options(eps=1e-5)
        if self.weight is None:
            others += ", elementwise_affine=False"
        elif self.bias is None:
            others += ", bias=False"
        return f"{own[0] if len(own) == 1 else own}{others}"


def axis_lengths(layer: str, normalized_shape: Any) -> tuple[int, ...]:
    """Return the argument `normalized_shape` of a layer, one length or several, as a tuple.

    Raises:
        TypeError: a length is not an integer.
        ValueError: a length is not positive, or there are none.
    """
    lengths = normalized_shape
    if not isinstance(lengths, tuple | list):
        lengths = (lengths,)
    if not lengths:
        raise ValueError(f"normalized_shape of {layer} must have at least one axis, not ()")
    return tuple(integer(layer, "normalized_shape", n) for n in lengths)


class RunningNorm(Module):
    """Base class of the layers with parameters and running statistics for each channel.

    Arguments and attributes are those of `BatchNorm2d`.
    """

    running_mean: Array
    running_var: Array
    num_batches_tracked: Array
    # Whether `affine` and `track_running_stats` are True by default, for the repr.
    by_default: ClassVar[bool] = True

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: Any = np.float32,
    ) -> None:
        name = type(self).__name__
        self.num_features = integer(name, "num_features", num_features)
        self.eps = number(name, "eps", eps, 0, math.inf, ends="[)")
        self.momentum = (
            None if momentum is None else number(name, "momentum", momentum, 0, 1, ends="[]")
        )
        self.track_running_stats = flag(name, "track_running_stats", track_running_stats)
        shape = (self.num_features,)
        scaled = flag(name, "affine", affine)
        shifted = flag(name, "bias", bias) and scaled
        self.weight = Parameter(init.ones(shape, dtype=dtype)) if scaled else None
        self.bias = Parameter(init.zeros(shape, dtype=dtype)) if shifted else None
        tracked = self.track_running_stats
        self.register_buffer("running_mean", init.zeros(shape, dtype=dtype) if tracked else None)
        self.register_buffer("running_var", init.ones(shape, dtype=dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64) if tracked else None)

    @property
    def uses_running_statistics(self) -> bool:
        """Whether `forward` uses the running mean and variance, not those of the input."""
        return not self.training and self.running_mean is not None

    def use_running_statistics(self, x: Array) -> Array:
        """Return x normalized with the running mean and variance."""
        return use_statistics(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.eps
        )

    def update_statistics(self, mean: Array, variance: Array, momentum: Any) -> None:
        """Move the running mean and variance towards those of a batch, if they are tracked."""
        # Written to the attributes directly, because Module checks each assignment to a buffer.
        buffers = vars(self)
        buffers["running_mean"] = updated(buffers["running_mean"], mean, momentum)
        buffers["running_var"] = updated(buffers["running_var"], variance, momentum)

    def extra_repr(self) -> str:
        options, affine = self._options(eps=1e-5, momentum=0.1), self.weight is not None
        if affine != self.by_default:
            options += f", affine={affine}"
        options += self._options(track_running_stats=self.by_default)
        if affine and self.bias is None:
            options += ", bias=False"
        return f"{self.num_features}{options}"


class _BatchNorm(RunningNorm):
    """Batch normalization for inputs with any number of axes."""

    # The accepted shapes, for error messages, and the accepted numbers of axes.
    expected: str
    axes: tuple[int, ...]

    def forward(self, x: Array) -> Tensor:
        shape = input_shape(self, x)
        if len(shape) not in self.axes or shape[1] != self.num_features:
            raise shape_error(self, self.expected.format(C=self.num_features), shape)
        if self.uses_running_statistics:
            return self.use_running_statistics(x)
        count = math.prod(shape) // self.num_features
        check_count(self, count, shape)
        tracked = self.training and self.running_mean is not None
        if tracked:
            vars(self)["num_batches_tracked"] += 1
        if count == 0:
            # As in PyTorch, an empty batch only counts as a batch.
            return scaled(x, self.weight, self.bias)
        kept: list[Array] = []
        out = batch_norm_forward(x, self.weight, self.bias, self.eps, kept)
        if tracked:
            *_, mean, variance = kept
            mean, variance = mean.ravel(), unbiased(variance.ravel(), count)
            self.update_statistics(mean, variance, self._momentum(mean.dtype))
        return out

    def _momentum(self, dtype: Any) -> Any:
        if self.momentum is not None:
            return self.momentum
        batches = unwrap(self.num_batches_tracked)
        known = isinstance(batches, np.ndarray | np.generic)
        return 1 / int(batches) if known else (1 / batches).astype(dtype)


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
        track_running_stats: whether there is a running mean and variance. Without them, those of
            the batch are used in evaluation mode, too.
        bias: whether the layer has a bias, if `affine`.
        dtype: the dtype of the parameters and of the running mean and variance.

    Attributes:
        weight: a Parameter of shape (C,), initially ones, or None.
        bias: a Parameter of shape (C,), initially zeros, or None.
        running_mean: a buffer of shape (C,), initially zeros, or None.
        running_var: a buffer of shape (C,), initially ones, or None.
        num_batches_tracked: a buffer, the number of batches so far, or None.

    Raises:
        TypeError, ValueError: `num_features` is not a positive integer, `eps` is negative, or
            `momentum` is out of range, or another option is not a bool.

    >>> layer = BatchNorm2d(3)
    >>> layer(np.ones((2, 3, 4, 4), np.float32)).shape
    (2, 3, 4, 4)
    >>> layer.running_mean
    array([0.1, 0.1, 0.1], dtype=float32)
    """

    expected = "(N, {C}, H, W)"
    axes = (4,)
