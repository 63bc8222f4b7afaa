"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor, op

from tinytorch_training.arguments import decay, flag, not_negative
from tinytorch_training.optimizer import Check, Optimizer, elementwise

Array = Any


@op("rmsprop_update")
def rmsprop_update(
    parameter: Array,
    grad: Array,
    square_avg: Array,
    grad_avg: Array,
    momentum_buffer: Array,
    scratch: tuple[Array, Array],
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
) -> None:
    """Update one parameter in place by a step of `RMSprop`.

    Args:
        parameter: the parameter, updated in place.
        grad: its gradient, of the same shape and dtype.
        square_avg: the running average of the squared gradient, updated in place.
        grad_avg: the running average of the gradient, updated in place; None unless `centered`.
        momentum_buffer: the momentum buffer, updated in place; None without momentum.
        scratch: two arrays like the parameter, which are overwritten.
        lr, alpha, eps, weight_decay, momentum: see `RMSprop`.
    """
    decayed, work = scratch
    if weight_decay:
        np.multiply(parameter, weight_decay, out=decayed)
        decayed += grad
        grad = decayed
    square_avg *= alpha
    np.multiply(grad, grad, out=work)
    work *= 1 - alpha
    square_avg += work
    if grad_avg is None:
        np.sqrt(square_avg, out=work)
    else:
        np.subtract(grad, grad_avg, out=work)
        work *= 1 - alpha
        grad_avg += work
        np.multiply(grad_avg, grad_avg, out=work)
        np.subtract(square_avg, work, out=work)
        # Rounding can make this variance negative.
        np.maximum(work, 0, out=work)
        np.sqrt(work, out=work)
    work += eps
    np.divide(grad, work, out=work)
    if momentum_buffer is not None:
        momentum_buffer *= momentum
        momentum_buffer += work
        np.copyto(work, momentum_buffer)
    work *= lr
    parameter -= work


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
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
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
            state["square_avg"],
            state.get("grad_avg"),
            state.get("momentum_buffer"),
            self.scratch(parameter),
            group["lr"],
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            group["momentum"],
        )
