"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor, op

from tinytorch_training.arguments import decays, flag, not_negative
from tinytorch_training.optimizer import Check, Optimizer, elementwise

Array = Any


@op("adam_update")
def adam_update(
    parameter: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array,
    scratch: tuple[Array, Array],
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Update one parameter in place by a step of `Adam`, or of `AdamW` if `decoupled`.

    Args:
        parameter: the parameter, updated in place.
        grad: its gradient, of the same shape and dtype.
        exp_avg, exp_avg_sq: the running averages of the gradient and of its square, updated in
            place.
        max_exp_avg_sq: the maximum of `exp_avg_sq` so far, updated in place; None without
            `amsgrad`.
        scratch: two arrays like the parameter, which are overwritten.
        step: the number of this step, starting at 1.
        lr, betas, eps, weight_decay: see `Adam`.
        decoupled: whether the decay acts on the parameter instead of the gradient.
    """
    beta1, beta2 = betas
    decayed, work = scratch
    if decoupled:
        parameter *= 1 - lr * weight_decay
    elif weight_decay:
        np.multiply(parameter, weight_decay, out=decayed)
        decayed += grad
        grad = decayed
    np.subtract(grad, exp_avg, out=work)
    work *= 1 - beta1
    exp_avg += work
    exp_avg_sq *= beta2
    np.multiply(grad, grad, out=work)
    work *= 1 - beta2
    exp_avg_sq += work
    if max_exp_avg_sq is not None:
        exp_avg_sq = np.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
    np.sqrt(exp_avg_sq, out=work)
    work /= math.sqrt(1 - beta2**step)
    work += eps
    np.divide(exp_avg, work, out=work)
    work *= lr / (1 - beta1**step)
    parameter -= work


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
    ) -> None:
        super().__init__(
            params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad
        )

    @elementwise
    def update(
        self, parameter: Tensor, grad: Array, state: dict[str, Any], group: Mapping[str, Any]
    ) -> None:
        if not state:
            moments = ["exp_avg", "exp_avg_sq"]
            if group["amsgrad"]:
                moments.append("max_exp_avg_sq")
            state["step"] = 0
            state.update({name: np.zeros_like(parameter.data) for name in moments})
        state["step"] += 1
        adam_update(
            parameter,
            grad,
            state["exp_avg"],
            state["exp_avg_sq"],
            state.get("max_exp_avg_sq"),
            self.scratch(parameter),
            state["step"],
            group["lr"],
            group["betas"],
            group["eps"],
            group["weight_decay"],
            self._decoupled,
        )


class AdamW(Adam):
    """Adam with decoupled weight decay, of Loshchilov and Hutter (2019).

    Before each step of `Adam`, outside of its running averages:

        parameter ← parameter − lr · weight_decay · parameter

    Args:
        params, lr, betas, eps, amsgrad: see `Adam`.
        weight_decay: the decay of the weights per step, relative to `lr`.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    >>> w = Tensor([1.0], requires_grad=True)
    >>> AdamW([w])
    AdamW(lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01, amsgrad=False)
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
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
