"""Dropping values at random. With the rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op

from tinytorch_layers.arguments import number, shape_of

Array = Any


def dropout(x: Array, mask: Any, p: float) -> Array:
    """The values where `mask` is true, over 1 − p so that their mean stays; 0 elsewhere.

    What is random about it, the mask, is drawn by who calls it.

    Args:
        x: a Tensor or array of any shape.
        mask: an array of booleans of that shape.
        p: with which probability a value was dropped, at least 0 and below 1.

    Returns:
        The shape of x.

    Raises:
        TypeError: x is not floating, or p no number.
        ValueError: the mask has another shape, or p lies elsewhere.

    >>> dropout(np.array([1.0, 2.0]), np.array([True, False]), 0.5)
    array([2., 0.])
    """
    shape = shape_of("dropout", x)
    if np.shape(mask) != shape:
        raise ValueError(
            f"dropout takes a mask of the shape of its input, {shape}, and was given "
            f"a mask of shape {np.shape(mask)}"
        )
    return masked(x, mask, number("dropout", "p", p, 0, 1, ends="[)"))


@op("dropout")
def masked(x: Array, mask: Any, p: float) -> Array:
    """The values where `mask` is true, over 1 − p; 0 elsewhere."""
    return x * mask * (1 / (1 - p))


def dropout_x(grad: Array, mask: Array, p: float) -> Array:
    """The same values pass, by the same factor."""
    return masked(grad, mask, p)
