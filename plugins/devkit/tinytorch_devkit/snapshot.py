"""Snapshots of Tensor and NumPy, to find what a plugin has changed in them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinytorch_core import Tensor


def snapshot() -> dict[str, Any]:
    """Return all attributes of Tensor and NumPy, and NumPy's settings, by name."""
    of_tensor = {f"Tensor.{n}": inspect.getattr_static(Tensor, n) for n in dir(Tensor)}
    # NumPy itself imports some of its modules, and records warnings, on first use.
    kept = {n: v for n, v in vars(np).items() if not (inspect.ismodule(v) or n.startswith("__"))}
    of_numpy = {f"np.{n}": v for n, v in kept.items()}
    settings = {
        "np.geterr()": str(np.geterr()),
        "np.get_printoptions()": str(np.get_printoptions()),
    }
    return of_tensor | of_numpy | settings


def changed_names(before: Mapping[str, Any]) -> list[str]:
    """Return the names whose values differ from those in `before`, an earlier snapshot."""
    after = snapshot()
    return [name for name in {**before, **after} if not _same(before.get(name), after.get(name))]


def _same(old: Any, new: Any) -> bool:
    return old is new or (isinstance(old, str) and isinstance(new, str) and old == new)
