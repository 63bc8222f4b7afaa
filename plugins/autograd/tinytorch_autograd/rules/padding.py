"""np.pad, in every mode that is differentiable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_autograd.rules.arrays import as_array
from tinytorch_autograd.rules.axes import shape_along
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.rearranging import Positions

Array = Any

family = Family()

_STATISTICS: dict[str, Callable[..., Any]] = {
    "mean": np.mean,
    "median": np.median,
    "maximum": np.max,
    "minimum": np.min,
}


@family.composed(np.pad)
def pad(
    array: Array,
    pad_width: Any,
    mode: Any = "constant",
    *,
    constant_values: Any = 0,
    end_values: Any = 0,
    stat_length: Any = None,
    reflect_type: str = "even",
) -> Array:
    """Return the array with padding of constants, its elements, or values computed from them."""
    if stat_length is not None and mode not in _STATISTICS:
        return NotImplemented  # NumPy raises its own error
    positions = Positions(array.dtype)
    if mode == "constant":
        constants = positions.of(constant_values)
        return positions.take(np.pad(positions.of(array), pad_width, constant_values=constants))
    if mode in ("edge", "wrap") or (mode in ("reflect", "symmetric") and reflect_type == "even"):
        return positions.take(np.pad(positions.of(array), pad_width, mode))
    if mode == "linear_ramp":
        return _pad_each_axis(array, pad_width, _ramp, end_values)
    if mode in _STATISTICS:
        return _pad_each_axis(array, pad_width, _statistic(_STATISTICS[mode]), stat_length)
    return NotImplemented


def _pad_each_axis(x: Array, widths: Any, margin: Callable[..., Any], option: Any) -> Array:
    """Pad one axis after another, with `margin` computing the padding on each side."""
    pairs = _pairs(widths, len(x.shape))
    options = _pairs(option, len(x.shape))
    lengths = options if margin is not _ramp and option is not None else []
    if not x.shape or any(number < 0 for pair in [*pairs, *lengths] for number in pair):
        return NotImplemented  # NumPy raises its own error
    for axis, (width, values) in enumerate(zip(pairs, options, strict=True)):
        if not any(width):
            continue
        if not x.shape[axis]:
            return NotImplemented  # NumPy raises its own error
        before = margin(x, axis, int(width[0]), values[0], False)
        after = margin(x, axis, int(width[1]), values[1], True)
        x = np.concatenate([before, x, after], axis=axis)
    return x


def _pairs(value: Any, ndim: int) -> list[Any]:
    """Return a pair of numbers for each axis, from any form that NumPy accepts."""
    if isinstance(value, dict):
        given: list[Any] = [value.get(i, value.get(i - ndim, 0)) for i in range(ndim)]
        return [np.broadcast_to(as_array(pair), 2) for pair in given]
    return list(np.broadcast_to(as_array(value), (ndim, 2)))


def _ramp(x: Array, axis: int, width: int, end: Any, after: bool) -> Array:
    """Return padding that leads from the edge to `end` in equal steps."""
    steps = (np.arange(width) / max(width, 1)).astype(x.dtype)
    steps = (steps[::-1] if after else steps).reshape(shape_along(axis, len(x.shape), width))
    edge = np.take(x, [-1 if after else 0], axis=axis)
    return edge * steps + (1 - steps) * as_array(end, x.dtype)


def _statistic(function: Callable[..., Any]) -> Callable[..., Any]:
    def margin(x: Array, axis: int, width: int, length: Any, after: bool) -> Array:
        size = x.shape[axis]
        near = size if length is None else min(int(length), size)
        part = range(size - near, size) if after else range(near)
        value = function(np.take(x, list(part), axis=axis), axis=axis, keepdims=True)
        return np.repeat(value, width, axis=axis)

    return margin
