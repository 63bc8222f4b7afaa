"""Checks of what optimizers, schedules and the loop are told; every message names its owner."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Iterable, Mapping
from numbers import Real
from types import GeneratorType
from typing import Any

import numpy as np

from tinytorch_core import Tensor


def number(owner: str, name: str, value: Any) -> float:
    """`value` as a Python float, which adapts to the dtype of the array it meets.

    Raises:
        TypeError: it is no number.
        ValueError: it is NaN or infinite.
    """
    if not isinstance(value, Real):
        raise TypeError(
            f"{name} of {owner} must be a number, not {type(value).__name__}: {value!r:.60}"
        )
    if not math.isfinite(value):
        raise ValueError(f"{name} of {owner} must be a finite number, not {float(value)}")
    return float(value)


def not_negative(owner: str, name: str, value: Any) -> float:
    """`value` as a float of 0 or more."""
    checked = number(owner, name, value)
    if checked < 0:
        raise ValueError(f"{name} of {owner} must be 0 or more, not {checked}")
    return checked


def positive(owner: str, name: str, value: Any) -> float:
    """`value` as a float above 0."""
    checked = number(owner, name, value)
    if checked <= 0:
        raise ValueError(f"{name} of {owner} must be above 0, not {checked}")
    return checked


def decay(owner: str, name: str, value: Any) -> float:
    """`value` as a float from 0 up to, but without, 1: how much of an average is kept."""
    checked = number(owner, name, value)
    if not 0 <= checked < 1:
        raise ValueError(f"{name} of {owner} must be 0 or more and below 1, not {checked}")
    return checked


def decays(owner: str, name: str, value: Any) -> tuple[float, float]:
    """`value` as the pair of decays of Adam."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name} of {owner} must be two numbers, as (0.9, 0.999), not {value!r}")
    first, second = value
    return decay(owner, f"{name}[0]", first), decay(owner, f"{name}[1]", second)


def flag(owner: str, name: str, value: Any) -> bool:
    """`value` as True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} of {owner} must be True or False, not {value!r}")
    return bool(value)


def count(owner: str, name: str, value: Any, least: int = 1) -> int:
    """`value` as an integer of at least `least`."""
    try:
        checked = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} of {owner} must be an integer, not {value!r}") from None
    if checked < least:
        raise ValueError(f"{name} of {owner} must be {least} or more, not {checked}")
    return checked


def parameter_list(owner: str, parameters: Iterable[Any]) -> list[Tensor]:
    """The parameters, each a Tensor of floating numbers, and at least one of them.

    Raises:
        TypeError: something else is among them, or it is a single Tensor.
        ValueError: there are none, or one is there twice or was computed by an op.
    """
    if isinstance(parameters, Tensor) or not isinstance(parameters, Iterable):
        raise TypeError(
            f"{owner} takes an iterable of tensors, such as model.parameters() or [w, b], "
            f"not {type(parameters).__name__}"
        )
    used_up = _is_used_up(parameters)
    found = list(parameters)
    if not found:
        raise ValueError(f"{owner} got no parameters. {_why_none(parameters, used_up)}")
    for i, parameter in enumerate(found):
        _check_parameter(owner, i, parameter)
    if len({id(p) for p in found}) < len(found):
        raise ValueError(f"{owner} got the same parameter more than once; give each once")
    return found


def _is_used_up(parameters: Iterable[Any]) -> bool:
    return (
        isinstance(parameters, GeneratorType)
        and inspect.getgeneratorstate(parameters) == inspect.GEN_CLOSED
    )


def _why_none(parameters: Iterable[Any], used_up: bool) -> str:
    if used_up:
        return (
            "The generator was used up before: it gives its items once. Ask for a fresh one, "
            "model.parameters(), or keep them in a list"
        )
    if iter(parameters) is parameters:
        return (
            "The iterator gave none: either it was used up before, and gives its items once, or "
            "the model has no parameters"
        )
    return f"The {type(parameters).__name__} is empty; does the model have parameters?"


def _check_parameter(owner: str, i: int, parameter: Any) -> None:
    if not isinstance(parameter, Tensor):
        raise TypeError(
            f"{owner} takes tensors, and number {i} is of {type(parameter).__name__}: "
            f"{parameter!r:.60}"
        )
    if parameter.dtype.kind != "f":
        raise TypeError(
            f"{owner} takes tensors of real floating numbers, and number {i}, of shape "
            f"{parameter.shape}, holds {parameter.dtype}"
        )
    if not getattr(parameter, "is_leaf", True):
        raise ValueError(
            f"number {i} of the parameters of {owner} was computed, by {parameter.grad_fn!r}, so "
            "no gradient is kept for it; give the leaf that it was computed from"
        )


def function(owner: str, name: str, value: Any) -> Any:
    """`value`, which can be called, and is not a class that was meant to be made an object of."""
    if isinstance(value, type):
        raise TypeError(
            f"{name} of {owner} is the class {value.__name__}; make one: {value.__name__}(...)"
        )
    if not callable(value):
        raise TypeError(f"{name} of {owner} must be a function, not {value!r:.60}")
    return value


def functions(owner: str, name: str, value: Any) -> dict[str, Any]:
    """`value` as a dict from names to functions; empty for None."""
    if not isinstance(value or {}, Mapping):
        raise TypeError(
            f"{name} of {owner} must be a dict from names to functions, as "
            f'{{"accuracy": accuracy}}, not {value!r:.60}'
        )
    return {key: function(owner, f"{name}[{key!r}]", f) for key, f in (value or {}).items()}


def with_methods(owner: str, name: str, value: Any, kind: str, *methods: str) -> Any:
    """`value`, which is None or has the methods of a `kind`."""
    if isinstance(value, type):
        raise TypeError(
            f"{name} of {owner} is the class {value.__name__}; make one: {value.__name__}(...)"
        )
    missing = [m for m in methods if not callable(getattr(value, m, None))]
    if value is not None and missing:
        raise TypeError(f"{name} of {owner} must be {kind}; {value!r:.60} has no {missing[0]}()")
    return value


def as_batches(owner: str, name: str, value: Any) -> Any:
    """`value`, which can be iterated over."""
    if not (hasattr(value, "__iter__") or hasattr(value, "__getitem__")):
        raise TypeError(
            f"{name} of {owner} must be a DataLoader, or another iterable of batches, not "
            f"{type(value).__name__}"
        )
    return value
