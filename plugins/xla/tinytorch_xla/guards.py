"""The guards of a compiled step: whether everything is as it was when the step was compiled.

They run in every call, next to a program that may take microseconds, so they are lines of the
generated function of the call.
"""

from __future__ import annotations

import functools
import operator
import sys
import types
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import array_text, from_array

from tinytorch_xla.array import Array
from tinytorch_xla.places import Box, is_recording, same
from tinytorch_xla.source import Source

# What the function of a call returns if its program does not hold; it has had no effect then.
CHANGED = object()


class Slot:
    """Where a step reads an array and perhaps replaces it: in a tensor, as its gradient, in a box.

    Attributes:
        path: how the step reaches it.
        owner: the tensor or the box.
        key: "data" or "grad" for a tensor, or the key of the box.
        read: returns the array, or None for a missing gradient.
    """

    __slots__ = ("key", "owner", "path", "read")

    def __init__(self, path: str, owner: Any, key: Any) -> None:
        self.path, self.owner, self.key = path, owner, key
        self.read: Callable[[], Any] = (
            owner.reader(key)
            if isinstance(owner, Box)
            else functools.partial(operator.attrgetter(key), owner)
        )

    @property
    def is_data(self) -> bool:
        """Whether it is the array of a tensor, which is never missing."""
        return self.key == "data" and not isinstance(self.owner, Box)

    def write(self, value: Any) -> None:
        """Replace the array."""
        if isinstance(self.owner, Box):
            self.owner.set(self.key, value)
        elif self.key == "data" and value.__class__ is Array:
            # As a Tensor, because an array of another library would be checked.
            self.owner.data = from_array(Tensor, value)
        else:
            setattr(self.owner, self.key, value)

    def write_gradient(self, value: Any) -> None:
        """Replace a gradient by an array of JAX, of the kind of its tensor's array."""
        if type(getattr(self.owner, "data", None)) is np.ndarray:
            self.write(np.array(value))
        else:
            self.write(Array(value))

    def text(self, source: Source) -> str:
        """Return the text that reads the array."""
        if isinstance(self.owner, Box):
            return item_text(self.owner, self.key, source)
        tensor = source.name(self.owner, "tensor")
        return array_text(tensor) if self.is_data else f"{tensor}.{_attribute_of_grad(self.owner)}"

    def write_lines(self, value: str, is_on_device: bool, source: Source) -> list[str]:
        """Return the lines that replace the array by one of JAX.

        Args:
            value: the variable of that array.
            is_on_device: whether the array of the tensor is known to be one of ours.
            source: has the names of the objects.
        """
        lines = array_lines("array", value, source)
        if isinstance(self.owner, Box):
            return [*lines, set_line(self.owner, self.key, "array", source)]
        if self.is_data or is_on_device:
            return [*lines, f"{self.text(source)} = array"]
        return [f"{source.name(self.write_gradient, 'write')}({value})"]


class Guards:
    """What a compiled step has taken as fixed.

    Args:
        fixed: boxes, the numbers of their items, and the items that must stay the same.
        slots: where the step reads arrays.

    Attributes:
        missing: whether each slot has no array.
    """

    def __init__(
        self, fixed: Sequence[tuple[Box, int, list[tuple[Any, Any]]]], slots: Sequence[Slot]
    ) -> None:
        self._items = [(box, key, value) for box, _, items in fixed for key, value in items]
        self._counts = [(box, count) for box, count, _ in fixed]
        self._slots = slots
        self.missing = [slot.read() is None for slot in slots]

    def has_equal_items(self) -> bool:
        """Return whether the items of boxes have the values that they had."""
        return all(same(box.get(key), value) for box, key, value in self._items)

    def add_modes(self, source: Source) -> None:
        """Add lines that find out if ops run in another way than before."""
        tensor, surface = source.name(Tensor, "Tensor"), source.name(Tensor.__bases__[0], "surface")
        autograd = sys.modules.get("tinytorch_autograd")
        enabled: Any = is_recording if autograd is None else autograd.is_grad_enabled
        _changed_if(
            source,
            f"{tensor}.__bases__[0] is not {surface}",
            f"{source.name(enabled, 'is_recording')}() is not {is_recording()}",
        )

    def add_state(self, source: Source, read: Sequence[int]) -> None:
        """Add lines that look at the state.

        Args:
            source: what the lines are added to.
            read: the indices of the slots whose arrays the program reads. They are assigned to
                the variables v0, v1 and so on.
        """
        others = [
            f"{item_text(box, key, source)} is not {source.name(value, type(value).__name__)}"
            for box, key, value in self._items
        ]
        if others:
            # Most are the same objects; other objects may be equal.
            equal = source.name(self.has_equal_items, "has_equal_items")
            _changed_if(source, f"({' or '.join(others)}) and not {equal}()")
        _changed_if(source, *self._other_keys(source))
        array = source.name(Array, "Array")
        used = set(read)
        for index, slot in enumerate(self._slots):
            text = slot.text(source)
            if index in used:
                source.add(f"v{index} = {text}", f"if v{index}.__class__ is {array}:")
                source.add(f"    v{index} = v{index}.value")
                text = f"v{index}"
            if self.missing[index]:
                _changed_if(source, f"{text} is not None")
            elif not slot.is_data:
                _changed_if(source, f"{text} is None")

    def _other_keys(self, source: Source) -> list[str]:
        """Return the texts of the conditions that a box has more or fewer items than before."""
        found = []
        for box, count in self._counts:
            name = source.name(box.thing, "box")
            if box.public:  # keys with an underscore may change
                keys = source.name([*box.thing], "keys")
                counted = f"{source.name(box, 'place')}.count()"
                found.append(f"([*{name}] != {keys} and {counted} != {count})")
            elif count >= 0:
                found.append(f"len({name}) != {count}")
        return found


def _changed_if(source: Source, *conditions: str) -> None:
    if conditions:
        changed = source.name(CHANGED, "CHANGED")
        source.add(f"if {' or '.join(conditions)}:", f"    return {changed}")


def _attribute_of_grad(tensor: Any) -> str:
    """Return the attribute in which a tensor keeps its gradient; faster than the property."""
    before, probe = tensor.grad, tensor.data
    tensor.grad = probe
    try:
        return next((name for name, value in vars(tensor).items() if value is probe), "grad")
    finally:
        tensor.grad = before


def array_lines(name: str, value: str, source: Source) -> list[str]:
    """Return the lines that do what `name = Array(value)` does, without the call of `__init__`."""
    new, array = source.name(object.__new__, "new"), source.name(Array, "Array")
    return [f"{name} = {new}({array})", f"{name}.value = {value}", f"{name}.checked = None"]


def item_text(box: Box, key: Any, source: Source) -> str:
    """Return the text that does what `box.get(key)` does."""
    thing = source.name(box.thing, "box")
    if isinstance(box.thing, set):
        return f"frozenset({thing})"
    if isinstance(box.thing, types.CellType):
        return f"{thing}.cell_contents"
    return f"{thing}[{repr(key) if type(key) in (str, int) else source.name(key, 'key')}]"


def set_line(box: Box, key: Any, value: str, source: Source) -> str:
    """Return the line that does what `box.set(key, value)` does."""
    if type(box.thing) in (dict, list, deque, types.CellType):
        return f"{item_text(box, key, source)} = {value}"
    return f"{source.name(box.set, 'set')}({source.literal(key)}, {value})"
