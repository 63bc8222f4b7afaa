"""The optimizers of the course, which run those of tinytorch-training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import tinytorch_training
from tinytorch_course.tensor import Tensor

__all__ = [
    "DEFAULT_BETA1",
    "DEFAULT_BETA2",
    "DEFAULT_EPS",
    "DEFAULT_LEARNING_RATE_ADAM",
    "DEFAULT_LEARNING_RATE_SGD",
    "DEFAULT_WEIGHT_DECAY_ADAMW",
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
]

DEFAULT_LEARNING_RATE_SGD = 0.01
DEFAULT_LEARNING_RATE_ADAM = 0.001
DEFAULT_BETA1 = 0.9
DEFAULT_BETA2 = 0.999
DEFAULT_EPS = 1e-8
DEFAULT_WEIGHT_DECAY_ADAMW = 0.01


class Optimizer:
    """The base class of optimizers: a subclass defines `step`.

    Args:
        params: the tensors to update.
    """

    def __init__(self, params: Iterable[Tensor]) -> None:
        self.params = list(params)
        self.step_count = 0

    def zero_grad(self) -> None:
        """Set the gradients to None."""
        for parameter in self.params:
            parameter.grad = None

    def step(self) -> None:
        """Update the parameters from their gradients."""
        raise NotImplementedError(f"{type(self).__name__} must define step()")


class _Running(Optimizer):
    """An optimizer that runs one of tinytorch-training.

    Args:
        running: the optimizer that updates the tensors.
    """

    def __init__(self, running: tinytorch_training.Optimizer) -> None:
        super().__init__(running.param_groups[0]["params"])
        self.running = running

    @property
    def lr(self) -> float:
        """The learning rate, which can be changed at any time."""
        return self.running.param_groups[0]["lr"]

    @lr.setter
    def lr(self, value: float) -> None:
        self.running.param_groups[0]["lr"] = float(value)

    def step(self) -> None:
        self.step_count += 1
        for parameter in self.params:
            if parameter.grad is not None:
                parameter.grad = np.asarray(parameter.grad, parameter.dtype)
        self.running.step()


class SGD(_Running):
    """Gradient descent, optionally with momentum.

    Args:
        params: the tensors to update.
        lr: the learning rate.
        momentum: the part of the former step that is added, below 1.
        weight_decay: the factor of an L2 penalty.

    >>> w = Tensor([1.0], requires_grad=True)
    >>> (w * w).backward()
    >>> SGD([w], lr=0.1).step()
    >>> w.data
    array([0.8], dtype=float32)
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = DEFAULT_LEARNING_RATE_SGD,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        self.momentum, self.weight_decay = momentum, weight_decay
        super().__init__(
            tinytorch_training.SGD(params, lr, momentum=momentum, weight_decay=weight_decay)
        )

    def has_momentum(self) -> bool:
        """Return whether the momentum is above 0."""
        return self.momentum > 0

    def get_momentum_state(self) -> list[Any] | None:
        """Return a copy of the former step of each parameter, None for those without a step.

        Without momentum, return None.
        """
        if not self.has_momentum():
            return None
        return [_copied(self.running.state.get(p, {}).get("momentum_buffer")) for p in self.params]

    def set_momentum_state(self, state: Sequence[Any] | None) -> None:
        """Restore what `get_momentum_state` returned; do nothing without momentum or a state.

        Raises:
            ValueError: the state has another length than the parameters, or an array has another
                shape than its parameter.
        """
        if state is None or not self.has_momentum():
            return
        shapes = [None if s is None else np.shape(s) for s in state]
        if len(state) != len(self.params) or any(
            s not in (None, p.shape) for s, p in zip(shapes, self.params, strict=True)
        ):
            raise ValueError(
                f"the momentum state has the shapes {shapes}, but the parameters of SGD have the "
                f"shapes {[p.shape for p in self.params]}; pass one array for each parameter"
            )
        for parameter, value in zip(self.params, state, strict=True):
            if value is None:
                self.running.state.pop(parameter, None)
                continue
            own = self.running.state.setdefault(parameter, {})
            own["momentum_buffer"] = np.array(value, parameter.dtype)


def _copied(value: Any) -> Any:
    return None if value is None else value.copy()


class Adam(_Running):
    """Adam, by Kingma & Ba, with an L2 penalty.

    Args:
        params: the tensors to update.
        lr: the learning rate.
        betas: the decay rates of the averages of the gradient and of its square.
        eps: added to the square root of the second average.
        weight_decay: the factor of the L2 penalty.
    """

    _rule: type[tinytorch_training.Adam] = tinytorch_training.Adam

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = DEFAULT_LEARNING_RATE_ADAM,
        betas: tuple[float, float] = (DEFAULT_BETA1, DEFAULT_BETA2),
        eps: float = DEFAULT_EPS,
        weight_decay: float = 0.0,
    ) -> None:
        (self.beta1, self.beta2), self.eps = betas, eps
        self.weight_decay = weight_decay
        super().__init__(self._rule(params, lr, betas, eps, weight_decay))


class AdamW(Adam):
    """Adam with decoupled weight decay, by Loshchilov & Hutter.

    Arguments are those of `Adam`; `weight_decay` shrinks the parameters in each step.
    """

    _rule = tinytorch_training.AdamW

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = DEFAULT_LEARNING_RATE_ADAM,
        betas: tuple[float, float] = (DEFAULT_BETA1, DEFAULT_BETA2),
        eps: float = DEFAULT_EPS,
        weight_decay: float = DEFAULT_WEIGHT_DECAY_ADAMW,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
