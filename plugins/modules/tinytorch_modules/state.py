"""Copying arrays by name into a module, all or none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinytorch_core.extend import to_array


class IncompatibleKeys(NamedTuple):
    """The names that did not match, as PyTorch's `load_state_dict` returns them."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class TorchState(dict[str, Any]):
    """The arrays of a model in PyTorch's layout, so that they are not loaded as our own."""


def is_of_torch(value: Any) -> bool:
    """Return whether a value is a tensor of PyTorch, without importing PyTorch."""
    return any(cls.__module__.partition(".")[0] == "torch" for cls in type(value).__mro__)


def check_origin(owner: str, mapping: Any) -> None:
    """Raise ValueError if a state is one of PyTorch, whose Linear weights are transposed.

    A square weight of PyTorch has the expected shape too, so that it would be loaded transposed.
    """
    if (reason := _why_of_torch(mapping)) is not None:
        raise ValueError(
            f"cannot load this state into {owner}; nothing was changed: it is a state of PyTorch, "
            f"because {reason}. The weights of Linear are transposed in PyTorch; use "
            "load_torch_state(model, state). If you have transposed them yourself, pass copies of "
            "the arrays"
        )


def _why_of_torch(mapping: Any) -> str | None:
    if isinstance(mapping, TorchState):
        return "torch_state() returned it"
    if not isinstance(mapping, Mapping):
        return None
    if hasattr(mapping, "_metadata"):
        return "it has the attribute _metadata, like what state_dict() of PyTorch returns"
    for name, value in mapping.items():
        while value is not None:
            if is_of_torch(value):
                return f"{name!r} is a tensor of PyTorch, or shares the memory of one"
            value = getattr(value, "base", None)
    return None


def load_arrays(
    owner: str,
    own: Mapping[str, Any],
    mapping: Mapping[str, Any],
    strict: bool,
    replace: Callable[[str, Any], None] | None = None,
) -> IncompatibleKeys:
    """Copy the values of `mapping` into the arrays of a module; see `Module.load_state_dict`.

    Args:
        owner: the name of the module's class, for error messages.
        own: the arrays of the module by name, which are changed in place.
        mapping: arrays, Tensors or nested lists by name.
        strict: whether a missing or unexpected name is an error.
        replace: replaces an array of another library, which may not be writable.

    Raises:
        TypeError: `mapping` is not a mapping.
        ValueError: a shape, dtype or name does not match. Nothing has been copied.
    """
    if not isinstance(mapping, Mapping):
        raise TypeError(
            "load_state_dict() expects a dict from names to arrays, as state_dict() returns, "
            f"not {type(mapping).__name__}: {mapping!r:.60}"
        )
    given = {name: to_array(value) for name, value in mapping.items()}
    keys = IncompatibleKeys(
        [name for name in own if name not in given], [name for name in given if name not in own]
    )
    common = [name for name in own if name in given]
    problems = [
        f"{name} {problem}"
        for name in common
        if (problem := _mismatch(own[name], given[name])) is not None
    ]
    if strict:
        problems += [f"{name} is missing" for name in keys.missing_keys]
        problems += [f"{name} is unexpected" for name in keys.unexpected_keys]
    if any(given[name].shape == own[name].shape[::-1] != own[name].shape for name in common):
        problems.append(
            "Axes in reverse order: use load_torch_state() for a state of PyTorch, and "
            "load_state_dict() for others"
        )
    if problems:
        raise ValueError(
            f"cannot load this state into {owner}; nothing was changed:\n"
            + "\n".join(f"  {problem}" for problem in problems)
        )
    for name in common:
        if replace is None or isinstance(own[name], np.ndarray):
            own[name][...] = given[name]
        else:
            zeros = np.zeros_like(own[name])  # an array of that library
            replace(name, (zeros + given[name]).astype(zeros.dtype))
    return keys


def _mismatch(own: Any, given: Any) -> str | None:
    """Return why the values of `given` cannot be copied into `own`, or None if they can."""
    if isinstance(given, np.ma.MaskedArray):
        return "is a masked array, whose mask would be lost"
    if own.shape != given.shape:
        return f"has shape {given.shape}, expected {own.shape}"
    if not np.can_cast(given.dtype, own.dtype, "same_kind"):
        return f"has dtype {given.dtype}, which cannot be converted to {own.dtype}"
    return None
