"""Numbers to call ops with: from an interval, all different, and clear of kinks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Interval: TypeAlias = tuple[float, float]

# Infinite intervals are cut here: functions do not overflow yet, and differ from their limits.
_REACH = 3.0


def draw(
    shape: tuple[int, ...],
    interval: Interval,
    kinks: Sequence[float] = (),
    *,
    part: float = 0.5,
    seed: int = 0,
) -> np.ndarray[Any, Any]:
    """Numbers inside of `interval` in a mixed order, the same for the same arguments.

    They lie on a grid, so that none are nearly equal: ops that sort or compare them then do not
    change their mind when a number is moved a little, as numerical differentiation does.

    Args:
        shape: the shape of the result.
        interval: the open interval; its ends may be infinite.
        kinks: points to keep away from.
        part: where between two points of the grid the numbers lie, from 0 to 1. Inputs of one
            call have different parts, and so no numbers in common.
        seed: chooses among the points of the grid.

    >>> draw((2, 2), (0, 1)).round(2)
    array([[0.17, 0.55],
           [0.22, 0.74]])
    """
    low, high = _bounds(interval)
    size = math.prod(shape)
    edge = (high - low) / 20
    points = 2 * size + 4 * len(kinks) + 11
    grid = low + edge + (high - low - 2 * edge) / points * (np.arange(points) + part)
    for kink in kinks:
        grid = grid[abs(grid - kink) > min(edge, 0.1)]
    return np.random.default_rng(seed).permutation(grid)[:size].reshape(shape)


def _bounds(interval: Interval) -> Interval:
    low, high = interval
    if math.isinf(low) and math.isinf(high):
        return -_REACH, _REACH
    if math.isinf(low):
        return high - _REACH, high
    return low, low + _REACH if math.isinf(high) else high
