"""The arguments of a step: arrays and numbers, and tuples, lists and dicts of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinytorch_core import Tensor


def is_container(value: Any) -> bool:
    """Return whether a value is a tuple, named tuple, list or dict, whose items are looked at."""
    kind = type(value)
    if kind is dict:
        return all(type(key) in (str, int) for key in value)
    return kind in (tuple, list) or (isinstance(value, tuple) and hasattr(kind, "_fields"))


def items_of(container: Any) -> dict[Any, Any]:
    """Return the items of a container by their keys or indices."""
    return dict(container if isinstance(container, dict) else enumerate(container))


def container_like(container: Any, items: Mapping[Any, Any]) -> Any:
    """Return a container of the same type with other items."""
    kind = type(container)
    if kind is dict:
        return dict(items)
    return kind(*items.values()) if hasattr(kind, "_fields") else kind(items.values())


def arrays_in(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the tensors and arrays in arguments, each with the text that selects it.

    >>> [text for text, _ in arrays_in({"batch": (np.zeros(1), {"y": np.ones(1)}), "rate": 0.1})]
    ['batch[0]', "batch[1]['y']"]
    """
    for text, value in arguments.items():
        if isinstance(value, Tensor | np.ndarray):
            yield text, value
        elif is_container(value):
            yield from arrays_in({f"{text}[{k!r}]": v for k, v in items_of(value).items()})
