"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor

from tinytorch_training.arguments import decay, flag, fraction, not_negative
from tinytorch_training.optimizer import Check, Optimizer, elementwise
from tinytorch_training.updates import sgd_update

Array = Any


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum as in Sutskever et al. (2013).

    With g the gradient plus `weight_decay` · parameter, and the momentum buffer b, which is g in
    the first step:

        b ← momentum · b + (1 − dampening) · g
        parameter ← parameter − lr · b                      (without `nesterov`)
        parameter ← parameter − lr · (g + momentum · b)     (with `nesterov`)

    Args:
        params: the parameters, or groups of them; see `Optimizer`.
        lr: the learning rate.
        momentum: the decay rate of the momentum buffer, below 1; 0 for no momentum.
        dampening: the fraction of the gradient that is not added to the buffer.
        weight_decay: the factor of an L2 penalty.
        nesterov: whether to use Nesterov momentum; requires momentum and no dampening.
        maximize: whether to increase the loss instead, by steps along the negated gradient.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> w
    Tensor([0.8], requires_grad=True)
    """

    checks: ClassVar[Mapping[str, Check]] = {
        "lr": not_negative,
        "momentum": decay,
        "dampening": fraction,
        "weight_decay": not_negative,
        "nesterov": flag,
        "maximize": flag,
    }

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
        )

    @elementwise
    def update(
        self, parameter: Tensor, grad: Array, state: dict[str, Any], group: Mapping[str, Any]
    ) -> None:
        dampening = group["dampening"]
        if group["momentum"] and not state:
            state["momentum_buffer"] = np.zeros_like(parameter.data)
            dampening = 0.0  # as in PyTorch, the first gradient is not dampened
        sgd_update(
            parameter,
            grad,
            state,
            self.scratch(parameter),
            group["lr"],
            group["momentum"],
            dampening,
            group["weight_decay"],
            group["nesterov"],
        )

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        checked = super()._checked(options)
        if checked["nesterov"] and (not checked["momentum"] or checked["dampening"]):
            raise ValueError(
                "nesterov=True of SGD requires a momentum above 0 and a dampening of 0, not "
                f"momentum={checked['momentum']} and dampening={checked['dampening']}"
            )
        return checked
