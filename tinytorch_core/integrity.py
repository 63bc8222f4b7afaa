"""Puts back what a plugin has changed in NumPy or in the plain Tensor, and says that it did.

The surface is computed, never edited. A plugin that assigns to `np.add` or deletes a method of
Tensor would change every program, and would stay in force when it is off.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core.tensor import TensorBase

if TYPE_CHECKING:
    from tinytorch_core.plugin import Plugin

_ABSENT = object()


class Guard:
    """Knows NumPy and the plain Tensor as they are now."""

    def __init__(self) -> None:
        self._before = [(owner, vars(owner).copy()) for owner in _owners()]

    @contextmanager
    def around(self, plugin: Plugin, doing: str) -> Iterator[None]:
        """Runs code of a plugin; what it changes outside of itself is put back, and an error.

        Raises:
            PluginError: NumPy or the plain Tensor had been changed.
        """
        try:
            yield
        finally:
            changed = [name for was in self._before for name in _put_back(*was)]
        if changed:
            raise plugin.error(
                f"{doing} changed {', '.join(sorted(changed)[:3])}, which has been put back",
                remedy="Add ops and attributes through the hooks, and leave what exists as it is.",
            )


def _owners() -> list[Any]:
    from tinytorch_core.activation import Tensor  # here, because it stands on this module

    loaded = (sys.modules.get(name) for name in ("numpy.linalg", "numpy.fft"))
    return [np, *filter(None, loaded), TensorBase, Tensor]


def _put_back(owner: Any, before: dict[str, Any]) -> list[str]:
    """The names of what was changed or taken away in `owner`, or put onto a class."""
    if _same(list(vars(owner).values()), list(before.values())):
        return []
    now = vars(owner).copy()
    changed = [name for name, value in before.items() if now.get(name, _ABSENT) is not value]
    for name in changed:
        setattr(owner, name, before[name])
    # Modules grow as their parts are imported; a class does not.
    added = [n for n in now.keys() - before if callable(now[n])] if isinstance(owner, type) else []
    for name in added:
        delattr(owner, name)
    return [f"{owner.__name__}.{name}" for name in changed + added]


def _same(now: list[Any], before: list[Any]) -> bool:
    # Lists ask whether two values are equal only where they are not the same object.
    try:
        return bool(now == before)
    except Exception:  # two values that differ, and cannot be compared
        return False
