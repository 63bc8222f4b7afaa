"""Lion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor

from tinytorch_training.arguments import decays, flag, not_negative
from tinytorch_training.optimizer import Check, Optimizer, elementwise
from tinytorch_training.updates import lion_update

Array = Any


class Lion(Optimizer):
    """The Lion optimizer of Chen et al. (2023), whose steps have the same size for all elements.

    With g the gradient:

        parameter ← parameter − lr · weight_decay · parameter
        parameter ← parameter − lr · sign(β₁ m + (1 − β₁) g)
        m ← β₂ m + (1 − β₂) g

    Args:
        params: the parameters, or groups of them; see `Optimizer`.
        lr: the learning rate, three to ten times smaller than that of AdamW.
        betas: β₁ and β₂.
        weight_decay: the decay of the weights per step, relative to `lr`.
        maximize: whether to increase the loss instead, by steps along the negated gradient.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = Lion([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([ 0.5, -1.5], requires_grad=True)
    """

    checks: ClassVar[Mapping[str, Check]] = {
        "lr": not_negative,
        "betas": decays,
        "weight_decay": not_negative,
        "maximize": flag,
    }
    state_names = frozenset({"exp_avg"})

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, weight_decay=weight_decay, maximize=maximize)

    @elementwise
    def update(
        self, parameter: Tensor, grad: Array, state: dict[str, Any], group: Mapping[str, Any]
    ) -> None:
        if not state:
            state["exp_avg"] = np.zeros_like(parameter.data)
        lion_update(
            parameter,
            grad,
            state,
            self.scratch(parameter),
            group["lr"],
            group["betas"],
            group["weight_decay"],
        )
