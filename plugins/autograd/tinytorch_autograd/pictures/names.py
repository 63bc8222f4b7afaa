"""The names of tensors in a picture, taken from the user's containers and objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from tinytorch_core import Tensor


class Names:
    """The names of tensors, found by tensor, node or array."""

    def __init__(self, given: Any) -> None:
        self._by_key: dict[int, str] = {}
        self._keep_alive: list[Any] = []
        for name, tensor in _named(given, "", set()):
            for key in (getattr(tensor, "_node", None), tensor.data):
                if key is not None:
                    self._by_key.setdefault(id(key), name)
                    self._keep_alive.append(key)

    def of(self, thing: Any) -> str | None:
        """Return the name of a tensor, a node or an array, or None."""
        if isinstance(thing, Tensor):
            return self.of(getattr(thing, "_node", None)) or self.of(thing.data)
        return self._by_key.get(id(thing))


def _named(value: Any, name: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield the tensors in an object, named after their paths, like `layers.0.weight`."""
    if isinstance(value, Tensor):
        yield name, value
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    for key, item in _items(value, name):
        # A module keeps its parameters in a private dict, whose name does not belong in the path.
        inner = "" if key.startswith("_") else key
        if inner or isinstance(item, Mapping) or not name:
            yield from _named(item, ".".join(filter(None, (name, inner))), seen)


def _items(value: Any, name: str) -> Iterable[tuple[str, Any]]:
    """Return the items of a container or the attributes of an object, by name."""
    if isinstance(value, Mapping):
        return [(str(key), item) for key, item in value.items()]
    if isinstance(value, list | tuple):
        # A list at the top level holds several sources; its indices are not part of names.
        return [(str(i) if name else "", item) for i, item in enumerate(value)]
    if isinstance(value, type | ModuleType | FunctionType):
        return []
    return list(getattr(value, "__dict__", {}).items())
