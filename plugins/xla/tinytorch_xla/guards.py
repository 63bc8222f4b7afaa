"""The guards of a compiled step: whether everything is as it was when the step was compiled.

They run in every call, next to a program that may take microseconds, so they do nothing twice.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array

from tinytorch_xla.array import Array
from tinytorch_xla.places import Box, same

_call = operator.call


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

    def write(self, value: Any) -> None:
        """Replace the array."""
        if isinstance(self.owner, Box):
            self.owner.set(self.key, value)
        elif self.key == "data" and value.__class__ is Array:
            # As a Tensor, because an array of another library would be checked.
            self.owner.data = from_array(Tensor, value)
        else:
            setattr(self.owner, self.key, value)

    def write_result(self, value: Any) -> None:
        """Replace the array by one of JAX, or a gradient by one of the kind of its tensor."""
        if self.key == "grad" and type(getattr(self.owner, "data", None)) is np.ndarray:
            self.write(np.array(value))
        else:
            self.write(Array(value))


class Guards:
    """What a compiled step has taken as fixed.

    Args:
        fixed: boxes, the numbers of their items, and the items that must stay the same.
        slots: where the step reads arrays.
    """

    def __init__(
        self, fixed: Sequence[tuple[Box, int, list[tuple[Any, Any]]]], slots: Sequence[Slot]
    ) -> None:
        # Functions that return the items, and the items.
        self._readers: list[Callable[[], Any]] = []
        self._values: list[Any] = []
        self._counts: list[tuple[Any, int]] = []
        # The keys of public boxes, of which those with an underscore may change.
        self._keys: list[tuple[Box, int, set[Any]]] = []
        for box, count, items in fixed:
            self._readers += [box.reader(key) for key, _ in items]
            self._values += [value for _, value in items]
            if box.public:
                self._keys.append((box, count, set(box.thing)))
            elif count >= 0:
                self._counts.append((box.thing, count))
        self._read = [slot.read for slot in slots]
        self.missing = [read() is None for read in self._read]

    def state(self) -> list[Any] | None:
        """Return the arrays in the slots, or None if something else has changed."""
        try:
            now = list(map(_call, self._readers))
            # Most are the same objects, which this finds out without a loop of Python.
            if not all(map(operator.is_, now, self._values)) and not all(
                map(same, now, self._values)
            ):
                return None
            found = list(map(_call, self._read))
        except (KeyError, IndexError, ValueError):
            return None
        for thing, count in self._counts:
            if len(thing) != count:
                return None
        for box, count, keys in self._keys:
            if box.thing.keys() != keys and box.count() != count:
                return None
        if [array is None for array in found] != self.missing:
            return None
        return found
