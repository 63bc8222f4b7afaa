"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor, op

from tinytorch_training.arguments import decay, factor, flag, not_negative
from tinytorch_training.optimizer import Check, Optimizer, elementwise

Array = Any


@op("rmsprop_update")
def rmsprop_update(
    parameter: Array,
    grad: Array,
    state: dict[str, Any],
    scratch: tuple[Array, Array],
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
) -> Array:
    """Update one parameter by a step of `RMSprop`, in place if it is an ndarray, and return it.

    Args:
        parameter: the parameter.
        grad: its gradient, of the same shape and dtype.
        state: the running average of the squared gradient, under "square_avg"; if `centered`, that
            of the gradient, under "grad_avg"; with momentum, "momentum_buffer". They are updated.
        scratch: two arrays like the parameter, which are overwritten, or two Nones.
        lr, alpha, eps, weight_decay, momentum: see `RMSprop`. `lr` may be an array of the
            parameter's library, of shape ().
    """
    decayed, work = scratch
    if parameter.__class__ is not np.ndarray:
        decayed = work = None
        lr = factor(lr, parameter)
    if weight_decay:
        grad = np.add(np.multiply(parameter, weight_decay, out=decayed), grad, out=decayed)
    squares = state["square_avg"]
    squares *= alpha
    change = np.multiply(grad, grad, out=work)
    change *= 1 - alpha
    squares += change
    state["square_avg"] = squares
    average = state.get("grad_avg")
    if average is None:
        divisor = np.sqrt(squares, out=work)
    else:
        change = np.subtract(grad, average, out=work)
        change *= 1 - alpha
        average += change
        state["grad_avg"] = average
        variance = np.subtract(squares, np.multiply(average, average, out=work), out=work)
        # Rounding can make it negative.
        divisor = np.sqrt(np.maximum(variance, 0, out=work), out=work)
    divisor += eps
    change = np.divide(grad, divisor, out=work)
    buffer = state.get("momentum_buffer")
    if buffer is not None:
        buffer *= momentum
        buffer += change
        state["momentum_buffer"] = change = buffer
    parameter -= np.multiply(change, lr, out=work)
    return parameter


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
        if not state:
            buffers = ["square_avg"]
            if group["centered"]:
                buffers.append("grad_avg")
            if group["momentum"]:
                buffers.append("momentum_buffer")
            state.update({name: np.zeros_like(parameter.data) for name in buffers})
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
        )
