"""Containers of tensors: dicts, lists, tuples and named tuples, nested; None stands for nothing.

Whatever is no container is a leaf. The order of a dict's leaves is that of its keys.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any


def named_leaves(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Each leaf after the words that lead to it.

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


def leaves(tree: Any) -> list[Any]:
    """The leaves in order.

    >>> leaves({"w": [1, 2], "b": None})
    [1, 2]
    """
    return [leaf for _, leaf in named_leaves(tree)]


def fill(tree: Any, values: Iterable[Any]) -> Any:
    """The same containers around other leaves, given in order.

    >>> fill({"w": [1, 2], "b": None}, "xy")
    {'w': ['x', 'y'], 'b': None}
    """
    return _fill(tree, iter(values))


def _fill(tree: Any, values: Iterator[Any]) -> Any:
    if isinstance(tree, dict):
        filled = copy.copy(tree)  # an OrderedDict stays one
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
    """The containers alone, in words, with dots for leaves. Equal for trees of one structure.

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
