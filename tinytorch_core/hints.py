"""Data for error messages: what well-known plugins add to Tensor, and PyTorch's other names."""

from __future__ import annotations

import functools
import os
from typing import NamedTuple


class Hint(NamedTuple):
    """The names that a well-known plugin adds, `attributes` of Tensor or `keywords` of it."""

    plugin: str
    distribution: str
    kind: str
    names: frozenset[str]


@functools.cache
def hints() -> tuple[Hint, ...]:
    """Return the rows of hints.txt: plugin, distribution, kind and names."""
    rows = map(str.split, _lines("hints.txt"))
    return tuple(Hint(row[0], row[1], row[2], frozenset(row[3:])) for row in rows)


@functools.cache
def torch_names() -> dict[str, str]:
    """Return what to write in place of the methods that only PyTorch's tensors have."""
    return dict(line.split(maxsplit=1) for line in _lines("torch_names.txt"))


def _lines(name: str) -> list[str]:
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read().splitlines()


def distribution_of(plugin: str) -> str:
    """Return the distribution of a well-known plugin, or the customary name for any other."""
    known = {hint.plugin: hint.distribution for hint in hints()}
    return known.get(plugin, f"tinytorch-{plugin}")


def well_known_provider(name: str) -> str | None:
    """Return the distribution of the well-known plugin that adds `name` to Tensor, or None.

    >>> well_known_provider("relu")
    'tinytorch-activations'
    """
    return next((hint.distribution for hint in hints() if name in hint.names), None)
