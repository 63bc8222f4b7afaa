"""The logarithm of softmax, in plain NumPy code."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

Array = Any


def log_softmax(x: Array, dim: int = -1) -> Array:
    """The logarithm of softmax, x − log Σ exp(x) along `dim`, finite for logits of any size.

    It is made of ops that Tensors have, so it takes arrays and Tensors, and differentiates.

    Args:
        x: logits of any floating dtype and shape.
        dim: the axis along which the probabilities, exp of the result, add up to 1.

    Returns:
        An array, or for a Tensor a Tensor, of the same shape.

    Raises:
        numpy.exceptions.AxisError: there is no such axis.

    >>> np.exp(log_softmax(np.array([0.0, np.log(3.0)])))
    array([0.25, 0.75])
    """
    shifted = x - unwrap(x).max(axis=dim, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))


def shifted_exponentials(x: Array) -> tuple[Array, Array, Array]:
    """For x, whose first axis is that of the classes: z = x − max, exp(z), and its sum.

    The largest value is a constant to the derivatives: any other would give the same
    probabilities.
    """
    z = x - unwrap(x).max(axis=0)
    powers = np.exp(z)
    return z, powers, powers.sum(axis=0)
