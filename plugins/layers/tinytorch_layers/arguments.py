"""Checks of what layers are told when they are made, and of what they are given to compute."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

Array = Any
Pair = tuple[int, int]


def as_array(value: Any) -> Array:
    """Return the array of a Tensor, an array as it is, and anything else as a NumPy array."""
    array = unwrap(value)
    return array if hasattr(array, "dtype") else np.asarray(array)


def integer(layer: str, name: str, value: Any, least: int = 1) -> int:
    """`value` as an int.

    Raises:
        TypeError: it is no integer.
        ValueError: it is below `least`.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} of {layer} must be an integer, not {value!r:.60}")
    checked = operator.index(value)
    if checked < least:
        bound = "positive" if least == 1 else f"at least {least}"
        raise ValueError(f"{name} of {layer} must be {bound}, not {checked}")
    return checked


def pair(layer: str, name: str, value: Any, least: int = 1) -> Pair:
    """Two integers, for the height and the width, from one or two.

    Raises:
        TypeError: there are more or fewer, or they are no integers.
        ValueError: one is below `least`.
    """
    both = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(both) != 2:
        raise TypeError(
            f"{name} of {layer} must be one integer, or two for height and width, not {value!r:.60}"
        )
    return integer(layer, name, both[0], least), integer(layer, name, both[1], least)


def number(layer: str, name: str, value: Any, low: float, high: float, *, ends: str) -> float:
    """`value` as a Python float, which adapts to the dtype of the array it meets.

    Args:
        layer, name: whose it is, and what it is called.
        value: a number.
        low, high: between what it must lie.
        ends: which of the two it may be, as in "[)".

    Raises:
        ValueError: it lies elsewhere, or is NaN.
        TypeError: it is no number.
    """
    try:
        checked = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} of {layer} must be a number, not {value!r:.60}") from None
    above = checked >= low if ends[0] == "[" else checked > low
    below = checked <= high if ends[1] == "]" else checked < high
    if not (above and below):
        interval = f"{ends[0]}{low:g}, {high:g}{ends[1]}"
        raise ValueError(f"{name} of {layer} must lie in {interval}, and is {value!r}")
    return checked


def shape_of(layer: object, x: Array, *, floating: bool = True) -> tuple[int, ...]:
    """The shape of an input, which must be floating unless that is not asked for.

    Raises:
        TypeError: it is no Tensor or array, or holds other numbers.
    """
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        raise TypeError(f"{layer} takes a Tensor or an array, not {type(x).__name__}: {x!r:.60}")
    shape: tuple[int, ...] = x.shape
    if floating and dtype.kind != "f":
        raise TypeError(
            f"{layer} takes floating-point numbers, not {dtype} of shape {shape}; "
            "convert them first: x.astype(np.float32)"
        )
    return shape


def wrong_shape(layer: object, expected: str, shape: tuple[int, ...]) -> ValueError:
    """The error of an input of another shape than a layer takes."""
    return ValueError(f"{layer} takes an input of shape {expected}, and was given {shape}")
