"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor, op

from tinytorch_training.arguments import decays, factor, flag, not_negative
from tinytorch_training.optimizer import Check, Optimizer, elementwise

Array = Any


@op("adam_update")
def adam_update(
    parameter: Array,
    grad: Array,
    state: dict[str, Any],
    scratch: tuple[Array, Array],
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> Array:
    """Update one parameter by a step of `Adam`, or of `AdamW` if `decoupled`, and return it.

    It is updated in place if it is an ndarray.

    Args:
        parameter: the parameter.
        grad: its gradient, of the same shape and dtype.
        state: the running averages of the gradient and of its square, under "exp_avg" and
            "exp_avg_sq", and with `amsgrad` the maximum of the second so far, under
            "max_exp_avg_sq". They are updated.
        scratch: two arrays like the parameter, which are overwritten, or two Nones.
        step: the number of this step, starting at 1.
        lr, betas, eps, weight_decay: see `Adam`. `step` and `lr` may be arrays of the parameter's
            library, of shape ().
        decoupled: whether the decay acts on the parameter instead of the gradient.
    """
    beta1, beta2 = betas
    decayed, work = scratch
    rate, scale = lr / (1 - beta1**step), 1 - beta2**step
    if parameter.__class__ is np.ndarray:
        scale = math.sqrt(scale)
    else:
        decayed = work = None
        rate, scale = factor(rate, parameter), factor(np.sqrt(scale), parameter)
    if weight_decay:
        parameter, grad = with_decay(parameter, grad, lr, weight_decay, decoupled, decayed)
    average, squares = running_averages(grad, state, betas, work)
    largest = state.get("max_exp_avg_sq")
    if largest is not None:
        squares = np.maximum(largest, squares, out=None if work is None else largest)
        state["max_exp_avg_sq"] = squares
    divisor = np.sqrt(squares, out=work)
    divisor /= scale
    divisor += eps
    change = np.divide(average, divisor, out=work)
    change *= rate
    parameter -= change
    return parameter


def with_decay(
    parameter: Array, grad: Array, lr: Any, weight_decay: float, decoupled: bool, out: Array
) -> tuple[Array, Array]:
    """Return the parameter and its gradient with weight decay in one of them.

    Args:
        parameter, grad, lr, weight_decay, decoupled: as for `adam_update`.
        out: an array for the gradient, or None.
    """
    if decoupled:
        parameter *= factor(1 - lr * weight_decay, parameter)
    elif weight_decay:
        grad = np.add(np.multiply(parameter, weight_decay, out=out), grad, out=out)
    return parameter, grad


def running_averages(
    grad: Array, state: dict[str, Any], betas: tuple[float, float], work: Array
) -> tuple[Array, Array]:
    """Update the averages of the gradient and of its square in a state, and return them.

    Args:
        grad, state, betas: as for `adam_update`.
        work: an array for intermediate results, or None.
    """
    average, squares = state["exp_avg"], state["exp_avg_sq"]
    change = np.subtract(grad, average, out=work)
    change *= 1 - betas[0]
    average += change
    squares *= betas[1]
    change = np.multiply(grad, grad, out=work)
    change *= 1 - betas[1]
    squares += change
    state["exp_avg"], state["exp_avg_sq"] = average, squares
    return average, squares


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
            moments = ["exp_avg", "exp_avg_sq"]
            if group["amsgrad"]:
                moments.append("max_exp_avg_sq")
            state["step"] = 0
            state.update({name: np.zeros_like(parameter.data) for name in moments})
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
