"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor

from tinytorch_training.adam_updates import adam_update
from tinytorch_training.arguments import decays, flag, not_negative
from tinytorch_training.optimizer import Check, Optimizer, elementwise

Array = Any


class Adam(Optimizer):
    """The Adam optimizer of Kingma and Ba (2015).

    At step t, with g the gradient plus `weight_decay` · parameter:

        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        parameter ← parameter − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + eps)

    Args:
        params: the parameters, or groups of them; see `Optimizer`.
        lr: the learning rate.
        betas: β₁ and β₂, the decay rates of the two running averages.
        eps: added to the denominator, which may be zero.
        weight_decay: the factor of an L2 penalty.
        amsgrad: whether to divide by the maximum of v so far, as in Reddi et al. (2018).
        maximize: whether to increase the loss instead, by steps along the negated gradient.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> w.item()
    0.9...
    """

    checks: ClassVar[Mapping[str, Check]] = {
        "lr": not_negative,
        "betas": decays,
        "eps": not_negative,
        "weight_decay": not_negative,
        "amsgrad": flag,
        "maximize": flag,
    }
    state_names = frozenset({"step", "exp_avg", "exp_avg_sq"})
    _decoupled: ClassVar[bool] = False

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
        )

    @elementwise
    def update(
        self, parameter: Tensor, grad: Array, state: dict[str, Any], group: Mapping[str, Any]
    ) -> None:
        if not state:
            state.update(initial_averages(parameter))
        if group["amsgrad"] and "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = np.zeros_like(parameter.data)
        state["step"] += 1
        adam_update(
            parameter,
            grad,
            state,
            self.scratch(parameter),
            state["step"],
            group["lr"],
            group["betas"],
            group["eps"],
            group["weight_decay"],
            self._decoupled,
            group["amsgrad"],
        )


class AdamW(Adam):
    """Adam with decoupled weight decay, of Loshchilov and Hutter (2019).

    Before each step of `Adam`, outside of its running averages:

        parameter ← parameter − lr · weight_decay · parameter

    Args:
        params, lr, betas, eps, amsgrad, maximize: see `Adam`.
        weight_decay: the decay of the weights per step, relative to `lr`.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    >>> w = Tensor([1.0], requires_grad=True)
    >>> AdamW([w])
    AdamW(lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01, amsgrad=False, ...)
    """

    _decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)


def initial_averages(parameter: Tensor) -> dict[str, Any]:
    """Return the state of a parameter before the first step of `Adam` or a variant of it."""
    moments = {name: np.zeros_like(parameter.data) for name in ("exp_avg", "exp_avg_sq")}
    return {"step": 0, **moments}
