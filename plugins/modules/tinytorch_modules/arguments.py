"""Checks of the arguments of modules."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np


def integer(owner: str, name: str, value: Any, minimum: int = 1) -> int:
    """Return `value` as an int.

    Args:
        owner, name: the module or function and its argument, for error messages.
        value: an integer.
        minimum: the smallest value allowed.

    Raises:
        TypeError: `value` is not an integer.
        ValueError: `value` is below `minimum`.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} of {owner} must be an integer, not {value!r:.60}")
    checked = operator.index(value)
    if checked < minimum:
        bound = "positive" if minimum == 1 else f"at least {minimum}"
        raise ValueError(f"{name} of {owner} must be {bound}, not {checked}")
    return checked


def number(owner: str, name: str, value: Any, low: float, high: float, *, ends: str) -> float:
    """Return `value` as a Python float, which does not change the dtype of an array.

    Args:
        owner, name: the module or function and its argument, for error messages.
        value: a number.
        low, high: the ends of the interval that must contain `value`.
        ends: which ends the interval includes, as in "[)".

    Raises:
        ValueError: `value` is outside the interval, or NaN.
        TypeError: `value` is not a number, or requires grad.
    """
    if getattr(value, "requires_grad", False):
        raise TypeError(
            f"{name} of {owner} is a constant and gets no gradient, so it cannot require grad; "
            f"pass {name}.item()"
        )
    try:
        # float() would also convert bools and text.
        checked = None if isinstance(value, bool | np.bool_ | str | bytes) else float(value)
    except (TypeError, ValueError):
        checked = None
    if checked is None:
        raise TypeError(f"{name} of {owner} must be a number, not {value!r:.60}")
    above = checked >= low if ends[0] == "[" else checked > low
    below = checked <= high if ends[1] == "]" else checked < high
    if not (above and below):
        interval = f"{ends[0]}{low:g}, {high:g}{ends[1]}"
        raise ValueError(f"{name} of {owner} must be in {interval}, not {value!r}")
    return checked


def flag(owner: str, name: str, value: Any) -> bool:
    """Return `value` as a bool.

    Raises:
        TypeError: `value` is not True or False.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} of {owner} must be True or False, not {value!r:.60}")
    return bool(value)
