"""The losses of the course."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinytorch_activations
import tinytorch_losses as functions
from tinytorch_course.tensor import Tensor, to_tensor

__all__ = [
    "BinaryCrossEntropyLoss",
    "CrossEntropyLoss",
    "MSELoss",
    "log_softmax",
]

# The distance that probabilities keep from 0 and 1.
_MARGIN = 1e-7


def log_softmax(x: Any, dim: int = -1) -> Tensor:
    """Return the logarithm of the softmax along an axis, computed without overflow.

    >>> log_softmax([0.0, 0.0]).exp()
    Tensor([0.5, 0.5])
    """
    return tinytorch_activations.log_softmax(to_tensor(x), dim)


class Loss:
    """The base class of the losses, which compare predictions and targets."""

    def forward(self, predictions: Any, targets: Any) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must define forward()")

    def __call__(self, predictions: Any, targets: Any) -> Tensor:
        return self.forward(predictions, targets)

    def backward(self) -> None:
        """Do nothing: `backward()` of the result computes all gradients."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class MSELoss(Loss):
    """The mean of the squared errors. Shapes that differ broadcast.

    >>> MSELoss()([1.0, 2.0], [1.0, 4.0])
    Tensor(2.)
    """

    def forward(self, predictions: Any, targets: Any) -> Tensor:
        predictions, targets = to_tensor(predictions), to_tensor(targets)
        shape = np.broadcast_shapes(predictions.shape, targets.shape)
        predictions, targets = (np.broadcast_to(x, shape) for x in (predictions, targets))
        return functions.mse_loss(predictions, targets)


class CrossEntropyLoss(Loss):
    """The mean of −log softmax(logits) at the class numbers, which may be float32.

    >>> round(CrossEntropyLoss()([[0.0, 0.0]], [1.0]).item(), 3)
    0.693
    """

    def forward(self, logits: Any, targets: Any) -> Tensor:
        return functions.cross_entropy(to_tensor(logits), to_tensor(targets))


class BinaryCrossEntropyLoss(Loss):
    """The mean of −y log p − (1 − y) log(1 − p), with p clipped to 1e-7 from 0 and 1.

    >>> round(BinaryCrossEntropyLoss()([0.5], [1.0]).item(), 3)
    0.693
    """

    def forward(self, predictions: Any, targets: Any) -> Tensor:
        p = np.clip(to_tensor(predictions), _MARGIN, 1 - _MARGIN)
        return functions.binary_cross_entropy(p, to_tensor(targets))
