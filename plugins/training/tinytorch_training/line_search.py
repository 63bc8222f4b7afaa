"""A line search for the strong Wolfe conditions, that of PyTorch's LBFGS.

J. Nocedal, S. J. Wright, "Numerical Optimization", 2006, algorithms 3.5 and 3.6.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

Array = Any

# The constants of the two Wolfe conditions.
_DECREASE = 1e-4
_CURVATURE = 0.9


class Point(NamedTuple):
    """A point on the line: the step `t`, the loss, its gradient and its derivative by `t`."""

    t: float
    loss: float
    gradient: Array
    slope: float


def strong_wolfe(
    evaluate: Callable[[float], Point],
    start: Point,
    t: float,
    length: float,
    tolerance: float,
    most: int,
) -> tuple[Point, int]:
    """Return a point that satisfies the strong Wolfe conditions, and the number of evaluations.

    Args:
        evaluate: returns the point of a step.
        start: the point of step 0, where the slope is negative.
        t: the first step to try.
        length: the largest element of the direction.
        tolerance: how short the bracket becomes, times `length`.
        most: the largest number of further evaluations. If they are not enough, the best point so
            far is returned.
    """
    previous, new = start, evaluate(t)
    evaluations = 0
    while evaluations < most:
        is_higher = evaluations > 1 and new.loss >= previous.loss
        if is_higher or not _decreases(start, new):
            break
        if _is_flat(start, new):
            return new, evaluations + 1
        if new.slope >= 0:
            break
        limits = new.t + 0.01 * (new.t - previous.t), new.t * 10
        previous, new = new, evaluate(_interpolated(previous, new, *limits))
        evaluations += 1
    else:
        previous = start
    low, evaluations = _zoom(evaluate, start, [previous, new], length, tolerance, evaluations, most)
    return low, evaluations + 1


def _zoom(
    evaluate: Callable[[float], Point],
    start: Point,
    bracket: list[Point],
    length: float,
    tolerance: float,
    evaluations: int,
    most: int,
) -> tuple[Point, int]:
    """Shorten a bracket; return its lower end and the number of evaluations."""
    low, high = _order(bracket)
    was_close = False
    while evaluations < most:
        if abs(bracket[1].t - bracket[0].t) * length < tolerance:
            break
        left, right = sorted(point.t for point in bracket)
        t = _interpolated(bracket[0], bracket[1], left, right)
        t, was_close = _away_from_ends(t, left, right, was_close)
        new = evaluate(t)
        evaluations += 1
        if not _decreases(start, new) or new.loss >= bracket[low].loss:
            bracket[high] = new
            low, high = _order(bracket)
            continue
        if not _is_flat(start, new) and new.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = new
        if _is_flat(start, new):
            break
    return bracket[low], evaluations


def _order(bracket: list[Point]) -> tuple[int, int]:
    """Return the indices of the ends with the smaller and with the larger loss."""
    return (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)


def _decreases(start: Point, new: Point) -> bool:
    """Return whether the loss decreases enough, the first Wolfe condition."""
    return not new.loss > start.loss + _DECREASE * new.t * start.slope


def _is_flat(start: Point, new: Point) -> bool:
    """Return whether the slope is small enough, the second Wolfe condition."""
    return abs(new.slope) <= -_CURVATURE * start.slope


def _away_from_ends(t: float, left: float, right: float, was_close: bool) -> tuple[float, bool]:
    """Return a step that is not too often close to an end, and whether it is close."""
    margin = 0.1 * (right - left)
    if min(right - t, t - left) >= margin:
        return t, False
    if not was_close and left < t < right:
        return t, True
    return (right - margin if abs(t - right) < abs(t - left) else left + margin), False


def _interpolated(a: Point, b: Point, low: float, high: float) -> float:
    """Return the minimum of the cubic through two points with their slopes, within limits."""
    if a.t > b.t:
        a, b = b, a
    middle = (low + high) / 2
    if a.t == b.t:
        return middle
    first = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = first * first - a.slope * b.slope
    if not square >= 0:  # NaN, too
        return middle
    second = math.sqrt(square)
    numerator, divisor = b.slope + second - first, b.slope - a.slope + 2 * second
    # On a straight line the minimum is infinitely far away.
    ratio = numerator / divisor if divisor else numerator * math.inf
    t = b.t - (b.t - a.t) * ratio
    return middle if math.isnan(t) else min(max(t, low), high)
