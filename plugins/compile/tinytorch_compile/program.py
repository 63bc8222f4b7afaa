"""Programs: a step as a list of calls, in which each value is written once.

A program is pure data. `tracing` records one, `passes` simplify it, and `source` writes it as
Python text.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np


class Layout(NamedTuple):
    """What a program assumes about an array: its shape, its dtype and its strides."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, array: Any) -> Layout:
        """Return the layout of an array or a NumPy scalar.

        The stride of an axis of length 1 means nothing, and is 0 here.
        """
        pairs = zip(array.shape, array.strides, strict=True)
        return cls(array.shape, array.dtype, tuple(s if n != 1 else 0 for n, s in pairs))

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def empty(self) -> Any:
        """Return a new array of this layout, or one in C order if this layout has gaps."""
        array = np.empty(self.shape, self.dtype)
        if Layout.of(array) == self or not array.size:
            return array
        steps = [s for n, s in zip(self.shape, self.strides, strict=True) if n != 1]
        span = sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        if not steps or min(steps) <= 0 or span + self.dtype.itemsize != array.nbytes:
            return array
        return np.ndarray(self.shape, self.dtype, array, 0, self.strides)


class Value:
    """An array or a Python number that a program reads or computes.

    Attributes:
        layout: the layout of the array; None for a number.
        label: a name for the source, such as "relu"; need not be unique.
        view_of: the array whose memory this one shares, or None.
    """

    __slots__ = ("label", "layout", "view_of")

    def __init__(self, layout: Layout | None, label: str, view_of: Value | None = None) -> None:
        self.layout, self.label, self.view_of = layout, label, view_of

    def __repr__(self) -> str:
        return f"<Value {self.label}>"

    @property
    def memory(self) -> Value:
        """The value that owns the memory of this one."""
        value = self
        while value.view_of is not None:
            value = value.view_of
        return value


class Constant:
    """An array that the program computes once, when it is built; never written into."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array


class Location(NamedTuple):
    """A line of the user's program."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(eq=False, slots=True)
class Call:
    """One call of a function.

    Attributes:
        function: the function. It must not write into its arguments.
        args, kwargs: its arguments: Values, constants, and tuples, lists, dicts and slices of them.
        results: the values that it returns.
        several: the function returns a tuple or list.
        effect: the call must be made even if nothing needs its results, such as a random draw.
        errors: how NumPy handles floating-point errors during the call, if not as at the start.
        location: the line of the user's program that caused it.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: tuple[Value, ...]
    several: bool = False
    effect: bool = False
    errors: dict[str, str] | None = None
    location: Location | None = None
    _reads: tuple[Value, ...] | None = field(default=None, init=False, repr=False)

    @property
    def reads(self) -> tuple[Value, ...]:
        """The values among the arguments."""
        if self._reads is None:
            found = leaves((self.args, self.kwargs))
            self._reads = tuple([leaf for leaf in found if isinstance(leaf, Value)])
        return self._reads

    def reading(self, change: Callable[[Value], Any]) -> Call:
        """Return the call with other values for those that it reads; a copy if one differs."""
        if all(change(value) is value for value in self.reads):
            return self
        args, kwargs = replaced((self.args, self.kwargs), change)
        return replace(self, args=args, kwargs=kwargs)


class Block(ABC):
    """The function of a call that stands for several calls, which a backend has compiled.

    It writes its results into given arrays.
    """

    # Whether it may find that the program does not hold any more; it returns true then.
    checks = False

    @abstractmethod
    def may_write_into(self, slot: Value, result: Value) -> bool:
        """Return whether a result can be in the memory of a slot, whose old value it replaces."""

    @abstractmethod
    def is_after_checks(self, result: Value) -> bool:
        """Return whether a result is written only when it is known that the program holds."""

    @abstractmethod
    def lines(self, name: Callable[[Any], str]) -> list[str]:
        """Return what it computes as lines that people can read."""


@dataclass(eq=False, slots=True)
class Guard:
    """A decision of the step that depends on a value: the program holds while it is the same.

    Attributes:
        value: the value.
        convert: how it was read: `bool`, `int`, `float`, or a function that returns what the
            step compared.
        expected: what the step saw while it was captured.
        location: the line of the user's program that decided.
    """

    value: Value
    convert: Callable[[Any], Any]
    expected: Any
    location: Location | None = None

    @property
    def reads(self) -> tuple[Value, ...]:
        """The value."""
        return (self.value,)

    def reading(self, change: Callable[[Value], Any]) -> Guard:
        """Return the guard for the value that `change` returns; a copy if it differs."""
        value = change(self.value)
        return self if value is self.value else replace(self, value=value)


Step = Call | Guard


@dataclass(eq=False)
class Program:
    """The calls and guards of a captured step, in order.

    Attributes:
        inputs: the arrays that the caller passes.
        slots: the arrays and numbers of the state, such as parameters; `slots[i]` is read.
        steps: the calls and guards.
        outputs: the values that the step returns, as new arrays.
        writes: the value at the end of each slot that the step changes.
        kept: values that stay readable until the next call, such as gradients.
    """

    inputs: list[Value] = field(default_factory=list)
    slots: list[Value] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    outputs: list[Value | Constant] = field(default_factory=list)
    writes: dict[Value, Value | Constant] = field(default_factory=dict)
    kept: list[Value | Constant] = field(default_factory=list)

    @property
    def needed(self) -> list[Value]:
        """The values that must exist at the end."""
        found = [*self.outputs, *self.writes.values(), *self.kept]
        return [value for value in found if isinstance(value, Value)]

    def rewritten(self, steps: list[Step], change: Callable[[Any], Any]) -> Program:
        """Return a copy with other steps, in which `change` has replaced the values needed."""
        writes = {slot: change(end) for slot, end in self.writes.items()}
        outputs = [change(value) for value in self.outputs]
        kept = [change(value) for value in self.kept]
        return replace(self, steps=steps, outputs=outputs, writes=writes, kept=kept)


# What `leaves` and `mapped` look into. Without a call for each leaf, capturing takes a tenth less.
_TREES = frozenset({tuple, list, dict, slice})


def leaves(tree: Any) -> list[Any]:
    """Return what is in nested tuples, lists, dicts and slices."""
    if type(tree) not in _TREES:
        return [tree]
    found = []
    for item in _items(tree):
        if type(item) in _TREES:
            found += leaves(item)
        else:
            found.append(item)
    return found


def mapped(tree: Any, change: Callable[[Any], Any]) -> Any:
    """Return a copy of nested tuples, lists, dicts and slices with each leaf changed."""
    kind = type(tree)
    if kind not in _TREES:
        return change(tree)
    items = [
        mapped(item, change) if type(item) in _TREES else change(item) for item in _items(tree)
    ]
    if kind is slice:
        return slice(*items)
    return dict(zip(tree, items, strict=True)) if kind is dict else kind(items)


def _items(tree: Any) -> Any:
    if type(tree) is slice:
        return tree.start, tree.stop, tree.step
    return tree.values() if type(tree) is dict else tree


def replaced(tree: Any, change: Callable[[Value], Any]) -> Any:
    """Return a copy of nested containers with each Value changed, and other leaves as they are."""
    return mapped(tree, lambda leaf: change(leaf) if isinstance(leaf, Value) else leaf)


def move_views(steps: list[Step], replacement: dict[Value, Value]) -> None:
    """Let the views of values that were replaced be views of their replacements."""
    for step in steps:
        for result in step.results if isinstance(step, Call) else ():
            while result.view_of is not None and result.view_of in replacement:
                result.view_of = replacement[result.view_of]
