"""Compares two captures of a step: what differs between them must not be taken as constant."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_compile.capture import Captured, Leaf
from tinytorch_compile.program import Call, Constant, Guard, Program, Step, Value


def wrong_end(captured: Captured, result: Any) -> str | None:
    """Return what differs between a captured call and the same call of the step itself, or None.

    Args:
        captured: the captured call.
        result: what the step itself has returned. Its effects are compared, too.
    """
    for path, read, expected in captured.ends:
        if not _equal(_with_one_nan(unwrap(read())), _with_one_nan(expected), {}):
            return f"{path} differs"
    for found, expected in zip(_results(captured.result, result), captured.outputs, strict=True):
        if not _equal(_with_one_nan(found), _with_one_nan(expected), {}):
            return "the result differs"
    return None


def _with_one_nan(numbers: Any) -> Any:
    """Return an array in which all NaN are the same: their bits depend on the order of operands."""
    array = np.asarray(numbers)
    if array.dtype.kind not in "fc" or not np.isnan(array).any():
        return array
    return np.where(np.isnan(array), array.dtype.type(math.nan), array)


def _results(template: Any, result: Any) -> Iterator[Any]:
    """Yield the arrays and numbers in the result of a step, where the template has a Leaf."""
    if isinstance(template, Leaf):
        yield unwrap(result)
    elif isinstance(template, tuple | list):
        for part, found in zip(template, result, strict=True):
            yield from _results(part, found)
    elif isinstance(template, dict):
        for key, part in template.items():
            yield from _results(part, result[key])


# The difference of two captures that have decided differently: both programs are right.
OTHER_DECISION = "the step decides differently from call to call"


def difference(first: Program, second: Program) -> str | None:
    """Return how the second of two captures differs from the first, or None if they are equal.

    It is OTHER_DECISION if a decision that depends on values was the first difference.
    """
    pairs: dict[Value, Value] = {}
    for a, b in ((first.inputs, second.inputs), (first.slots, second.slots)):
        if len(a) != len(b):
            return "the number of arrays that the step reads changes from call to call"
        pairs.update(zip(a, b, strict=True))
    for x, y in zip(first.steps, second.steps, strict=False):
        reason = _of_steps(x, y, pairs)
        if reason is OTHER_DECISION:
            return reason
        if reason is not None:
            return f"{x.location or 'unknown line'}: {reason}"
    ends = [(first.outputs, second.outputs), (first.kept, second.kept)]
    ends.append((list(first.writes.items()), list(second.writes.items())))  # type: ignore[arg-type]
    same_ends = all(_equal(a, b, pairs) for a, b in ends)
    if len(first.steps) != len(second.steps) or not same_ends:
        return "the step makes other calls from call to call"
    return None


def _of_steps(x: Step, y: Step, pairs: dict[Value, Value]) -> str | None:
    if isinstance(x, Guard) or isinstance(y, Guard):
        same = isinstance(x, Guard) and isinstance(y, Guard) and pairs.get(x.value) is y.value
        if not same:
            return "the step makes other decisions from call to call"
        equal = _equal(x.expected, y.expected, {})  # type: ignore[union-attr]
        return None if equal else OTHER_DECISION
    if x.function != y.function or len(x.results) != len(y.results):
        return f"calls {_name(x)} once, and {_name(y)} in the next call"
    if not _equal((x.args, x.kwargs), (y.args, y.kwargs), pairs):
        return (
            f"an argument of {_name(x)} is not the same in the next call; keep it in an array or "
            "number that the step can reach, so that it becomes part of the state"
        )
    pairs.update(zip(x.results, y.results, strict=True))
    return None


def _name(call: Call) -> str:
    return str(getattr(call.function, "__name__", call.function))


def _equal(a: Any, b: Any, pairs: dict[Value, Value]) -> bool:
    """Return whether two nested arguments are equal, with corresponding values."""
    if isinstance(a, Value):
        return pairs.get(a) is b
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(_equal(x, y, pairs) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key], pairs) for key in a)
    if isinstance(a, slice):
        both = zip((a.start, a.stop, a.step), (b.start, b.stop, b.step), strict=True)
        return all(_equal(x, y, pairs) for x, y in both)
    if isinstance(a, Constant):
        return _equal(a.array, b.array, pairs)
    if isinstance(a, np.ndarray | np.generic):
        same = a.dtype == b.dtype and a.shape == b.shape
        return bool(same and (a is b or a.tobytes() == b.tobytes()))
    if isinstance(a, float):
        return bool(a.hex() == b.hex())
    return a is b or bool(a == b)
