"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor, op

from tinytorch_training.arguments import decay, factor, flag, fraction, not_negative
from tinytorch_training.optimizer import Check, Optimizer, elementwise

Array = Any


@op("sgd_update")
def sgd_update(
    parameter: Array,
    grad: Array,
    state: dict[str, Any],
    scratch: tuple[Array, Array],
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
) -> Array:
    """Update one parameter by a step of `SGD`, in place if it is an ndarray, and return it.

    Args:
        parameter: the parameter.
        grad: its gradient, of the same shape and dtype.
        state: the momentum buffer, under "momentum_buffer"; empty without momentum. It is updated.
        scratch: two arrays like the parameter, which are overwritten, or two Nones.
        lr, momentum, dampening, weight_decay, nesterov: see `SGD`. `lr` may be an array of the
            parameter's library, of shape ().
    """
    first, second = scratch
    if parameter.__class__ is not np.ndarray:
        first = second = None
        lr = factor(lr, parameter)
    if weight_decay:
        grad = np.add(np.multiply(parameter, weight_decay, out=first), grad, out=first)
    if state:
        buffer = state["momentum_buffer"]
        buffer *= momentum
        buffer += np.multiply(grad, 1 - dampening, out=second)
        state["momentum_buffer"] = buffer
        if nesterov:
            grad = np.add(grad, np.multiply(buffer, momentum, out=second), out=first)
        else:
            grad = buffer
    parameter -= np.multiply(grad, lr, out=second)
    return parameter


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
        # As in PyTorch, the first gradient is not dampened.
        dampening = group["dampening"] if state else 0.0
        if group["momentum"] and not state:
            state["momentum_buffer"] = np.zeros_like(parameter.data)
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
