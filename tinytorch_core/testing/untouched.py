"""Whether Tensor and NumPy are still what they were, to the last attribute and setting."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinytorch_core.plugins import Tensor
from tinytorch_core.testing.failure import CheckFailure


def everything() -> dict[str, Any]:
    """All that Tensor and NumPy have, as it lies in them, and what is set for all programs."""
    mine = {f"Tensor.{n}": inspect.getattr_static(Tensor, n) for n in dir(Tensor)}
    # NumPy imports some of its modules, and notes warnings, when there is reason to.
    kept = {n: v for n, v in vars(np).items() if not (inspect.ismodule(v) or n.startswith("__"))}
    theirs = {f"np.{n}": v for n, v in kept.items()}
    settings = {
        "np.geterr()": tuple(np.geterr().items()),
        "np.get_printoptions()": str(np.get_printoptions()),
        "warnings.filters": tuple(warnings.filters),
    }
    return mine | theirs | settings


def expect_unchanged(before: Mapping[str, Any], while_: str) -> None:
    """Raises `CheckFailure` unless `everything()` is still what it was.

    Args:
        before: what it was.
        while_: what happened meanwhile, for the message.
    """
    after = everything()
    for name in {**before, **after}:
        was, now = before.get(name), after.get(name)
        is_setting = isinstance(was, tuple | str) and isinstance(now, tuple | str)
        if was is not now and not (is_setting and was == now):
            raise CheckFailure(
                f"{name} to be the same before and after {while_}",
                "another value" if name in after else "nothing there",
                "assign to nothing that is not yours: tensor.add in tinytorch_extend_tensor, "
                "ops.add and tinytorch_wrap_op say what is to be there while the plugin is on",
            )
