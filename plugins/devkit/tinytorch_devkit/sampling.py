"""Numbers to call ops with: distinct, inside an interval, and away from kinks."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Interval: TypeAlias = tuple[float, float]

# Infinite intervals end here. Functions do not overflow yet, and still differ from their limits.
_REACH = 3.0


def draw(
    shape: tuple[int, ...],
    interval: Interval,
    kinks: Sequence[float] = (),
    *,
    offset: float = 0.5,
    seed: int = 0,
) -> np.ndarray[Any, Any]:
    """Return distinct numbers inside `interval` in random order, the same for equal arguments.

    The numbers are points of a grid, so no two are nearly equal. Numerical differentiation, which
    moves each number a little, then changes neither a sorting order nor a comparison.

    Args:
        shape: the shape of the result.
        interval: the open interval; its ends may be infinite.
        kinks: points that the numbers keep away from.
        offset: the position of the numbers between two grid points, from 0 to 1. With different
            offsets, the inputs of one op have no numbers in common.
        seed: selects among the points of the grid.

    >>> draw((2, 2), (0, 1)).round(2)
    array([[0.17, 0.55],
           [0.22, 0.74]])
    """
    low, high = _bounds(interval)
    size = math.prod(shape)
    edge = (high - low) / 20
    points = 2 * size + 4 * len(kinks) + 11
    grid = low + edge + (high - low - 2 * edge) / points * (np.arange(points) + offset)
    for kink in kinks:
        grid = grid[abs(grid - kink) > min(edge, 0.1)]
    choose = _chosen_of_many if size > 100_000 else _chosen
    return grid[choose(len(grid), size, seed)].reshape(shape)


def _chosen(count: int, size: int, seed: int) -> np.ndarray[Any, Any]:
    """Return `size` of the numbers below `count` in random order."""
    return np.random.default_rng(seed).permutation(count)[:size].astype(np.int32)


# Kept for many ops, because it takes a while; few numbers would replace them in a common cache.
_chosen_of_many = functools.lru_cache(maxsize=16)(_chosen)


def _bounds(interval: Interval) -> Interval:
    low, high = interval
    if math.isinf(low) and math.isinf(high):
        return -_REACH, _REACH
    if math.isinf(low):
        return high - _REACH, high
    return low, low + _REACH if math.isinf(high) else high
