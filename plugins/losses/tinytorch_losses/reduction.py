"""The reductions of losses: "mean", "sum" and "none", forward and backward."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = Any

_KNOWN = (int, np.generic, np.ndarray)
REDUCTIONS = ("mean", "sum", "none")


def check_reduction(loss: str, reduction: object, choices: Sequence[str] = REDUCTIONS) -> None:
    """Check that `reduction` is one of `choices`.

    Raises:
        ValueError: `reduction` is not one of them.
    """
    if reduction not in choices:
        raise ValueError(
            f"{loss} has no reduction {reduction!r}; choose one of "
            f"{', '.join(repr(c) for c in choices)}"
        )


def reduce_losses(losses: Array, reduction: str, divisor: Any = None) -> Array:
    """Return the losses themselves for "none", their sum for "sum", otherwise sum / divisor.

    Args:
        losses: the loss of each element.
        reduction: "none", "sum" or the name of a mean.
        divisor: what a mean divides by; None for the number of losses. If it is 0, the result is
            NaN as in PyTorch, without a warning.
    """
    if reduction == "none":
        return losses
    total = losses.sum()
    if reduction == "sum":
        return total
    if divisor is None:
        divisor = losses.size
    # Whether the divisor is 0 may not be known yet if it is an array of another library.
    if not isinstance(divisor, _KNOWN) or divisor:
        return total / divisor
    # NumPy would warn about 0 / 0.
    return total * math.nan


def reduce_rule(grad: Array, reduction: str, divisor: Any) -> Array:
    """Return the gradient of each element's loss, in a shape that broadcasts to the losses.

    Args:
        grad: the gradient of the reduced loss.
        reduction, divisor: as for `reduce_losses`. A divisor of 0 leaves `grad` unchanged: then
            the input is empty, or all weights are 0 and so is their product with `grad`.
    """
    if reduction in ("sum", "none"):
        return grad
    if isinstance(divisor, _KNOWN):
        return grad / divisor if divisor else grad
    return grad / np.where(divisor == 0, 1, divisor)
