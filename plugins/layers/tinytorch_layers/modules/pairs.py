"""Layers of two inputs: the bilinear map, the cosine and the distance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_layers import init
from tinytorch_layers.functional.bilinear_map import bilinear
from tinytorch_layers.functional.distances import cosine_similarity, pairwise_distance
from tinytorch_modules import Module, Parameter, random_generator
from tinytorch_modules.arguments import flag, integer, number

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any


class Bilinear(Module):
    """The bilinear map of two inputs, with a matrix for each output; see `functional.bilinear`.

    The inputs have shapes (..., in1_features) and (..., in2_features), the output has shape
    (..., out_features).

    Args:
        in1_features, in2_features: the lengths of the last axes of the inputs.
        out_features: the length of the last axis of the output.
        bias: whether to add a bias.
        dtype: the dtype of the parameters.
        generator: a `numpy.random.Generator`, or a seed for one, for the initial parameters.
            They are uniform in ±1/√in1_features, as in PyTorch. With None, every run differs.

    Attributes:
        weight: a Parameter of shape (out_features, in1_features, in2_features).
        bias: a Parameter of shape (out_features,), or None.

    Raises:
        TypeError, ValueError: a size is not a positive integer, or `bias` is not a bool.

    >>> layer = Bilinear(2, 3, 4, generator=0)
    >>> layer(np.ones((5, 2), np.float32), np.ones((5, 3), np.float32)).shape
    (5, 4)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        self.in1_features = integer("Bilinear", "in1_features", in1_features)
        self.in2_features = integer("Bilinear", "in2_features", in2_features)
        self.out_features = integer("Bilinear", "out_features", out_features)
        shape = (self.out_features, self.in1_features, self.in2_features)
        rng, bound = random_generator(generator), 1 / math.sqrt(self.in1_features)
        self.weight = Parameter(init.uniform(shape, -bound, bound, dtype=dtype, generator=rng))
        self.bias = None
        if flag("Bilinear", "bias", bias):
            start = init.uniform(shape[:1], -bound, bound, dtype=dtype, generator=rng)
            self.bias = Parameter(start)

    def forward(self, input1: Array, input2: Array) -> Tensor:
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        without = "" if self.bias is not None else ", bias=False"
        return f"{self.in1_features}, {self.in2_features}, {self.out_features}{without}"


class CosineSimilarity(Module):
    """The cosine of the angle between vectors: see `functional.cosine_similarity`.

    Args:
        dim: the axis of the vectors.
        eps: the smallest norm.

    Raises:
        TypeError, ValueError: `dim` is not an integer, or `eps` is not a positive number.

    >>> CosineSimilarity()(np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]]))
    array([0.])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        self.dim = integer("CosineSimilarity", "dim", dim, -np.iinfo(np.int32).max)
        self.eps = number("CosineSimilarity", "eps", eps, 0, math.inf, ends="()")

    def forward(self, x1: Array, x2: Array) -> Tensor:
        return cosine_similarity(x1, x2, self.dim, self.eps)

    def extra_repr(self) -> str:
        return self._options(dim=1, eps=1e-8).removeprefix(", ")


class PairwiseDistance(Module):
    """The p-norm of the difference of vectors: see `functional.pairwise_distance`.

    Args:
        p: the order of the norm.
        eps: added to the differences.
        keepdim: whether the result keeps the last axis, with length 1.

    Raises:
        TypeError, ValueError: `p` or `eps` is not a number, or `keepdim` is not a bool.

    >>> PairwiseDistance(p=1)(np.array([3.0, 0.0]), np.array([0.0, 4.0])).round(4)
    np.float64(7.0)
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        self.p = number("PairwiseDistance", "p", p, -math.inf, math.inf, ends="[]")
        self.eps = number("PairwiseDistance", "eps", eps, -math.inf, math.inf, ends="()")
        self.keepdim = flag("PairwiseDistance", "keepdim", keepdim)

    def forward(self, x1: Array, x2: Array) -> Tensor:
        return pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)

    def extra_repr(self) -> str:
        return self._options(p=2.0, eps=1e-6, keepdim=False).removeprefix(", ")
