"""Linear, the fully connected layer, and Flatten, which prepares images for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_layers import init
from tinytorch_layers.arguments import input_shape, shape_error
from tinytorch_layers.functional.affine import linear
from tinytorch_modules import Module, Parameter, random_generator
from tinytorch_modules.arguments import flag, integer

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any


class Linear(Module):
    """The fully connected layer x @ weight + bias, also available as `Dense`.

    The input has shape (..., in_features), the output (..., out_features).

    Args:
        in_features: the length of the last axis of the input.
        out_features: the length of the last axis of the output.
        bias: whether to add a bias.
        dtype: the dtype of the parameters.
        generator: a `numpy.random.Generator`, or a seed for one, for the initial parameters.
            They are uniform in ±1/√in_features, as in PyTorch. With None, every run differs.

    Attributes:
        weight: a Parameter of shape (in_features, out_features), the transpose of PyTorch's.
        bias: a Parameter of shape (out_features,), or None.

    Raises:
        TypeError, ValueError: a size is not a positive integer, or `bias` is not a bool.

    >>> from tinytorch_core import Tensor
    >>> layer = Linear(3, 2, generator=0)
    >>> layer
    Linear(3, 2)
    >>> layer(Tensor([[1.0, 2.0, 3.0]])).shape
    (1, 2)
    """

    _transposed_in_torch = ("weight",)

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
        rng = random_generator(generator)
        self.weight = Parameter(init.default_weight(shape, dtype, rng))
        with_bias = flag("Linear", "bias", bias)
        self.bias = (
            Parameter(init.default_bias(shape, self.out_features, dtype, rng))
            if with_bias
            else None
        )

    def forward(self, x: Array) -> Tensor:
        shape = input_shape(self, x)
        if shape[-1:] != (self.in_features,):
            raise shape_error(self, f"(..., {self.in_features})", shape)
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        without = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features}, {self.out_features}{without}"


Dense = Linear


class Flatten(Module):
    """Merges axes into one, by default all but the first, the batch axis.

    Args:
        start_dim: the first axis to merge.
        end_dim: the last axis to merge.

    Raises:
        TypeError: an axis is not an integer.

    >>> Flatten()(np.zeros((10, 16, 5, 5))).shape
    (10, 400)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        # `forward` checks the range; this minimum only allows negative axes.
        minimum = -np.iinfo(np.int32).max
        self.start_dim = integer("Flatten", "start_dim", start_dim, minimum)
        self.end_dim = integer("Flatten", "end_dim", end_dim, minimum)

    def forward(self, x: Array) -> Tensor:
        shape = input_shape(self, x, floating=False)
        axes = len(shape)
        start, end = self.start_dim % max(axes, 1), self.end_dim % max(axes, 1)
        if not (-axes <= self.start_dim < axes and -axes <= self.end_dim < axes and start <= end):
            raise ValueError(
                f"{self} cannot merge the axes {self.start_dim} to {self.end_dim} of an input of "
                f"shape {shape}; both axes must exist, and start_dim must not come after end_dim"
            )
        return x.reshape((*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))

    def extra_repr(self) -> str:
        return self._options(start_dim=1, end_dim=-1).removeprefix(", ")
