"""The fully connected layer, and the step from images to it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_layers import init
from tinytorch_layers.arguments import integer, shape_of, wrong_shape
from tinytorch_layers.functional.affine import linear
from tinytorch_layers.module import Module
from tinytorch_layers.parameter import Parameter

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any


class Linear(Module):
    """The fully connected layer x @ weight + bias. `Dense` is another name of it.

    Args:
        in_features: the length of the last axis of the input.
        out_features: that of the output.
        bias: False for a layer without.
        dtype: of the parameters.
        generator: a `numpy.random.Generator`, or a seed for one, from which the parameters are
            drawn, uniformly in ±1/√in_features as in PyTorch. None draws others in every run.

    Attributes:
        weight: a Parameter of shape (in_features, out_features), so PyTorch's transposed.
        bias: a Parameter of shape (out_features,), or None.

    Raises:
        TypeError, ValueError: a size is no positive integer.

    The input has the shape (..., in_features), the output (..., out_features).

    >>> from tinytorch_core import Tensor
    >>> layer = Linear(3, 2, generator=0)
    >>> layer
    Linear(3, 2)
    >>> layer(Tensor([[1.0, 2.0, 3.0]])).shape
    (1, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        self.in_features = integer("Linear", "in_features", in_features)
        self.out_features = integer("Linear", "out_features", out_features)
        shape = (self.in_features, self.out_features)
        rng = init.random_generator(generator)
        self.weight = Parameter(init.default_weight(shape, dtype, rng))
        self.bias = (
            Parameter(init.default_bias(shape, self.out_features, dtype, rng)) if bias else None
        )

    def forward(self, x: Array) -> Array:
        shape = shape_of(self, x)
        if shape[-1:] != (self.in_features,):
            raise wrong_shape(self, f"(..., {self.in_features})", shape)
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        without = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features}, {self.out_features}{without}"


Dense = Linear


class Flatten(Module):
    """Joins axes into one, by default all but the first, which numbers the samples.

    Args:
        start_dim: the first axis to be joined.
        end_dim: the last one.

    Raises:
        TypeError: an axis is no integer.

    >>> Flatten()(np.zeros((10, 16, 5, 5))).shape
    (10, 400)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        least = -np.iinfo(np.int32).max
        self.start_dim = integer("Flatten", "start_dim", start_dim, least)
        self.end_dim = integer("Flatten", "end_dim", end_dim, least)

    def forward(self, x: Array) -> Array:
        shape = shape_of(self, x, floating=False)
        axes = len(shape)
        start, end = self.start_dim % max(axes, 1), self.end_dim % max(axes, 1)
        if not (-axes <= self.start_dim < axes and -axes <= self.end_dim < axes and start <= end):
            raise ValueError(
                f"{self} joins the axes {self.start_dim} to {self.end_dim}, which an input of "
                f"shape {shape} does not have in this order"
            )
        return x.reshape((*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))

    def extra_repr(self) -> str:
        return self._options(start_dim=1, end_dim=-1).removeprefix(", ")
