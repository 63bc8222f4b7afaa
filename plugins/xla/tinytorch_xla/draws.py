"""Whether a step is being traced, and the check of generators from which it draws.

Without JAX, because every draw of a program runs through it while the plugin is active.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import numpy as np

from tinytorch_xla.errors import XlaError, user_line

# Whether this thread traces a step.
tracing: ContextVar[bool] = ContextVar("tracing", default=False)


def check_generator(generator: Any) -> None:
    """Raise XlaError if a step is being traced, and a generator is not part of its state."""
    if tracing.get() and issubclass(type(generator), np.random.Generator):
        raise XlaError(
            f"{user_line()}: draws from a generator that jit cannot find, so every step would draw "
            "the same numbers; keep it in an attribute of a module or object that the step refers "
            "to"
        )
