"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor

from tinytorch_training.arguments import decay, flag, not_negative
from tinytorch_training.optimizer import Check, Optimizer, elementwise
from tinytorch_training.updates import rmsprop_update

Array = Any


class RMSprop(Optimizer):
    """The RMSprop optimizer of Tieleman and Hinton (2012), optionally centered (Graves, 2013).

    With g the gradient plus `weight_decay` · parameter:

        v ← alpha · v + (1 − alpha) · g²
        a ← alpha · a + (1 − alpha) · g             (only with `centered`)
        b ← momentum · b + g / (√v + eps)           (with `centered`, v − a² instead of v)
        parameter ← parameter − lr · b

    Args:
        params: the parameters, or groups of them; see `Optimizer`.
        lr: the learning rate.
        alpha: the decay rate of the running averages.
        eps: added to the denominator, which may be zero.
        weight_decay: the factor of an L2 penalty.
        momentum: the decay rate of the momentum buffer b, below 1; 0 for no momentum.
        centered: whether to divide by the standard deviation of the gradient instead of its root
            mean square.
        maximize: whether to increase the loss instead, by steps along the negated gradient.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = RMSprop([w], lr=0.01)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> w.item()
    0.9...
    """

    checks: ClassVar[Mapping[str, Check]] = {
        "lr": not_negative,
        "alpha": decay,
        "eps": not_negative,
        "weight_decay": not_negative,
        "momentum": decay,
        "centered": flag,
        "maximize": flag,
    }
    state_names = frozenset({"square_avg"})

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
            maximize=maximize,
        )

    @elementwise
    def update(
        self, parameter: Tensor, grad: Array, state: dict[str, Any], group: Mapping[str, Any]
    ) -> None:
        buffers = {"square_avg": True, "grad_avg": group["centered"]}
        buffers["momentum_buffer"] = group["momentum"]
        for name, is_needed in buffers.items():
            if is_needed and name not in state:
                state[name] = np.zeros_like(parameter.data)
        rmsprop_update(
            parameter,
            grad,
            state,
            self.scratch(parameter),
            group["lr"],
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            group["momentum"],
            group["centered"],
        )
