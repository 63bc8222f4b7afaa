"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor

from tinytorch_training.arguments import flag, not_negative
from tinytorch_training.optimizer import Check, Optimizer, elementwise
from tinytorch_training.updates import adagrad_update

Array = Any


class Adagrad(Optimizer):
    """The Adagrad optimizer of Duchi, Hazan and Singer (2011).

    At step t, with g the gradient plus `weight_decay` · parameter:

        s ← s + g²
        parameter ← parameter − lr / (1 + (t − 1) lr_decay) · g / (√s + eps)

    Args:
        params: the parameters, or groups of them; see `Optimizer`.
        lr: the learning rate.
        lr_decay: how fast the learning rate falls.
        weight_decay: the factor of an L2 penalty.
        initial_accumulator_value: the initial value of s.
        eps: added to the denominator, which may be zero.
        maximize: whether to increase the loss instead, by steps along the negated gradient.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = Adagrad([w], lr=0.5)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> w
    Tensor([0.5], requires_grad=True)
    """

    checks: ClassVar[Mapping[str, Check]] = {
        "lr": not_negative,
        "lr_decay": not_negative,
        "weight_decay": not_negative,
        "initial_accumulator_value": not_negative,
        "eps": not_negative,
        "maximize": flag,
    }
    state_names = frozenset({"step", "sum"})

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
            maximize=maximize,
        )

    @elementwise
    def update(
        self, parameter: Tensor, grad: Array, state: dict[str, Any], group: Mapping[str, Any]
    ) -> None:
        if not state:
            state["step"] = 0
            state["sum"] = np.full_like(parameter.data, group["initial_accumulator_value"])
        state["step"] += 1
        adagrad_update(
            parameter,
            grad,
            state,
            self.scratch(parameter),
            state["step"],
            group["lr"],
            group["lr_decay"],
            group["weight_decay"],
            group["eps"],
        )
