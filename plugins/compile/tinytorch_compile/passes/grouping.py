"""Makes one call of several small ones, for the backend in which each call costs time.

The arrays that the calls read are placed in one array. `Stacked` marks this, and computes nothing.
Sums of many arrays, such as the gradient of a parameter that is used often, become one reduction
over the first axis, which adds in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinytorch_compile.forms import form_of
from tinytorch_compile.passes.common import frozen
from tinytorch_compile.program import Call, Layout, Program, Step, Value

# Ufuncs with exact results, which do not depend on where in memory an element is.
_EXACT = frozenset(
    {np.add, np.subtract, np.multiply, np.true_divide, np.maximum, np.minimum, np.square, np.sqrt}
)
# Larger arrays stay in the cache only if the calls that use them follow each other.
_LARGEST = 2048
_MOST_BYTES = 32_768
# Fewer calls, or terms of a sum, are not worth it.
_FEWEST_CALLS, _FEWEST_TERMS = 3, 6
# The alignment of new arrays, on which a product may depend.
_ALIGNMENT = 16


class Stacked:
    """The function of a call whose arguments are parts of its result, one after the other."""

    def __call__(self, *parts: Any) -> Any:
        return np.concatenate([part.reshape(-1) for part in parts])


def grouped(program: Program) -> Program:
    """Return the program with one call in place of several small ones where possible."""
    grouping = _Grouping(program)
    grouping.add_up()
    grouping.compute_together()
    return grouping.program


class _Grouping:
    """The program, and which of its values are placed in an array with others."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._placed: set[Value] = set()
        self._returned = {*program.outputs, *program.writes.values()}
        self._find()

    def _find(self) -> None:
        self._made: dict[Value, tuple[int, Call]] = {}
        self._readers: dict[Value, list[Call]] = {}
        self._viewed: set[Value] = set()
        step: Any
        for i, step in enumerate(self.program.steps):
            for value in dict.fromkeys(step.reads):
                self._readers.setdefault(value, []).append(step)
            for result in step.results if isinstance(step, Call) else ():
                self._made[result] = i, step
                if result.view_of is not None:
                    self._viewed.add(result.view_of)

    def _can_be_placed(self, value: Any) -> bool:
        """Return whether a call can write a value into a part of an array."""
        if not isinstance(value, Value) or value in self._placed or value in self._returned:
            return False
        _, call = self._made.get(value, (0, None))
        if call is None or call.several or value.view_of is not None or not _is_small(value):
            return False
        return form_of(call) is not None

    # Sums.

    def add_up(self) -> None:
        """Replace chains of additions by reductions."""
        gone: set[Step] = set()
        inserted: dict[Step, list[Step]] = {}
        for step in self.program.steps:
            terms, calls = self._chain_from(step) if step not in gone else ([], [])
            if len(terms) < _FEWEST_TERMS or len(set(terms)) < len(terms):
                continue
            if not all(map(self._can_be_placed, terms)):
                continue
            self._placed.update(terms)
            (total,) = calls[-1].results
            assert total.layout is not None
            shape = (len(terms), *total.layout.shape)
            stack = Value(_c_order(shape, total.layout.dtype), f"{total.label}_terms")
            # Starting from -0.0 keeps the sign of zero.
            args = (stack, 0, None, None, False, -0.0)
            gone.update(calls)
            inserted[calls[-1]] = [
                Call(Stacked(), tuple(terms), {}, (stack,), location=calls[-1].location),
                Call(np.add.reduce, args, {}, (total,), location=calls[-1].location),
            ]
        self._replace(gone, inserted)

    def _chain_from(self, step: Any) -> tuple[list[Value], list[Call]]:
        """Return the terms of a chain of additions that starts with a call, and its calls."""
        if not _is_sum(step):
            return [], []
        calls, terms = [step], list(step.args)
        while True:
            (total,) = calls[-1].results
            readers: list[Any] = self._readers.get(total, [])
            needed = total in self._returned or total in self.program.kept or total in self._viewed
            if needed or len(readers) != 1 or not _is_sum(readers[0]):
                return terms, calls
            (following,) = readers
            if following.args[1] is total:
                return terms, calls
            calls.append(following)
            terms.append(following.args[1])

    # Elementwise calls.

    def compute_together(self) -> None:
        """Replace calls of the same ufunc on different arrays by one call."""
        gone: set[Step] = set()
        inserted: dict[Step, list[Step]] = {}
        same: dict[Value, Value] = {}
        for calls in self._groups():
            values = [_array_of(call) for call in calls]
            self._placed.update(values)
            gone.update(calls)
            inserted[calls[0]] = list(_together(calls, values, same))
        self._replace(gone, inserted, same)

    def _groups(self) -> Iterator[list[Call]]:
        found: dict[Any, list[Call]] = {}
        step: Any
        for step in self.program.steps:
            value = _array_of(step) if isinstance(step, Call) else None
            if value is None or not self._can_be_placed(value) or not self._is_free(step):
                continue
            others = [None if arg is value else frozen(arg) for arg in step.args]
            key = step.function, value.layout.dtype, tuple(others)
            calls = found.setdefault(key, [])
            if not calls or self._made[value][0] < self._made[calls[0].results[0]][0]:
                calls.append(step)
        for calls in found.values():
            kept = self._fitting(calls)
            if len(kept) >= _FEWEST_CALLS:
                yield kept

    def _is_free(self, call: Any) -> bool:
        """Return whether the result of a call may be a view of an array with others."""
        (result,) = call.results
        return not (
            result in self._returned
            or result in self.program.kept
            or result in self._viewed
            or result in self._placed
        )

    def _fitting(self, calls: list[Call]) -> list[Call]:
        """Return the calls whose arrays fit into one array, with the alignment of new arrays."""
        kept: list[Call] = []
        used: set[Value] = set()
        size = 0
        for call in sorted(calls, key=lambda call: _bytes(_array_of(call)) % _ALIGNMENT != 0):
            value = _array_of(call)
            if value in used or value in self._placed or size + _bytes(value) > _MOST_BYTES:
                continue
            if size % _ALIGNMENT and not self._is_elementwise(value, call):
                continue
            used.add(value)
            kept.append(call)
            size += _bytes(value)
        return sorted(kept, key=lambda call: self._made[call.results[0]][0])

    def _is_elementwise(self, value: Value, call: Call) -> bool:
        calls = [self._made[value][1], *self._readers[value], *self._readers[call.results[0]]]
        return all(isinstance(c, Call) and isinstance(c.function, np.ufunc) for c in calls)

    def _replace(
        self,
        gone: set[Step],
        inserted: dict[Step, list[Step]],
        same: dict[Value, Value] | None = None,
    ) -> None:
        if not gone:
            return
        found = same or {}
        steps: list[Step] = []
        for step in self.program.steps:
            steps += inserted.get(step, ())
            if step not in gone:
                steps.append(step.reading(lambda value: found.get(value, value)) if found else step)
        self.program = self.program.rewritten(steps, lambda value: value)
        self._find()


def _together(calls: list[Call], values: list[Value], same: dict[Value, Value]) -> Iterator[Call]:
    """Yield one call in place of several, and the views that select its results."""
    first, location = values[0], calls[0].location
    assert first.layout is not None
    sizes = [value.layout.size for value in values if value.layout is not None]
    layout = _c_order((sum(sizes),), first.layout.dtype)
    stack, result = Value(layout, f"{first.label}_all"), Value(layout, calls[0].results[0].label)
    yield Call(Stacked(), tuple(values), {}, (stack,), location=location)
    args = tuple(stack if arg is first else arg for arg in calls[0].args)
    yield Call(calls[0].function, args, {}, (result,), location=location)
    start = 0
    for call, size in zip(calls, sizes, strict=True):
        (old,) = call.results
        assert old.layout is not None
        part = Value(_c_order((size,), old.layout.dtype), old.label, result)
        new = same[old] = Value(old.layout, old.label, part)
        yield Call(lambda x, start, stop: x[start:stop], (result, start, start + size), {}, (part,))
        yield Call(np.ndarray.reshape, (part, old.layout.shape), {}, (new,))
        start += size


def _is_sum(step: Step) -> bool:
    if not isinstance(step, Call) or step.function is not np.add or not _is_plain(step):
        return False
    (result,) = step.results
    both = all(isinstance(arg, Value) and arg.layout == result.layout for arg in step.args)
    # The elements of a row are added one by one only if there are several rows next to each other.
    return both and len(step.args) == 2 and _is_small(result) and result.layout.size > 1  # type: ignore[union-attr]


def _array_of(step: Call) -> Any:
    """Return the only array that a call reads, if it is a small one of a ufunc, or None."""
    if step.function not in _EXACT or not _is_plain(step):
        return None
    arrays = {arg for arg in step.args if isinstance(arg, Value) and arg.layout is not None}
    others = [arg for arg in step.args if not isinstance(arg, Value | int | float)]
    if len(arrays) != 1 or others:
        return None
    (value,) = arrays
    return value if value.layout == step.results[0].layout and _is_small(value) else None


def _is_plain(call: Call) -> bool:
    return not call.kwargs and not call.several and call.errors is None and not call.effect


def _is_small(value: Value) -> bool:
    layout = value.layout
    if layout is None or layout.dtype.char not in "fd" or not layout.shape or not layout.size:
        return False
    return _bytes(value) <= _LARGEST and layout == _c_order(layout.shape, layout.dtype)


def _bytes(value: Value) -> int:
    return value.layout.size * value.layout.dtype.itemsize if value.layout is not None else 0


def _c_order(shape: tuple[int, ...], dtype: Any) -> Layout:
    return Layout.of(np.empty(shape, dtype))
