"""Muon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor

from tinytorch_training.arguments import count, decay, flag, not_negative, number
from tinytorch_training.optimizer import Check, Optimizer
from tinytorch_training.updates import muon_update

Array = Any


def _coefficients(owner: str, name: str, value: Any) -> tuple[float, ...]:
    if not isinstance(value, tuple | list) or len(value) != 3:
        raise TypeError(f"{name} of {owner} must be three numbers, not {value!r:.60}")
    return tuple(number(owner, f"{name}[{i}]", item) for i, item in enumerate(value))


def _steps(owner: str, name: str, value: Any) -> int:
    return count(owner, name, value, minimum=0)


def _adjustment(owner: str, name: str, value: Any) -> str | None:
    if value not in (None, "original", "match_rms_adamw"):
        raise ValueError(
            f"{name} of {owner} must be 'original', 'match_rms_adamw' or None, not {value!r:.60}"
        )
    return value


class Muon(Optimizer):
    """Momentum with orthogonalized steps, for the matrices of hidden layers (Jordan et al., 2024).

    With g the gradient of a matrix:

        b ← momentum · b + (1 − momentum) g
        d ← momentum · b + (1 − momentum) g with `nesterov`, otherwise b
        d ← d with all singular values replaced by about 1, by Newton-Schulz steps
        parameter ← parameter − lr · weight_decay · parameter
        parameter ← parameter − lr · ratio · d

    Use another optimizer, such as `AdamW`, for biases, embeddings and the last layer. The steps are
    computed in the dtype of the parameter; PyTorch computes the Newton-Schulz steps in bfloat16.

    Args:
        params: the parameters, matrices, or groups of them; see `Optimizer`.
        lr: the learning rate.
        weight_decay: the decay of the weights per step, relative to `lr`.
        momentum: the decay rate of the momentum buffer, below 1.
        nesterov: whether to use Nesterov momentum.
        ns_coefficients: the coefficients of s, s³ and s⁵ in a Newton-Schulz step for s.
        eps: the smallest norm that the direction is divided by.
        ns_steps: the number of Newton-Schulz steps.
        adjust_lr_fn: how the ratio follows from the numbers of rows and columns: "original" or
            None for √max(1, rows / columns), "match_rms_adamw" for 0.2 √max(rows, columns), which
            suits the learning rates of AdamW.
        maximize: whether to increase the loss instead, by steps along the negated gradient; an
            option that PyTorch does not have.

    Raises:
        TypeError, ValueError: see `Optimizer`, or a parameter is not a matrix.

    >>> w = Tensor([[3.0, 0.0], [0.0, 0.5]], requires_grad=True)
    >>> optimizer = Muon([w], lr=0.1, weight_decay=0.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(1)
    array([[2.9, 0. ],
           [0. , 0.4]], dtype=float32)
    """

    checks: ClassVar[Mapping[str, Check]] = {
        "lr": not_negative,
        "weight_decay": not_negative,
        "momentum": decay,
        "nesterov": flag,
        "ns_coefficients": _coefficients,
        "eps": not_negative,
        "ns_steps": _steps,
        "adjust_lr_fn": _adjustment,
        "maximize": flag,
    }
    state_names = frozenset({"momentum_buffer"})

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            weight_decay=weight_decay,
            momentum=momentum,
            nesterov=nesterov,
            ns_coefficients=ns_coefficients,
            eps=eps,
            ns_steps=ns_steps,
            adjust_lr_fn=adjust_lr_fn,
            maximize=maximize,
        )

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add a group of matrices with its options; see `Optimizer.add_param_group`.

        Raises:
            TypeError, ValueError: as in the constructor. The optimizer is unchanged.
        """
        super().add_param_group(param_group)
        for i, parameter in enumerate(self.param_groups[-1]["params"]):
            if parameter.ndim != 2:
                self.param_groups.pop()
                raise ValueError(
                    f"Muon expects matrices, but parameter {i} has shape {parameter.shape}; use "
                    "another optimizer for it, such as AdamW"
                )

    def update(
        self, parameter: Tensor, grad: Array, state: dict[str, Any], group: Mapping[str, Any]
    ) -> None:
        if not state:
            state["momentum_buffer"] = np.zeros_like(parameter.data)
        muon_update(
            parameter,
            grad,
            state,
            self.scratch(parameter),
            group["lr"],
            group["weight_decay"],
            group["momentum"],
            group["nesterov"],
            group["ns_coefficients"],
            group["eps"],
            group["ns_steps"],
            group["adjust_lr_fn"],
        )
