"""The cosine of two vectors, and their distance."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray

Array = Any


def cosine_similarity(x1: AnyArray, x2: Array, dim: int = 1, eps: float = 1e-8) -> AnyArray:
    """Return x1 · x2 / (|x1| |x2|), the cosine of the angle between vectors along `dim`.

    A norm below `eps` is replaced by `eps`, so the cosine with a vector of zeros is 0. The gradient
    is the derivative of that; PyTorch's includes the derivative of the replaced norm.

    Args:
        x1, x2: Tensors or arrays whose shapes broadcast.
        dim: the axis of the vectors, in the broadcast shape.
        eps: the smallest norm.

    Returns:
        A Tensor or array of the broadcast shape without the axis `dim`.

    Raises:
        ValueError: the axis `dim` does not exist, or the shapes do not broadcast.

    >>> cosine_similarity(np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]])).round(4)
    array([0.7071])
    """
    if x1.shape != x2.shape:
        shape = np.broadcast_shapes(x1.shape, x2.shape)
        arrays: Array = (np.broadcast_to(x1, shape), np.broadcast_to(x2, shape))
    else:
        arrays = (x1, x2)
    first, second = (
        x / np.maximum(np.linalg.vector_norm(x, axis=dim, keepdims=True), eps) for x in arrays
    )
    return (first * second).sum(axis=dim)


def pairwise_distance(
    x1: AnyArray, x2: Array, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> AnyArray:
    """Return the p-norm of x1 − x2 + eps, along the last axis.

    Args:
        x1, x2: Tensors or arrays of shape (..., D) whose shapes broadcast.
        p: the order of the norm: 1, 2, infinity or another number.
        eps: added to the differences, so that the norm is differentiable if they are 0.
        keepdim: whether the result keeps the last axis, with length 1.

    Returns:
        A Tensor or array of the broadcast shape without the last axis.

    Raises:
        ValueError: the shapes do not broadcast.

    >>> pairwise_distance(np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]])).round(4)
    array([5.])
    """
    return np.linalg.vector_norm(x1 - x2 + eps, axis=-1, ord=p, keepdims=keepdim)
