"""Dropping values at random. With the rule."""

from __future__ import annotations

from typing import Any

from tinytorch_core import op

Array = Any


@op("dropout")
def dropout(x: Array, mask: Any, p: float) -> Array:
    """The values where `mask` is true, over 1 − p so that their mean stays; 0 elsewhere.

    What is random about it, the mask, is drawn by who calls it.

    Args:
        x: a Tensor or array of any shape.
        mask: an array of booleans of that shape.
        p: with which probability a value was dropped; below 1.

    Returns:
        The shape of x.

    >>> import numpy as np
    >>> dropout(np.array([1.0, 2.0]), np.array([True, False]), 0.5)
    array([2., 0.])
    """
    return x * mask * (1 / (1 - p))


def dropout_x(grad: Array, mask: Array, p: float) -> Array:
    """The same values pass, by the same factor."""
    return dropout(grad, mask, p)
