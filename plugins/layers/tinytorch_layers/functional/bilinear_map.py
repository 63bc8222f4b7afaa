"""The bilinear map of two inputs."""

from __future__ import annotations

from typing import Any

from tinytorch_core.extend import AnyArray

from tinytorch_layers.arguments import input_shape

Array = Any


def bilinear(input1: AnyArray, input2: Array, weight: Array, bias: Array = None) -> AnyArray:
    """Return y with y[k] = Σ x1[i] weight[k, i, j] x2[j] + bias[k] over i and j, for each sample.

    Args:
        input1: x1, a floating Tensor or array of shape (..., in1).
        input2: x2, a floating Tensor or array of shape (..., in2), with the same leading axes.
        weight: a Tensor or array of shape (out, in1, in2).
        bias: a Tensor or array of shape (out,), or None.

    Returns:
        A Tensor or array of shape (..., out).

    Raises:
        ValueError: the shapes do not match.
        TypeError: an input is not floating, or is not a Tensor or an array.

    >>> import numpy as np
    >>> bilinear(np.array([[1.0, 2.0]]), np.array([[3.0]]), np.ones((1, 2, 1)))
    array([[9.]])
    """
    first, second = input_shape("bilinear", input1), input_shape("bilinear", input2)
    ends = (*first[-1:], *second[-1:])
    if len(weight.shape) != 3 or ends != weight.shape[1:] or first[:-1] != second[:-1]:
        raise ValueError(
            f"bilinear with a weight of shape {weight.shape} cannot use inputs of shapes {first} "
            f"and {second}; their last axes must be as in the weight, and the others equal"
        )
    out, in1, in2 = weight.shape
    rows = input2 @ weight.reshape((out * in1, in2)).T
    y = (rows.reshape((*first[:-1], out, in1)) @ input1[..., None])[..., 0]
    return y if bias is None else y + bias
