"""Activations with a formula for each of several intervals, composed of NumPy functions.

Where two formulas meet, the derivative is the one that the docstring states, as in PyTorch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray

from tinytorch_activations.arguments import (
    as_float_array,
    check_bounds,
    check_nonnegative,
    check_number,
)

Array = Any


def prelu(x: AnyArray, weight: Array) -> AnyArray:
    """Return x where x > 0, and weight x elsewhere, with a weight that is learned.

    The derivative at 0 is `weight`. He, Zhang, Ren & Sun, "Delving deep into rectifiers", 2015,
    arXiv:1502.01852.

    Args:
        x: a Tensor or array. If there are several weights, it has shape (N, C) or (N, C, ...).
        weight: a Tensor or array of shape (C,), one factor for each channel, or with one element.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        ValueError: `weight` has more than one axis, or another number of elements than 1 and C.

    >>> prelu(np.array([[-1.0, 2.0], [3.0, -4.0]]), np.array([0.5, 0.1]))
    array([[-0.5,  2. ],
           [ 3. , -0.4]])
    """
    x, weight = as_float_array(x), as_float_array(weight)
    channels = x.shape[1] if len(x.shape) > 1 else 1
    if len(weight.shape) > 1 or weight.size not in (1, channels):
        raise ValueError(
            f"prelu: weight has shape {weight.shape}, but an input of shape {x.shape} takes shape "
            f"(1,) or ({channels},)"
        )
    if weight.size != 1:
        weight = weight.reshape((-1, *(1,) * (len(x.shape) - 2)))
    elif weight.shape:
        weight = weight.reshape(())
    positive = x > 0
    # Zeros, because in the gradient of `weight` a large x would be multiplied by 0.
    return np.where(positive, x, weight * np.where(positive, 0, x))


def hardtanh(x: AnyArray, min_val: float = -1.0, max_val: float = 1.0) -> AnyArray:
    """Return x, but at least `min_val` and at most `max_val`.

    The derivative is 0 at both ends.

    Args:
        x: a Tensor or array of any shape.
        min_val, max_val: numbers. They are constants and get no gradient.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        TypeError: `min_val` or `max_val` is not a number.
        ValueError: one of them is NaN, or `min_val` is greater than `max_val`.

    >>> hardtanh(np.array([-3.0, 0.5, 3.0]))
    array([-1. ,  0.5,  1. ])
    """
    low, high = check_bounds(min_val, max_val)
    return _between(as_float_array(x), low, high)


def relu6(x: AnyArray) -> AnyArray:
    """Return max(x, 0), but at most 6. The derivative at 0 and 6 is 0.

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; float64 for integers.

    >>> relu6(np.array([-1.0, 2.0, 8.0]))
    array([0., 2., 6.])
    """
    return _between(as_float_array(x), 0.0, 6.0)


def hardsigmoid(x: AnyArray) -> AnyArray:
    """Return relu6(x + 3) / 6, which approximates the sigmoid. The derivative at ±3 is 0.

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; float64 for integers.

    >>> hardsigmoid(np.array([-4.0, 0.0, 4.0]))
    array([0. , 0.5, 1. ])
    """
    return relu6(as_float_array(x) + 3) / 6


def hardswish(x: AnyArray) -> AnyArray:
    """Return x relu6(x + 3) / 6, which approximates x sigmoid(x).

    The derivative is 0 at -3 and 1 at 3. Howard et al., "Searching for MobileNetV3", 2019,
    arXiv:1905.02244.

    Args:
        x: a Tensor or array of any shape.

    Returns:
        The same shape and dtype; float64 for integers.

    >>> hardswish(np.array([-4.0, 1.5, 4.0]))
    array([-0.   ,  1.125,  4.   ])
    """
    x = as_float_array(x)
    return x * hardsigmoid(x)


def threshold(x: AnyArray, threshold: float, value: float) -> AnyArray:
    """Return x where x > threshold, and `value` elsewhere. The derivative at the threshold is 0.

    Args:
        x: a Tensor or array of any shape.
        threshold, value: numbers. They are constants and get no gradient.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        TypeError: `threshold` or `value` is not a number.
        ValueError: one of them is NaN.

    >>> threshold(np.array([-1.0, 1.0, 2.0]), 1.0, 0.5)
    array([0.5, 0.5, 2. ])
    """
    x = as_float_array(x)
    limit, value = check_number("threshold", threshold), check_number("value", value)
    out: Array = np.where(x <= limit, value, x)  # NaN stays NaN
    return out


def hardshrink(x: AnyArray, lambd: float = 0.5) -> AnyArray:
    """Return 0 where -lambd <= x <= lambd, and x elsewhere. The derivative at ±lambd is 0.

    Args:
        x: a Tensor or array of any shape.
        lambd: a number. It is a constant and gets no gradient.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        TypeError: `lambd` is not a number.
        ValueError: `lambd` is NaN.

    >>> hardshrink(np.array([-1.0, 0.5, 2.0]))
    array([-1.,  0.,  2.])
    """
    x = as_float_array(x)
    out: Array = np.where(np.abs(x) <= check_number("lambd", lambd), 0, x)
    return out


def softshrink(x: AnyArray, lambd: float = 0.5) -> AnyArray:
    """Return x moved towards 0 by `lambd`, and 0 where |x| <= lambd. The derivative there is 0.

    Args:
        x: a Tensor or array of any shape.
        lambd: a number that is not negative. It is a constant and gets no gradient.

    Returns:
        The same shape and dtype; float64 for integers.

    Raises:
        TypeError: `lambd` is not a number.
        ValueError: `lambd` is negative or NaN.

    >>> softshrink(np.array([-1.0, 0.5, 2.0]))
    array([-0.5,  0. ,  1.5])
    """
    x, lambd = as_float_array(x), check_nonnegative("lambd", lambd)
    out: Array = np.where(np.abs(x) <= lambd, 0, x - lambd * np.sign(x))
    return out


def _between(x: Array, low: float, high: float) -> Array:
    # Not np.clip, whose derivative at the ends is not 0.
    return np.where(x <= low, low, np.where(x >= high, high, x))
