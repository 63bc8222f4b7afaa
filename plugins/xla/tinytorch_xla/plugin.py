"""The hooks of tinytorch-xla."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tinytorch_core import hookimpl
from tinytorch_core.extend import OpTable

if TYPE_CHECKING:
    from tinytorch_devkit import Samples

tinytorch_api = (1, 1)
tinytorch_uses = ("autograd", "layers")


def _draw(generator: Any, method: str, arguments: tuple[Any, ...]) -> Any:
    """Return the array that a method of a random generator draws."""
    # Imported here to keep it out of the start-up time.
    from tinytorch_xla.draws import check_generator

    check_generator(generator)
    return getattr(generator, method)(*arguments)


# Not by wrapping the op: on Python 3.11, fewer missing attributes are explained if ops are wrapped.
@hookimpl
def tinytorch_register_ops(ops: OpTable) -> None:
    if "random_draw" in ops:
        ops.replace("random_draw", _draw)


def _jit(step: Any) -> Any:
    # Imported here because it imports JAX.
    from tinytorch_xla.step import jit

    return jit(step)


def _is_sharding() -> bool:
    """Return whether the program is in a block of `shard`."""
    sharding = sys.modules.get("tinytorch_xla.sharding")
    return sharding is not None and sharding.active_mesh() is not None


@hookimpl(optionalhook=True)
def tinytorch_register_step_compilers(compilers: Any) -> None:
    compilers.add("xla", _jit, _is_sharding)


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    """Describe nothing: this plugin adds no ops."""
