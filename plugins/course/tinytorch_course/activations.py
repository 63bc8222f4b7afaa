"""The activations of the course."""

from __future__ import annotations

from typing import Any

import tinytorch_activations as functions
from tinytorch_course.tensor import Tensor, to_tensor

__all__ = ["GELU", "ReLU", "Sigmoid", "Softmax", "Tanh"]


class Activation:
    """The base class of the activations, which have no parameters."""

    def forward(self, x: Any) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must define forward()")

    def __call__(self, x: Any, *args: Any, **options: Any) -> Tensor:
        return self.forward(x, *args, **options)

    def backward(self, grad: Any) -> None:
        """Do nothing: `backward()` of the loss computes all gradients."""

    def parameters(self) -> list[Tensor]:
        """Return an empty list."""
        return []

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Sigmoid(Activation):
    """1 / (1 + e^−x)."""

    def forward(self, x: Any) -> Tensor:
        return functions.sigmoid(to_tensor(x))


class ReLU(Activation):
    """The larger of x and 0."""

    def forward(self, x: Any) -> Tensor:
        return functions.relu(to_tensor(x))


class Tanh(Activation):
    """The hyperbolic tangent."""

    def forward(self, x: Any) -> Tensor:
        return functions.tanh(to_tensor(x))


class GELU(Activation):
    """x Φ(x), with the distribution function Φ of the normal distribution."""

    def forward(self, x: Any) -> Tensor:
        return functions.gelu(to_tensor(x))


class Softmax(Activation):
    """e^x divided by its sum along an axis.

    >>> Softmax()([1.0, 1.0])
    Tensor([0.5, 0.5])
    """

    def forward(self, x: Any, dim: int = -1) -> Tensor:
        return functions.softmax(to_tensor(x), dim)
