"""Trees: dicts, lists, tuples and named tuples, nested, with any other values as leaves.

None is an empty tree. The leaves of a dict have the order of its keys.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any


def leaves(tree: Any) -> list[Any]:
    """Return the leaves in order.

    >>> leaves({"w": [1, 2], "b": None})
    [1, 2]
    """
    found: list[Any] = []
    _collect((tree,), found)
    return found


_CONTAINERS = (list, tuple, dict)


def _collect(values: Iterable[Any], found: list[Any]) -> None:
    for value in values:
        if isinstance(value, _CONTAINERS):
            _collect(value.values() if isinstance(value, dict) else value, found)
        elif value is not None:
            found.append(value)


def named_leaves(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each leaf with its name: `name` and the keys that lead to the leaf.

    >>> list(named_leaves({"w": [1, 2], "b": None}, "the argument"))
    [("the argument['w'][0]", 1), ("the argument['w'][1]", 2)]
    """
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from named_leaves(value, f"{name}[{key!r}]")
    elif isinstance(tree, list | tuple):
        fields = getattr(tree, "_fields", None)
        for i, value in enumerate(tree):
            yield from named_leaves(value, f"{name}.{fields[i]}" if fields else f"{name}[{i}]")
    elif tree is not None:
        yield name, tree


def fill(tree: Any, values: Iterable[Any]) -> Any:
    """Return a tree of the same structure with other leaves, given in order.

    >>> fill({"w": [1, 2], "b": None}, "xy")
    {'w': ['x', 'y'], 'b': None}
    """
    return _fill(tree, iter(values))


def _fill(tree: Any, values: Iterator[Any]) -> Any:
    if isinstance(tree, dict):
        filled = copy.copy(tree)  # keeps the class, such as OrderedDict
        for key, value in tree.items():
            filled[key] = _fill(value, values)
        return filled
    if isinstance(tree, list):
        return [_fill(value, values) for value in tree]
    if isinstance(tree, tuple):
        items = [_fill(value, values) for value in tree]
        return type(tree)._make(items) if hasattr(tree, "_make") else tuple(items)
    return None if tree is None else next(values)


def outline(tree: Any) -> str:
    """Return the structure as text, with dots for leaves; two trees match if their texts do.

    >>> outline({"w": [1, 2], "b": None})
    "{'w': [·, ·], 'b': None}"
    """
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {outline(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list | tuple):
        items = ", ".join(map(outline, tree))
        if isinstance(tree, list):
            return f"[{items}]"
        return f"({items},)" if len(tree) == 1 else f"({items})"
    return "None" if tree is None else "·"
