"""The state of a module as arrays by name, and putting one back, checked as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinytorch_core import Tensor

if TYPE_CHECKING:
    from tinytorch_layers.module import Module


class IncompatibleKeys(NamedTuple):
    """What did not fit, as PyTorch's `load_state_dict` returns it."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def arrays(module: Module) -> dict[str, Any]:
    """The arrays of the parameters and buffers of a module, by name; no copies."""
    held = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: _array(value) for name, value in held.items()}


def load(module: Module, mapping: Mapping[str, Any], strict: bool) -> IncompatibleKeys:
    """Copies values into a module; see `Module.load_state_dict`."""
    if not isinstance(mapping, Mapping):
        raise TypeError(
            "load_state_dict() takes a dict from names to arrays, as state_dict() gives it, not "
            f"{type(mapping).__name__}: {mapping!r:.60}"
        )
    own = arrays(module)
    given = {name: _array(value) for name, value in mapping.items()}
    keys = IncompatibleKeys(
        [name for name in own if name not in given], [name for name in given if name not in own]
    )
    common = [name for name in own if name in given]
    lines = [f"{name} {w}" for name in common if (w := _misfit(own[name], given[name]))]
    if strict:
        lines += [f"{name} is missing" for name in keys.missing_keys]
        lines += [f"{name} is unexpected" for name in keys.unexpected_keys]
    if lines:
        raise ValueError(
            f"{type(module).__name__} cannot take this state; nothing was changed:\n"
            + "\n".join(f"  {line}" for line in lines)
        )
    for name in common:
        own[name][...] = given[name]
    return keys


def _array(value: Any) -> Any:
    value = value.data if isinstance(value, Tensor) else value
    return value if hasattr(value, "dtype") else np.asarray(value)


def _misfit(own: Any, given: Any) -> str | None:
    """Why an array cannot take the values of another, or None if it can."""
    if own.shape != given.shape:
        return f"has the shape {given.shape}, and {own.shape} is expected"
    if not np.can_cast(given.dtype, own.dtype, "same_kind"):
        return f"holds {given.dtype}, which does not become {own.dtype}"
    return None
