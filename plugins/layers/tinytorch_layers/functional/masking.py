"""Dropout with a given mask, and its backward rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op

from tinytorch_layers.arguments import input_shape, number

Array = Any


def dropout(x: Array, mask: Any, p: float) -> Array:
    """Return x / (1 − p) where `mask` is true, and 0 elsewhere.

    The factor keeps the expected value. The caller draws the mask, so this function is not
    random.

    Args:
        x: a Tensor or array of any shape.
        mask: an array of booleans of the same shape.
        p: the probability that a value is dropped, in [0, 1).

    Returns:
        A Tensor or array of the shape of x.

    Raises:
        TypeError: x is not floating, or p is not a number.
        ValueError: the shape of the mask differs from that of x, or p is out of range.

    >>> dropout(np.array([1.0, 2.0]), np.array([True, False]), 0.5)
    array([2., 0.])
    """
    shape = input_shape("dropout", x)
    if np.shape(mask) != shape:
        raise ValueError(
            f"dropout expects a mask of the shape of its input, {shape}, got "
            f"a mask of shape {np.shape(mask)}"
        )
    return apply_mask(x, mask, number("dropout", "p", p, 0, 1, ends="[)"))


@op("dropout")
def apply_mask(x: Array, mask: Any, p: float) -> Array:
    """Return x / (1 − p) where `mask` is true, and 0 elsewhere."""
    return x * mask * (1 / (1 - p))


def dropout_x(grad: Array, mask: Array, p: float) -> Array:
    """dL/dx = g / (1 − p) where `mask` is true, and 0 elsewhere."""
    return apply_mask(grad, mask, p)
