"""Gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_training.arguments import not_negative, number, parameter_list


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float, norm_type: float = 2.0) -> float:
    """Scale all gradients by one factor so that their total norm is at most `max_norm`.

    Equivalent to PyTorch's `clip_grad_norm_`. If the norm is not finite, the gradients are
    unchanged.

    Args:
        parameters: an iterable of tensors. Those without a gradient are ignored.
        max_norm: the maximum norm after clipping.
        norm_type: the order of the norm of all gradients as one vector: 2 for the Euclidean
            norm, `math.inf` for the maximum absolute value.

    Returns:
        The norm before clipping; for gradients of another library an array of shape ().

    Raises:
        TypeError, ValueError: `parameters` is empty, `max_norm` is not a number of 0 or more, or
            `norm_type` is not a number above 0.

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
    if not all(isinstance(p.grad, np.ndarray) for p in clipped):
        return _clip_any(clipped, limit, norm_type)
    norms = [float(np.linalg.norm(p.grad.ravel(), norm_type)) for p in clipped]
    total = float(np.linalg.norm(norms, norm_type)) if norms else 0.0
    # PyTorch also adds 1e-6.
    factor = limit / (total + 1e-6)
    if factor < 1 and math.isfinite(total):
        for p in clipped:
            p.grad *= factor
    return total


def _clip_any(clipped: Sequence[Tensor], limit: float, norm_type: float) -> Any:
    """Run `clip_grad_norm` on arrays of other libraries, whose values may not be known yet."""
    norms = [np.linalg.norm(p.grad.ravel(), norm_type).astype(np.float64) for p in clipped]
    total: Any = np.linalg.norm(np.stack(norms), norm_type)
    ratio = limit / (total + 1e-6)
    factor = np.where((ratio < 1) & np.isfinite(total), ratio, 1)
    for p in clipped:
        p.grad = p.grad * factor.astype(p.grad.dtype)
    return total


def clip_grad_value(parameters: Iterable[Tensor], clip_value: float) -> None:
    """Clip every element of the gradients to [−clip_value, clip_value].

    Equivalent to PyTorch's `clip_grad_value_`.

    Args:
        parameters: an iterable of tensors. Those without a gradient are ignored.
        clip_value: the maximum absolute value after clipping.

    Raises:
        TypeError, ValueError: `parameters` is empty, or `clip_value` is not a number of 0 or more.

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
