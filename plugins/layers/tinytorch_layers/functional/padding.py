"""Padding of images, sequences and other arrays, one axis after another.

Padding joins slices of the array, so its derivatives are those of slices and concatenation. For the
backward pass this is 3 to 10 times faster than np.pad, which tracks the position of each element.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray, unwrap

from tinytorch_layers.arguments import input_shape
from tinytorch_modules.arguments import integer, number

Array = Any
Shape = tuple[int, ...]
Widths = tuple[tuple[int, int], ...]

MODES = ("constant", "reflect", "replicate", "circular")


def pad(x: AnyArray, pad: Any, mode: str = "constant", value: float | None = None) -> AnyArray:
    """Return x with elements added at the ends of its last axes.

    Args:
        x: a Tensor or array.
        pad: the numbers of elements to add before and after, for the last axis first: (left,
            right), (left, right, top, bottom), and so on. Negative numbers remove elements.
        mode: "constant" adds `value`, "reflect" mirrors the array without repeating its edge,
            "replicate" repeats the edge, and "circular" continues with the other end.
        value: the constant; by default 0.

    Returns:
        A Tensor or array. Unlike PyTorch's, each mode pads any number of axes.

    Raises:
        ValueError: the mode is unknown, the numbers are not pairs or do not fit the shape, `value`
            is given for another mode, or an axis is too short to be mirrored or continued.
        TypeError: x is not a Tensor or an array, or an argument has the wrong type.

    >>> x = np.array([[1.0, 2.0, 3.0]])
    >>> pad(x, (1, 1))
    array([[0., 1., 2., 3., 0.]])
    >>> pad(x, (2, 0), mode="reflect")
    array([[3., 2., 1., 2., 3.]])
    >>> pad(x, (1, 1), mode="circular")
    array([[3., 1., 2., 3., 1.]])
    """
    if mode not in MODES:
        raise ValueError(f"mode of pad must be one of {', '.join(map(repr, MODES))}, not {mode!r}")
    if value is not None and mode != "constant":
        raise ValueError(f"value of pad is for mode='constant', not for {mode!r}")
    return padded("pad", x, checked_widths("pad", "pad", pad), mode, checked_value("pad", value))


def checked_widths(owner: str, name: str, widths: Any) -> Widths:
    """Return (left, right, top, bottom, ...) as a pair for each axis, the last axis first.

    Args:
        owner, name: the layer or function and its argument, for error messages.
        widths: an even number of integers.

    Raises:
        TypeError: `widths` is not a tuple or list of integers.
        ValueError: its length is odd.
    """
    if not isinstance(widths, tuple | list):
        raise TypeError(f"{name} of {owner} must be a tuple of integers, not {widths!r:.60}")
    if len(widths) % 2:
        raise ValueError(
            f"{name} of {owner} must have two integers for each axis, not {widths!r:.60}"
        )
    numbers = [integer(owner, name, n, -_UNLIMITED) for n in widths]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def checked_value(owner: str, value: Any) -> float:
    """Return a constant for padding as a number; None is 0.

    Raises:
        TypeError: `value` is not a number.
    """
    return 0.0 if value is None else number(owner, "value", value, -math.inf, math.inf, ends="[]")


def padded(owner: object, x: Array, widths: Widths, mode: str, value: float = 0.0) -> Array:
    """Return x with checked widths added to its axes, the last axis first.

    Raises:
        ValueError: x has too few axes, or an axis is too short.
        TypeError: x is not a Tensor or an array.
    """
    shape = input_shape(owner, x, floating=False)
    if len(shape) < len(widths):
        raise ValueError(
            f"{owner} adds elements to {len(widths)} axes, but the input has shape {shape}"
        )
    for axis, (before, after) in zip(range(len(shape))[::-1], widths, strict=False):
        removed = max(-before, 0), max(-after, 0)
        # As in PyTorch, the edges of an array are those before elements are removed, except for
        # "circular".
        if mode == "circular" and any(removed):
            x = _remove(owner, x, axis, *removed)
        if before > 0 or after > 0:
            x = _add(owner, x, axis, max(before, 0), max(after, 0), mode, value)
        if mode != "circular" and any(removed):
            x = _remove(owner, x, axis, *removed)
    return x


# A bound for integers that may be negative.
_UNLIMITED = 2**62


def _remove(owner: object, x: Array, axis: int, before: int, after: int) -> Array:
    """Return x without some elements at the ends of an axis."""
    length = x.shape[axis]
    if before + after > length:
        raise ValueError(
            f"{owner} cannot remove {before + after} elements from axis {axis} of an input of "
            f"shape {x.shape}"
        )
    return _part(x, axis, slice(before, length - after))


def _add(
    owner: object, x: Array, axis: int, before: int, after: int, mode: str, value: float
) -> Array:
    """Return x with elements added at the ends of an axis."""
    length = x.shape[axis]
    limits = {"reflect": length - 1, "circular": length, "replicate": length and _UNLIMITED}
    limit = max(limits.get(mode, _UNLIMITED), 0)
    if max(before, after) > limit:
        raise ValueError(
            f"{owner} can add at most {limit} elements to axis {axis} of an input of shape "
            f"{x.shape} in mode {mode!r}, not {max(before, after)}"
        )
    first = [_margin(x, axis, before, mode, value, False)] if before else []
    last = [_margin(x, axis, after, mode, value, True)] if after else []
    return np.concatenate([*first, x, *last], axis=axis)


def _margin(x: Array, axis: int, width: int, mode: str, value: float, at_end: bool) -> Array:
    """Return the elements to add at the start or the end of an axis."""
    length = x.shape[axis]
    if mode == "reflect":
        return _part(x, axis, slice(-2, -2 - width, -1) if at_end else slice(width, 0, -1))
    if mode == "circular":
        return _part(x, axis, slice(0, width) if at_end else slice(length - width, length))
    shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
    if mode == "replicate":
        edge = slice(length - 1, length) if at_end else slice(0, 1)
        return np.broadcast_to(_part(x, axis, edge), shape)
    return np.full_like(unwrap(x), value, shape=shape)


def _part(x: Array, axis: int, elements: slice) -> Array:
    return x[(*(slice(None),) * axis, elements)]
