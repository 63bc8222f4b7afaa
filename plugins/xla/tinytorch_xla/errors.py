"""The errors of this plugin, and the line of the user's program that they name."""

from __future__ import annotations

import functools
import os
import sys
from types import FrameType

import numpy as np

_SITE_PACKAGES = os.path.dirname(os.path.dirname(np.__file__))
_LIBRARIES = tuple(
    os.path.join(_SITE_PACKAGES, name, "") for name in ("numpy", "jax", "jaxlib", "scipy")
)


class XlaError(TypeError):
    """The program does something that XLA cannot do; the message names the line and the remedy."""


class TracedValueError(XlaError):
    """The program needs a number that is not known while `jit` or `vmap` traces a function.

    It is raised for a branch on a value, `item()`, `float()`, plotting and the like.
    """


def traced_value_error(what: str) -> TracedValueError:
    """Return the error for a conversion of a traced value, such as "float()"."""
    return TracedValueError(
        f"{user_line()}: {what} needs a number, but inside jit and vmap an array has no values "
        "yet; compute with the array itself, such as np.where instead of a branch, or return it "
        "and convert it outside"
    )


def not_writable(what: str) -> XlaError:
    """Return the error for a write into an array, such as "item assignment"."""
    return XlaError(
        f"{user_line()}: {what} writes into an array of XLA, which cannot be modified; compute a "
        "new array, for example with np.where"
    )


def user_line() -> str:
    """Return file and line of the innermost call outside of TinyTorch, NumPy and JAX."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not _is_library(file, frame.f_globals.get("__name__", "")):
            return f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    return "unknown line"


@functools.lru_cache(maxsize=1024)
def _is_library(file: str, module: str) -> bool:
    ours = module.partition(".")[0].startswith("tinytorch_")
    return ours or file.startswith(
        (*_LIBRARIES, "tinytorch-", "<", os.path.dirname(functools.__file__))
    )
