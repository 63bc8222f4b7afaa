"""Checks of what activations are told besides their input; functions and classes share them."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np


def floating(x: Any) -> Any:
    """`x` itself if it is an array of floating numbers; integers and booleans in float64.

    Python numbers and lists become arrays.
    """
    if not hasattr(x, "dtype"):
        x = np.asarray(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def number(name: str, value: Any) -> float:
    """`value` as a Python float, which adapts to the dtype of the array it meets.

    Raises:
        TypeError: it is no number; a Tensor is none, for no gradient would reach it.
        ValueError: it is NaN.
    """
    if isinstance(value, float) and value == value:
        return float(value)
    if not isinstance(value, Real):
        raise TypeError(
            f"{name} must be a number, not {type(value).__name__}: {value!r:.60}; "
            "it is a constant, to which no gradient is computed"
        )
    if math.isnan(value):
        raise ValueError(f"{name} must be a number, not NaN")
    return float(value)


def nonzero(name: str, value: Any) -> float:
    """`value` as a Python float other than 0.

    Raises:
        TypeError, ValueError: as `number`; ValueError also for 0.
    """
    checked = number(name, value)
    if checked == 0:
        raise ValueError(f"{name} must not be 0, because the result is divided by it")
    return checked


def choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """`value` itself, one of `choices`.

    Raises:
        ValueError: it is none of them.
    """
    allowed = tuple(choices)
    if value not in allowed:
        raise ValueError(f"{name} must be {' or '.join(map(repr, allowed))}, not {value!r}")
    return str(value)


def dimension(value: Any) -> int:
    """`value` as the number of one axis.

    Raises:
        TypeError: it is no integer.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"dim must be an integer, the one axis to normalise over, not {value!r}; "
            "-1 is the last axis"
        ) from None
