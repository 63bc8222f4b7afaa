"""Whether Tensor and NumPy are still what they were, to the last attribute and setting."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinytorch_core import Tensor


def everything() -> dict[str, Any]:
    """All that Tensor and NumPy have, as it lies in them, and NumPy's settings."""
    mine = {f"Tensor.{n}": inspect.getattr_static(Tensor, n) for n in dir(Tensor)}
    # NumPy imports some of its modules, and notes warnings, when there is reason to.
    kept = {n: v for n, v in vars(np).items() if not (inspect.ismodule(v) or n.startswith("__"))}
    theirs = {f"np.{n}": v for n, v in kept.items()}
    settings = {
        "np.geterr()": str(np.geterr()),
        "np.get_printoptions()": str(np.get_printoptions()),
    }
    return mine | theirs | settings


def changes(before: Mapping[str, Any]) -> list[str]:
    """The names of what is no longer what it was `before`, by `everything()`."""
    after = everything()
    return [name for name in {**before, **after} if not _same(before.get(name), after.get(name))]


def _same(was: Any, now: Any) -> bool:
    return was is now or (isinstance(was, str) and isinstance(now, str) and was == now)
