"""Checks of the arguments of activations, shared by the functions and the classes."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np


def as_float_array(x: Any) -> Any:
    """Return `x` as an array or Tensor of floating or complex dtype.

    Python numbers and lists become arrays. Integers and booleans become float64. Any other array
    or Tensor is returned unchanged.
    """
    if not hasattr(x, "dtype"):
        x = np.asarray(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def check_number(name: str, value: Any) -> float:
    """Return `value` as a Python float, which does not change the dtype of arrays it multiplies.

    Args:
        name: the name of the parameter, for the error.
        value: a real number.

    Raises:
        TypeError: `value` is not a number. A Tensor is refused because it would get no gradient.
        ValueError: `value` is NaN.
    """
    if isinstance(value, float) and value == value:
        return float(value)
    if not isinstance(value, Real):
        raise TypeError(
            f"{name} must be a number, not {type(value).__name__}: {value!r:.60}; "
            "it is a constant and gets no gradient, so pass a Python number"
        )
    if math.isnan(value):
        raise ValueError(f"{name} must be a number, not NaN")
    return float(value)


def check_nonzero(name: str, value: Any) -> float:
    """Return `value` as a Python float other than 0.

    Raises:
        TypeError, ValueError: as for `check_number`.
        ValueError: `value` is 0.
    """
    number = check_number(name, value)
    if number == 0:
        raise ValueError(f"{name} must not be 0, because the result is divided by it")
    return number


def check_nonnegative(name: str, value: Any) -> float:
    """Return `value` as a Python float that is at least 0.

    Raises:
        TypeError, ValueError: as for `check_number`.
        ValueError: `value` is negative.
    """
    number = check_number(name, value)
    if number < 0:
        raise ValueError(f"{name} must be at least 0, not {number}")
    return number


def check_bounds(min_val: Any, max_val: Any) -> tuple[float, float]:
    """Return both as Python floats, the first of which is not the greater one.

    Raises:
        TypeError, ValueError: as for `check_number`.
        ValueError: `min_val` is greater than `max_val`.
    """
    low, high = check_number("min_val", min_val), check_number("max_val", max_val)
    if low > high:
        raise ValueError(f"min_val must not be greater than max_val, but {low} > {high}")
    return low, high


def check_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return `value`, which must be one of `choices`.

    Raises:
        ValueError: `value` is not one of them.
    """
    allowed = tuple(choices)
    if value not in allowed:
        raise ValueError(f"{name} must be {' or '.join(map(repr, allowed))}, not {value!r}")
    return str(value)


def check_dim(dim: Any) -> int:
    """Return `dim` as a Python integer.

    Raises:
        TypeError: `dim` is not an integer.
    """
    try:
        return operator.index(dim)
    except TypeError:
        raise TypeError(
            f"dim must be an integer, the axis to normalise over, not {dim!r}; "
            "use -1 for the last axis"
        ) from None


def check_axis(function: str, dim: Any, shape: tuple[int, ...]) -> None:
    """Check that an array of this shape has the axis `dim`.

    A 0-d array has dim 0 and -1, as in PyTorch.

    Raises:
        TypeError: `dim` is not an integer.
        IndexError: `dim` is out of range.
    """
    axes = len(shape) or 1
    if not -axes <= check_dim(dim) < axes:
        raise IndexError(
            f"{function}: dim {dim} is out of range for an array of shape {shape}; "
            f"it must be between {-axes} and {axes - 1}"
        )
