"""From the losses of the elements to the one that is returned, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Array = Any

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(loss: str, reduction: object, choices: Sequence[str] = REDUCTIONS) -> None:
    """Raises ValueError, naming the choices, unless `reduction` is one of them."""
    if reduction not in choices:
        raise ValueError(
            f"{loss} has no reduction {reduction!r}; choose one of "
            f"{', '.join(repr(c) for c in choices)}"
        )


def reduced(losses: Array, reduction: str, divisor: Any = None) -> Array:
    """The losses as they are, their sum, or their sum divided by `divisor`.

    The divisor is by default the number of losses. Divided by 0 they are NaN, as in PyTorch, and
    without a warning.
    """
    if reduction == "none":
        return losses
    total = losses.sum()
    if reduction == "sum":
        return total
    if divisor is None:
        divisor = losses.size
    return total / divisor if divisor else total.dtype.type("nan")


def spread(grad: Array, reduction: str, divisor: Any) -> Array:
    """The gradient of each element's loss, from that of the reduced loss.

    Divided by 0 it stays as it is: then it is multiplied by weights that are all 0, or belongs
    to no element.
    """
    return grad / divisor if reduction not in ("sum", "none") and divisor else grad
