"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor, op

from tinytorch_training.arguments import flag, not_negative
from tinytorch_training.optimizer import Check, Optimizer

Array = Any


@op("sgd_update")
def sgd_update(
    parameter: Array,
    grad: Array,
    momentum_buffer: Array,
    scratch: tuple[Array, Array],
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
) -> None:
    """One step of `SGD` for one parameter.

    Args:
        parameter: what to change, in place.
        grad: its gradient, of the same shape and dtype.
        momentum_buffer: the running direction, also changed in place; None without momentum.
        scratch: two arrays like the parameter, whose contents are lost.
        lr, momentum, dampening, weight_decay, nesterov: see `SGD`.
    """
    decayed, product = scratch
    if weight_decay:
        np.multiply(parameter, weight_decay, out=decayed)
        decayed += grad
        grad = decayed
    if momentum_buffer is not None:
        momentum_buffer *= momentum
        np.multiply(grad, 1 - dampening, out=product)
        momentum_buffer += product
        if nesterov:
            np.multiply(momentum_buffer, momentum, out=product)
            grad = np.add(grad, product, out=decayed)
        else:
            grad = momentum_buffer
    np.multiply(grad, lr, out=product)
    parameter -= product


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum as in Sutskever et al. (2013).

    With the gradient g, to which `weight_decay` times the parameter is added, and the buffer b,
    which starts as g:

        b ← momentum · b + (1 − dampening) · g
        parameter ← parameter − lr · b, or with `nesterov` lr · (g + momentum · b)

    Args:
        params: the tensors to change, or groups of them: see `Optimizer`.
        lr: the learning rate.
        momentum: how much of the direction is kept from step to step; 0 for none of it.
        dampening: how much of the gradient is held back from the direction.
        weight_decay: the factor of an L2 penalty.
        nesterov: look ahead along the direction; needs a momentum, and no dampening.

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
        "momentum": not_negative,
        "dampening": not_negative,
        "weight_decay": not_negative,
        "nesterov": flag,
    }

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
        )

    def update(
        self, parameter: Tensor, grad: Array, state: dict[str, Any], group: Mapping[str, Any]
    ) -> None:
        # The first gradient enters the buffer whole.
        dampening = group["dampening"] if state else 0.0
        if group["momentum"] and not state:
            state["momentum_buffer"] = np.zeros_like(parameter.data)
        sgd_update(
            parameter,
            grad,
            state.get("momentum_buffer"),
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
                "nesterov of SGD needs a momentum above 0 and a dampening of 0, not "
                f"momentum={checked['momentum']} and dampening={checked['dampening']}"
            )
        return checked
