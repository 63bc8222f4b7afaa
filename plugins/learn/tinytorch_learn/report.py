"""What a check says about an answer: the exception `Wrong`, and comparisons that raise it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import Tensor

# The largest number of characters of an answer that a message shows.
_LONG = 300


class Wrong(Exception):
    """An answer is not right. The message says what was expected, what was found, and a hint."""


def expect(found: Any, expected: Any, call: str, hint: str = "", tolerance: float = 1e-6) -> None:
    """Raise Wrong unless `found` has the shape and the values of `expected`.

    Args:
        found: what the answer returned, an array, a number or a Tensor.
        expected: the right value.
        call: how the answer was called, for the message.
        hint: a sentence that helps somebody who made the usual mistake.
        tolerance: the largest difference of values that count as equal.

    >>> expect(np.array([1.0, 2.0]), [1, 3], "square([1, 2])", "Multiply x by itself.")
    Traceback (most recent call last):
        ...
    tinytorch_learn.report.Wrong: square([1, 2])
      expected: [1 3]
      found:    [1. 2.]
    Multiply x by itself.
    """
    if found is None:
        text = f"{call}\n  found:    None. Does your function return its result?\n{hint}"
        raise Wrong(text.rstrip())
    value = found.data if isinstance(found, Tensor) else found
    wanted = np.asarray(expected)
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise Wrong(f"{call}\n  expected: numbers\n  found:    {found!r:.80}") from None
    if array.shape != wanted.shape:
        raise Wrong(_lines(call, f"the shape {wanted.shape}", f"the shape {array.shape}", hint))
    if not np.allclose(array, wanted, rtol=tolerance, atol=tolerance, equal_nan=True):
        raise Wrong(_lines(call, _short(wanted), _short(array), hint))


def expect_that(condition: object, call: str, expected: str, found: str, hint: str = "") -> None:
    """Raise Wrong unless `condition` holds; the message describes what was expected and found."""
    if not condition:
        found = found if len(found) <= _LONG else f"{found[:_LONG]} ..."
        raise Wrong(_lines(call, expected, found, hint))


def _short(array: Any) -> str:
    lines = np.array2string(array, precision=4, suppress_small=True, threshold=24)
    return lines.replace("\n", "\n            ")


def _lines(call: str, expected: str, found: str, hint: str) -> str:
    return f"{call}\n  expected: {expected}\n  found:    {found}\n{hint}".rstrip()
