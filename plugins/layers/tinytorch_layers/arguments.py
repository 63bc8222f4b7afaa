"""Checks of layers' constructor arguments and inputs."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

Array = Any
Pair = tuple[int, int]


def as_array(value: Any) -> Array:
    """Return the array of a Tensor, an array unchanged, and anything else as a NumPy array."""
    array = unwrap(value)
    return array if hasattr(array, "dtype") else np.asarray(array)


def integer(layer: str, name: str, value: Any, minimum: int = 1) -> int:
    """Return `value` as an int.

    Args:
        layer, name: the layer and its argument, for error messages.
        value: an integer.
        minimum: the smallest value allowed.

    Raises:
        TypeError: `value` is not an integer.
        ValueError: `value` is below `minimum`.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} of {layer} must be an integer, not {value!r:.60}")
    checked = operator.index(value)
    if checked < minimum:
        bound = "positive" if minimum == 1 else f"at least {minimum}"
        raise ValueError(f"{name} of {layer} must be {bound}, not {checked}")
    return checked


def pair(layer: str, name: str, value: Any, minimum: int = 1) -> Pair:
    """Return `value`, an integer or two, as two integers for height and width.

    Raises:
        TypeError: `value` is neither an integer nor two integers.
        ValueError: one of them is below `minimum`.
    """
    both = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(both) != 2:
        raise TypeError(
            f"{name} of {layer} must be one integer, or two for height and width, not {value!r:.60}"
        )
    return integer(layer, name, both[0], minimum), integer(layer, name, both[1], minimum)


def number(layer: str, name: str, value: Any, low: float, high: float, *, ends: str) -> float:
    """Return `value` as a Python float, which does not change the dtype of an array.

    Args:
        layer, name: the layer and its argument, for error messages.
        value: a number.
        low, high: the ends of the interval that must contain `value`.
        ends: which ends the interval includes, as in "[)".

    Raises:
        ValueError: `value` is outside the interval, or NaN.
        TypeError: `value` is not a number, or requires grad.
    """
    if getattr(value, "requires_grad", False):
        raise TypeError(
            f"{name} of {layer} is a constant and gets no gradient, so it cannot require grad; "
            f"pass {name}.item()"
        )
    try:
        # float() would also convert bools and text.
        checked = None if isinstance(value, bool | np.bool_ | str | bytes) else float(value)
    except (TypeError, ValueError):
        checked = None
    if checked is None:
        raise TypeError(f"{name} of {layer} must be a number, not {value!r:.60}")
    above = checked >= low if ends[0] == "[" else checked > low
    below = checked <= high if ends[1] == "]" else checked < high
    if not (above and below):
        interval = f"{ends[0]}{low:g}, {high:g}{ends[1]}"
        raise ValueError(f"{name} of {layer} must be in {interval}, not {value!r}")
    return checked


def flag(layer: str, name: str, value: Any) -> bool:
    """Return `value` as a bool.

    Raises:
        TypeError: `value` is not True or False.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} of {layer} must be True or False, not {value!r:.60}")
    return bool(value)


def input_shape(layer: object, x: Array, *, floating: bool = True) -> tuple[int, ...]:
    """Return the shape of a layer's input after checking its type.

    Args:
        layer: the layer or its name, for error messages.
        x: a Tensor or an array.
        floating: whether the dtype must be a real floating-point dtype.

    Raises:
        TypeError: `x` is not a Tensor or an array, or has a different dtype.
    """
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        raise TypeError(f"{layer} expects a Tensor or an array, not {type(x).__name__}: {x!r:.60}")
    shape: tuple[int, ...] = x.shape
    if floating and dtype.kind != "f":
        raise TypeError(
            f"{layer} expects floating-point numbers, not {dtype} of shape {shape}; "
            "convert the input first: x.astype(np.float32)"
        )
    return shape


def shape_error(layer: object, expected: str, shape: tuple[int, ...]) -> ValueError:
    """Return the error for an input whose shape does not match the layer."""
    return ValueError(f"{layer} expects an input of shape {expected}, got {shape}")
