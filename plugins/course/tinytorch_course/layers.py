"""The layers of the course that are not of a particular kind of network."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_course.tensor import Tensor, to_tensor
from tinytorch_layers import functional

__all__ = ["Dropout", "Layer", "Linear"]


class Layer:
    """The base class of layers: a subclass defines `forward` and `parameters`."""

    def forward(self, x: Any) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must define forward()")

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.forward(*args, **options)

    def parameters(self) -> list[Tensor]:
        """Return the tensors that are learned."""
        return []

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Linear(Layer):
    """x · weight + bias.

    Args:
        in_features, out_features: the lengths of the last axis of the input and of the output.
        bias: whether to add a bias, which is zero at first.

    >>> Linear(3, 2)([[1.0, 2.0, 3.0]]).shape
    (1, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.in_features, self.out_features = in_features, out_features
        weight = np.random.randn(in_features, out_features) * np.sqrt(1 / in_features)
        self.weight = Tensor(weight, requires_grad=True)
        self.bias = Tensor(np.zeros(out_features), requires_grad=True) if bias else None

    def forward(self, x: Any) -> Tensor:
        return functional.linear(to_tensor(x), self.weight, self.bias)

    def parameters(self) -> list[Tensor]:
        return [self.weight] if self.bias is None else [self.weight, self.bias]

    def __repr__(self) -> str:
        return f"Linear({self.in_features}, {self.out_features}, bias={self.bias is not None})"


class Dropout(Layer):
    """Sets values to zero with probability p, and divides the others by 1 − p.

    Args:
        p: the probability, from 0 to 1.

    Raises:
        ValueError: p is out of range.
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"p of Dropout must be from 0 to 1, not {p!r}")
        self.p = p

    def forward(self, x: Any, training: bool = True) -> Tensor:
        """Return the result for training, or x itself if `training` is false."""
        x = to_tensor(x)
        if not training or self.p == 0:
            return x
        if self.p == 1:
            return x * 0.0
        keep = np.random.random(x.shape) >= self.p
        return functional.dropout(x, keep, self.p)

    def __repr__(self) -> str:
        return f"Dropout(p={self.p})"
