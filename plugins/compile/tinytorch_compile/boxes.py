"""Boxes: things with items that a step can read and replace, such as a dict or an object."""

from __future__ import annotations

import operator
from collections import OrderedDict, deque
from collections.abc import Callable
from types import CellType, FunctionType, MemberDescriptorType
from typing import Any

Belongs = Callable[[Any], bool]

# The attributes of a function that determine what it does.
_OF_FUNCTIONS = ("__code__", "__defaults__", "__kwdefaults__")


class Box:
    """Something with items that can be replaced.

    It is a dict, a list, a deque, a set, a variable of a function, a class, a function, or an
    object with `__slots__`. The items of a set are its own keys.

    Attributes:
        path: how the step reaches it, such as "model.layers".
        thing: the dict, list or other thing.
        belongs: whether a key of a dict or class matters; None if all do.
        private: it belongs to a library's cache, which is restored, but not guarded.
        ordered: it is a dict whose order matters.
        complete: other items would matter, too.
        items: its items when the step was captured.
    """

    __slots__ = ("belongs", "complete", "items", "ordered", "path", "private", "thing")

    def __init__(
        self,
        path: str,
        thing: Any,
        belongs: Belongs | None = None,
        private: bool = False,
        ordered: bool = False,
        complete: bool = True,
    ) -> None:
        self.path, self.thing, self.belongs = path, thing, belongs
        self.private, self.ordered, self.complete = private, ordered, complete
        self.items = self.current()

    def current(self) -> dict[Any, Any]:
        """Return the items by their keys."""
        thing = self.thing
        if isinstance(thing, list | deque):
            return dict(enumerate(thing))
        if isinstance(thing, set):
            return {Item(item): item for item in thing}
        if isinstance(thing, dict | type):
            found = thing if isinstance(thing, dict) else vars(thing)
            return {k: v for k, v in found.items() if self.belongs is None or self.belongs(k)}
        found = {}
        for name in attribute_names(thing):
            if self.belongs is not None and not self.belongs(name):
                continue
            try:
                found[name] = getattr(thing, name)
            except (AttributeError, ValueError):  # it has no value yet
                continue
        return found

    def set(self, key: Any, value: Any) -> None:
        """Replace one item, without the checks of a subclass."""
        thing = self.thing
        if isinstance(thing, list):
            list.__setitem__(thing, key, value)
        elif isinstance(thing, deque):
            thing[key] = value
        elif isinstance(thing, dict):
            _kind_of_dict(thing).__setitem__(thing, key, value)
        elif isinstance(thing, type):
            type.__setattr__(thing, key, value)
        else:
            object.__setattr__(thing, key, value)

    def restore(self) -> None:
        """Give the thing the items that it had."""
        now, thing = self.current(), self.thing
        if (
            len(now) == len(self.items)
            and all(key in now and now[key] is value for key, value in self.items.items())
            and (not self.ordered or all(map(operator.is_, thing, self.items)))
        ):
            return
        if isinstance(thing, list):
            thing[:] = self.items.values()
        elif isinstance(thing, deque | set):
            thing.clear()
            add: Any = thing.extend if isinstance(thing, deque) else thing.update
            add(self.items.values())
        else:
            for key in list(now) if self.ordered else now.keys() - self.items.keys():
                self._delete(key)
            for key, value in self.items.items():
                self.set(key, value)

    def _delete(self, key: Any) -> None:
        if isinstance(self.thing, dict):
            _kind_of_dict(self.thing).__delitem__(self.thing, key)
        elif isinstance(self.thing, type):
            type.__delattr__(self.thing, key)
        else:
            object.__delattr__(self.thing, key)

    def name_of(self, key: Any) -> str:
        """Return how the step reaches an item."""
        if isinstance(self.thing, CellType):
            return self.path
        if isinstance(self.thing, set):
            return f"an item of {self.path}"
        if not self.path:
            return str(key)
        if isinstance(key, str):
            return f"{self.path}.{key}"
        return f"{self.path}[{key if isinstance(key, int) else type(key).__name__}]"


class Item:
    """The key of an item of a set: two are equal if they stand for the same object."""

    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Item) and self.thing is other.thing

    def __hash__(self) -> int:
        return id(self.thing)


def _kind_of_dict(thing: Any) -> Any:
    """Return the class whose methods change a dict without the checks of a subclass."""
    return OrderedDict if isinstance(thing, OrderedDict) else dict


def attribute_names(thing: Any) -> list[str]:
    """Return the names under which a variable, a function or an object with slots has items."""
    if isinstance(thing, CellType):
        return ["cell_contents"]
    if isinstance(thing, FunctionType):
        return [*_OF_FUNCTIONS]
    return [
        name
        for base in type(thing).__mro__
        for name, value in vars(base).items()
        if isinstance(value, MemberDescriptorType)
    ]
