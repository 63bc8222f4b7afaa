"""The only module that imports JAX, with an error that names the extra if it is missing.

All computations of this package run with 64-bit numbers enabled, so that float64 stays float64. The
setting applies to them only: other programs of JAX in the same process keep theirs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

try:
    import jax
    import jax.numpy as jnp
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'tinytorch-xla runs on JAX, which is not installed: pip install "tinytorch-xla[jax]"; for '
        'a GPU, also pip install "jax[cuda12]"',
        name=error.name,
    ) from error

__all__ = ["Tracer", "in_64_bits", "is_traced", "jax", "jnp"]

Function = TypeVar("Function", bound=Callable[..., Any])

Tracer = jax.core.Tracer
enabled: Callable[[bool], Any] = jax.enable_x64


def in_64_bits(function: Function) -> Function:
    """Decorate a function that calls JAX, so that float64 and int64 keep their precision."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with enabled(True):
            return function(*args, **kwargs)

    return call  # type: ignore[return-value]


def is_traced(value: Any) -> bool:
    """Return whether a value of JAX has no numbers, because a function is being traced."""
    return isinstance(value, Tracer)
