"""Padding, in every mode that has a derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_autograd.rules.axes import lengthened
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.rearranging import Places

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
    """Copies of elements at the margins, constants, or what is computed from the elements."""
    row = Places(array.dtype)
    if mode == "constant":
        constants = row.of(constant_values)
        return row.fetch(np.pad(row.of(array), pad_width, constant_values=constants))
    if mode in ("edge", "wrap") or (mode in ("reflect", "symmetric") and reflect_type == "even"):
        return row.fetch(np.pad(row.of(array), pad_width, mode))
    if mode == "linear_ramp":
        return _by_axis(array, pad_width, _ramp, end_values)
    if mode in _STATISTICS:
        return _by_axis(array, pad_width, _statistic(_STATISTICS[mode]), stat_length)
    return NotImplemented


def _by_axis(x: Array, widths: Any, margin: Callable[..., Any], option: Any) -> Array:
    """One axis after the other, a margin before and one after it."""
    pairs = _pairs(widths, len(x.shape))
    options = _pairs(option, len(x.shape))
    for axis, (width, values) in enumerate(zip(pairs, options, strict=True)):
        before = margin(x, axis, int(width[0]), values[0], False)
        after = margin(x, axis, int(width[1]), values[1], True)
        x = np.concatenate([before, x, after], axis=axis)
    return x


def _pairs(value: Any, ndim: int) -> list[Any]:
    """A number or pair of numbers for each axis, as NumPy understands `pad_width`."""
    if isinstance(value, dict):
        given: list[Any] = [value.get(i, value.get(i - ndim, 0)) for i in range(ndim)]
        return [np.broadcast_to(pair, 2) for pair in given]
    return list(np.broadcast_to(np.asarray(value), (ndim, 2)))


def _ramp(x: Array, axis: int, width: int, end: Any, after: bool) -> Array:
    """From the edge in equal steps to `end`."""
    steps = (np.arange(width) / max(width, 1)).astype(x.dtype)
    steps = (steps[::-1] if after else steps).reshape(lengthened(width, axis, len(x.shape)))
    edge = np.take(x, [-1 if after else 0], axis=axis)
    return edge * steps + (1 - steps) * float(end)


def _statistic(function: Callable[..., Any]) -> Callable[..., Any]:
    def margin(x: Array, axis: int, width: int, length: Any, after: bool) -> Array:
        size = x.shape[axis]
        near = size if length is None else min(int(length), size)
        part = range(size - near, size) if after else range(near)
        value = function(np.take(x, list(part), axis=axis), axis=axis, keepdims=True)
        return np.repeat(value, width, axis=axis)

    return margin
