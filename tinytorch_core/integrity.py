"""Restores NumPy and the plain Tensor after a plugin has modified them.

The surface is computed, never edited. A plugin that assigns to `np.add` or deletes a method of
Tensor would change every program, and the change would outlast the plugin.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tinytorch_core.tensor import Tensor, TensorBase


class Integrity:
    """A snapshot of NumPy and the plain Tensor, which can be restored."""

    def __init__(self) -> None:
        loaded = filter(None, map(sys.modules.get, ("numpy.linalg", "numpy.fft")))
        self._owners: list[Any] = [np, *loaded, TensorBase, Tensor]
        self._before = [*map(dict, map(vars, self._owners))]
        self._errors = np.geterr(), np.geterrcall()

    def restore(self) -> list[str]:
        """Undo all changes since the snapshot, and return the names of what had changed."""
        changed = []
        for owner, before in zip(self._owners, self._before, strict=True):
            # Fast, because comparing lists calls `==` only for values that are not the same object.
            try:
                same = bool(list(vars(owner).values()) == list(before.values()))
            except Exception:  # values that differ and cannot be compared
                same = False
            if not same:
                changed += _restore(owner, before)
        if (np.geterr(), np.geterrcall()) != self._errors:
            np.seterr(**self._errors[0])
            np.seterrcall(self._errors[1])
            changed.append("NumPy's handling of floating-point errors (np.seterr)")
        return sorted(changed)


def _restore(owner: Any, before: dict[str, Any]) -> list[str]:
    now = vars(owner).copy()
    changed = [name for name in before if name not in now or now[name] is not before[name]]
    for name in changed:
        setattr(owner, name, before[name])
    # Modules gain names when their submodules are imported. A class does not, except that Python
    # adds its annotations when they are first read, and the names of its slots for a pickle.
    new = now.keys() - before if isinstance(owner, type) else ()
    added = [name for name in new if not name.startswith(("__annot", "__slotnames__"))]
    for name in added:
        delattr(owner, name)
    return [f"{owner.__name__}.{name}" for name in changed + added]
