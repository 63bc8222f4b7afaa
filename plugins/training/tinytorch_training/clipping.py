"""Clipping: gradients made smaller before a step."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from tinytorch_core import Tensor

from tinytorch_training.arguments import not_negative, number, parameter_list


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float, norm_type: float = 2.0) -> float:
    """Scales all gradients by one factor, so that their common norm is at most `max_norm`.

    PyTorch's `clip_grad_norm_`. Gradients whose norm is not finite stay as they are.

    Args:
        parameters: an iterable of tensors. Those without a gradient are left out.
        max_norm: the largest norm that may remain.
        norm_type: which norm, of all gradients as one vector: 2 for Euclid's, `math.inf` for the
            largest absolute value.

    Returns:
        The norm before clipping.

    Raises:
        TypeError, ValueError: there are no parameters, or `max_norm` or `norm_type` is negative,
            or no number.

    >>> w = Tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> clip_grad_norm([w], max_norm=1.0)
    10.0
    >>> w.grad
    array([0.5999999, 0.7999999], dtype=float32)
    """
    limit = not_negative("clip_grad_norm", "max_norm", max_norm)
    if norm_type != math.inf and number("clip_grad_norm", "norm_type", norm_type) <= 0:
        raise ValueError(f"norm_type of clip_grad_norm must be above 0, not {norm_type}")
    clipped = _with_gradients("clip_grad_norm", parameters)
    norms = [float(np.linalg.norm(p.grad.ravel(), norm_type)) for p in clipped]
    total = float(np.linalg.norm(norms, norm_type)) if norms else 0.0
    # The 1e-6 is PyTorch's.
    factor = limit / (total + 1e-6)
    if factor < 1 and math.isfinite(total):
        for p in clipped:
            p.grad *= factor
    return total


def clip_grad_value(parameters: Iterable[Tensor], clip_value: float) -> None:
    """Moves each element of each gradient into the range from −clip_value to clip_value.

    PyTorch's `clip_grad_value_`.

    Args:
        parameters: an iterable of tensors. Those without a gradient are left out.
        clip_value: the largest absolute value that may remain.

    Raises:
        TypeError, ValueError: there are no parameters, or `clip_value` is negative, or no number.

    >>> w = Tensor([3.0, -4.0, 0.1], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> clip_grad_value([w], 1.0)
    >>> w.grad
    array([ 1. , -1. ,  0.2], dtype=float32)
    """
    limit = not_negative("clip_grad_value", "clip_value", clip_value)
    for p in _with_gradients("clip_grad_value", parameters):
        p.grad = np.clip(p.grad, -limit, limit)


def _with_gradients(owner: str, parameters: Iterable[Tensor]) -> list[Tensor]:
    return [p for p in parameter_list(owner, parameters) if p.grad is not None]
