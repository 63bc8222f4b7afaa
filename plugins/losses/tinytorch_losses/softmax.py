"""The logarithm of softmax, and the exponentials it shares with cross entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray, unwrap

Array = Any

# Any, because NumPy's stubs do not allow the call by position, which is the fastest.
_max_reduce: Any = np.maximum.reduce
_add_reduce: Any = np.add.reduce


def log_softmax(x: AnyArray, dim: int = -1) -> AnyArray:
    """Return x − log Σ exp(x) along `dim`, the logarithm of softmax. exp does not overflow.

    It is computed by NumPy functions, so it works on arrays and Tensors, and autograd
    differentiates it.

    Args:
        x: logits, a Tensor or array of any floating dtype and shape.
        dim: the axis along which the probabilities, exp of the result, sum to 1.

    Returns:
        The same shape and dtype: a Tensor for a Tensor, an array for an array.

    Raises:
        numpy.exceptions.AxisError: `dim` is out of range.

    >>> np.exp(log_softmax(np.array([0.0, np.log(3.0)])))
    array([0.25, 0.75])
    """
    z, _, sums = shifted_exponentials(x, dim, keepdims=True)
    return z - np.log(sums)


def shifted_exponentials(
    x: Array, axis: int, *, keepdims: bool = False
) -> tuple[Array, Array, Array]:
    """Return z = x − max(x), exp(z) and Σ exp(z), where max and Σ are taken along `axis`.

    The maximum is a constant for derivatives, because softmax does not depend on it.

    Args:
        x: logits.
        axis: the axis of the classes; without `keepdims` it must be 0, so that shapes broadcast.
        keepdims: keep the axis in the sum, with length 1.
    """
    if x.__class__ is np.ndarray:  # what the methods call, without their overhead
        z = x - _max_reduce(x, axis, None, None, keepdims)
        powers = np.exp(z)
        return z, powers, _add_reduce(powers, axis, None, None, keepdims)
    z = x - unwrap(x).max(axis=axis, keepdims=keepdims)
    powers = np.exp(z)
    return z, powers, powers.sum(axis=axis, keepdims=keepdims)
