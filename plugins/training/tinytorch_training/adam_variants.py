"""NAdam and RAdam, variants of Adam."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from tinytorch_core import Tensor

from tinytorch_training.adam import initial_averages
from tinytorch_training.adam_updates import nadam_update, radam_update
from tinytorch_training.arguments import decays, flag, not_negative
from tinytorch_training.optimizer import Check, Optimizer, elementwise

Array = Any


class NAdam(Optimizer):
    """Adam with Nesterov momentum (Dozat, 2016).

    At step t, with g the gradient plus `weight_decay` · parameter, and m and v as in `Adam`:

        μₜ = β₁ (1 − ½ 0.96^(t · momentum_decay))
        d ← (1 − μₜ) g / (1 − μ₁ ⋯ μₜ) + μₜ₊₁ m / (1 − μ₁ ⋯ μₜ₊₁)
        parameter ← parameter − lr · d / (√(v / (1 − β₂ᵗ)) + eps)

    Args:
        params: the parameters, or groups of them; see `Optimizer`.
        lr: the learning rate.
        betas: β₁ and β₂, the decay rates of the two running averages.
        eps: added to the denominator, which may be zero.
        weight_decay: the factor of an L2 penalty.
        momentum_decay: how fast the momentum approaches β₁.
        decoupled_weight_decay: whether to decay the parameters themselves, as `AdamW` does.
        maximize: whether to increase the loss instead, by steps along the negated gradient.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = NAdam([w], lr=0.1)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> w.item()
    0.8...
    """

    checks: ClassVar[Mapping[str, Check]] = {
        "lr": not_negative,
        "betas": decays,
        "eps": not_negative,
        "weight_decay": not_negative,
        "momentum_decay": not_negative,
        "decoupled_weight_decay": flag,
        "maximize": flag,
    }
    state_names = frozenset({"step", "exp_avg", "exp_avg_sq", "mu_product"})

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay,
            maximize=maximize,
        )

    @elementwise
    def update(
        self, parameter: Tensor, grad: Array, state: dict[str, Any], group: Mapping[str, Any]
    ) -> None:
        if not state:
            state.update(initial_averages(parameter), mu_product=1.0)
        state["step"] += 1
        nadam_update(
            parameter,
            grad,
            state,
            self.scratch(parameter),
            state["step"],
            group["lr"],
            group["betas"],
            group["eps"],
            group["weight_decay"],
            group["momentum_decay"],
            group["decoupled_weight_decay"],
        )


class RAdam(Optimizer):
    """Adam with a rectified step size, which makes a warm-up unnecessary (Liu et al., 2020).

    At step t, with g the gradient plus `weight_decay` · parameter, and m and v as in `Adam`, the
    steps are those of Adam times a factor rₜ, which follows from t and β₂:

        parameter ← parameter − lr · m / (1 − β₁ᵗ) · rₜ √(1 − β₂ᵗ) / (√v + eps)

    In the first steps, in which the variance of the step size is not bounded, the last fraction
    is left out.

    Args:
        params, lr, betas, eps, weight_decay, decoupled_weight_decay, maximize: see `NAdam`.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = RAdam([w], lr=0.1)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> w
    Tensor([0.8], requires_grad=True)
    """

    checks: ClassVar[Mapping[str, Check]] = {
        "lr": not_negative,
        "betas": decays,
        "eps": not_negative,
        "weight_decay": not_negative,
        "decoupled_weight_decay": flag,
        "maximize": flag,
    }
    state_names = frozenset({"step", "exp_avg", "exp_avg_sq"})

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            decoupled_weight_decay=decoupled_weight_decay,
            maximize=maximize,
        )

    @elementwise
    def update(
        self, parameter: Tensor, grad: Array, state: dict[str, Any], group: Mapping[str, Any]
    ) -> None:
        if not state:
            state.update(initial_averages(parameter))
        state["step"] += 1
        radam_update(
            parameter,
            grad,
            state,
            self.scratch(parameter),
            state["step"],
            group["lr"],
            group["betas"],
            group["eps"],
            group["weight_decay"],
            group["decoupled_weight_decay"],
        )
