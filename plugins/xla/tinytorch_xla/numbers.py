"""Python numbers of a compiled step, such as a learning rate: they are computed by Python.

A step may change its numbers and compute others from them. A `Number` stands for such a number
while the step is traced, and notes the arithmetic. Each call of the compiled step repeats this
arithmetic in Python, with Python's precision, and passes the numbers that meet arrays as inputs.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinytorch_core import Tensor

from tinytorch_xla.array import Array
from tinytorch_xla.source import Source

Function = Callable[..., Any]


class _Computed(NamedTuple):
    """A number that is computed from others, and from constants."""

    function: Function
    arguments: tuple[tuple[bool, Any], ...]  # whether it is the index of a number, and the value


class Tape:
    """The arithmetic of a step with numbers.

    Args:
        values: the numbers at the start.

    Attributes:
        uses: the indices of the numbers that are inputs of the compiled function.
        guards: conditions under which the tape holds: an index, a conversion and its result.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self._start = len(values)
        self._values = list(values)
        self._computed: list[_Computed] = []
        self._known: dict[Any, int] = {}
        self.uses: list[int] = []
        self.guards: dict[tuple[int, Function], Any] = {}
        # The tracers of the numbers in `uses`, by their position; assigned by the trace.
        self.inputs: Callable[[int, Any], Any] = lambda position, value: value

    def number(self, index: int) -> Number:
        """Return the number with an index."""
        return Number(self, index, self._values[index])

    def compute(self, function: Function, arguments: Sequence[Any]) -> Number:
        """Note that a function of numbers is computed, once for equal arguments."""
        given = tuple((True, a.index) if isinstance(a, Number) else (False, a) for a in arguments)
        # The text tells 0.0 from -0.0.
        key = function, tuple((is_index, type(a), repr(a)) for is_index, a in given)
        if key not in self._known:
            self._values.append(function(*map(value_of, arguments)))
            self._computed.append(_Computed(function, given))
            self._known[key] = len(self._values) - 1
        return self.number(self._known[key])

    def use(self, number: Number) -> Any:
        """Return what stands for a number in computations with arrays."""
        if number.index not in self.uses:
            self.uses.append(number.index)
        return self.inputs(self.uses.index(number.index), number.value)

    def add_lines(self, source: Source, otherwise: str) -> None:
        """Add lines that compute all numbers, given those at the start as n0, n1 and so on.

        Args:
            source: what the lines are added to.
            otherwise: the line that runs if a guard does not hold.
        """
        for index, (function, arguments) in enumerate(self._computed, self._start):
            given = [f"n{a}" if is_index else source.literal(a) for is_index, a in arguments]
            source.add(f"n{index} = {source.name(function, 'function')}({', '.join(given)})")
        for (index, convert), expected in self.guards.items():
            source.add(f"found = {source.name(convert, 'convert')}(n{index})")
            value = source.name(expected, "expected")
            # Also by the texts, because NaN is not equal to itself.
            source.add(f"if found != {value} and repr(found) != {repr(expected)!r}:", otherwise)


class Number:
    """A number of a step that is being traced, with its value in this call.

    A conversion, such as a branch on it, makes the compiled function valid for the same result of
    the conversion only; another one is compiled if that changes.
    """

    __slots__ = ("index", "tape", "value")
    __array_priority__ = 2000

    def __init__(self, tape: Tape, index: int, value: Any) -> None:
        self.tape, self.index, self.value = tape, index, value

    def __tinytorch_xla_number__(self) -> Any:
        """Return what stands for the number in computations with arrays."""
        return self.tape.use(self)

    def _convert(self, function: Function) -> Any:
        found = function(self.value)
        self.tape.guards[self.index, function] = found
        return found

    def __bool__(self) -> bool:
        return bool(self._convert(bool))

    def __float__(self) -> float:
        return float(self._convert(float))

    def __int__(self) -> int:
        return int(self._convert(int))

    def __index__(self) -> int:
        return operator.index(self._convert(operator.index))

    def __hash__(self) -> int:
        return hash(self._convert(_itself))

    def __repr__(self) -> str:
        return repr(self._convert(_itself))

    def __format__(self, spec: str) -> str:
        return format(self._convert(_itself), spec)

    def __getattr__(self, name: str) -> Any:
        if isinstance(self.value, np.generic):
            if name == "astype":
                return lambda dtype: self.tape.compute(_astype, (self, np.dtype(dtype)))
            if name in ("dtype", "shape", "ndim", "size"):
                return getattr(self.value, name)
        raise AttributeError(f"a number of a step has no attribute {name!r}")

    def is_integer(self) -> bool:
        """Return whether the number is whole."""
        return float(self).is_integer()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "__call__" and not options and all(map(_is_number, inputs)):
            return self.tape.compute(ufunc, inputs)
        if any(_is_tensor(i) for i in inputs):
            return NotImplemented
        return Array.call_ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return Array.call_function(function, args, kwargs)


def value_of(value: Any) -> Any:
    """Return the value of a `Number`, and anything else unchanged."""
    return value.value if isinstance(value, Number) else value


def _astype(value: Any, dtype: Any) -> Any:
    return value.astype(dtype)


def _itself(value: Any) -> Any:
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, Number | bool | int | float | np.generic)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _operation(function: Function, swapped: bool = False) -> Function:
    def operation(self: Number, *others: Any) -> Any:
        if not all(map(_is_number, others)):
            return NotImplemented
        return self.tape.compute(function, (*others, self) if swapped else (self, *others))

    return operation


for _name in ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"]:
    setattr(Number, f"__{_name}__", _operation(getattr(operator, _name)))
    setattr(Number, f"__r{_name}__", _operation(getattr(operator, _name), swapped=True))
for _name in ("neg", "pos", "abs", "eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Number, f"__{_name}__", _operation(getattr(operator, _name)))
_ROUNDING: dict[str, Any] = {"floor": math.floor, "ceil": math.ceil, "round": round}
for _name, _function in _ROUNDING.items():
    setattr(Number, f"__{_name}__", _operation(_function))
