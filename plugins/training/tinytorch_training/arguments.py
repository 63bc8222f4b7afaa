"""Checks of arguments. `owner` is the class or function named in the error messages."""

from __future__ import annotations

import inspect
import math
import operator
import sys
import warnings
from collections.abc import Iterable, Mapping
from numbers import Real
from types import GeneratorType
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import to_array


def number(owner: str, name: str, value: Any) -> float:
    """Return `value` as a Python float, which does not change the dtype of an array.

    Raises:
        TypeError: `value` is not a real number.
        ValueError: `value` is NaN or infinite.
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(
            f"{name} of {owner} must be a number, not {type(value).__name__}: {value!r:.60}"
        )
    if not math.isfinite(value):
        raise ValueError(f"{name} of {owner} must be a finite number, not {float(value)}")
    return float(value)


def not_negative(owner: str, name: str, value: Any) -> float:
    """Return `value` as a float that is 0 or more."""
    checked = number(owner, name, value)
    if checked < 0:
        raise ValueError(f"{name} of {owner} must be 0 or more, not {checked}")
    return checked


def positive(owner: str, name: str, value: Any) -> float:
    """Return `value` as a float above 0."""
    checked = number(owner, name, value)
    if checked <= 0:
        raise ValueError(f"{name} of {owner} must be above 0, not {checked}")
    return checked


def fraction(owner: str, name: str, value: Any) -> float:
    """Return `value` as a float in [0, 1]."""
    checked = number(owner, name, value)
    if not 0 <= checked <= 1:
        raise ValueError(f"{name} of {owner} must be from 0 to 1, not {checked}")
    return checked


def decay(owner: str, name: str, value: Any) -> float:
    """Return `value`, the decay rate of a running average, as a float in [0, 1)."""
    checked = number(owner, name, value)
    if not 0 <= checked < 1:
        raise ValueError(f"{name} of {owner} must be 0 or more and below 1, not {checked}")
    return checked


def decays(owner: str, name: str, value: Any) -> tuple[float, float]:
    """Return `value` as the two decay rates of Adam."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(
            f"{name} of {owner} must be two numbers, such as (0.9, 0.999), not {value!r}"
        )
    first, second = value
    return decay(owner, f"{name}[0]", first), decay(owner, f"{name}[1]", second)


def factor(value: Any, like: Any) -> Any:
    """Return a number by which to multiply `like` without a change of its dtype.

    A Python number is returned unchanged. An array, or a NumPy scalar, gets the dtype of `like`.
    """
    return value.astype(like.dtype) if hasattr(value, "astype") else value


def flag(owner: str, name: str, value: Any) -> bool:
    """Return `value` as a bool."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} of {owner} must be True or False, not {value!r}")
    return bool(value)


def count(owner: str, name: str, value: Any, minimum: int = 1) -> int:
    """Return `value` as an integer that is `minimum` or more."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} of {owner} must be an integer, not {value!r:.60}")
    checked = operator.index(value)
    if checked < minimum:
        raise ValueError(f"{name} of {owner} must be {minimum} or more, not {checked}")
    return checked


def whole_numbers(owner: str, name: str, value: Any) -> Any:
    """Return `value` as an array of integers.

    Raises:
        TypeError: the values are not numbers, or are bools.
        ValueError: a value is not a whole number.
    """
    found = to_array(value)
    if found.size and found.dtype.kind not in "iuf":
        hint = "; np.flatnonzero(mask) returns those of a mask" * (found.dtype.kind == "b")
        raise TypeError(f"{name} of {owner} must be integers, not of {found.dtype}{hint}")
    if found.dtype.kind == "f" and len(wrong := found[found != np.floor(found)]):
        raise ValueError(f"{name} of {owner} must be integers, not {wrong[0]:g}")
    return found.astype(int)


def warn_caller(message: str) -> None:
    """Warn at the innermost line outside of TinyTorch's packages."""
    frame, level = sys._getframe(), 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("tinytorch_"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def parameter_list(owner: str, parameters: Iterable[Any]) -> list[Tensor]:
    """Return parameters as a list of at least one floating-point Tensor.

    Raises:
        TypeError: `parameters` is a single Tensor, a module or not iterable, or an item is not a
            Tensor of real floating-point numbers.
        ValueError: `parameters` is empty, or one is repeated or was computed by an op.
    """
    not_parameters = isinstance(parameters, Tensor) or hasattr(parameters, "parameters")
    if not_parameters or not isinstance(parameters, Iterable):
        raise TypeError(
            f"{owner} expects an iterable of tensors, such as model.parameters() or [w, b], "
            f"not {type(parameters).__name__}"
        )
    exhausted = _is_exhausted(parameters)
    found = list(parameters)
    if not found:
        raise ValueError(f"{owner} got no parameters. {_why_empty(parameters, exhausted)}")
    for i, parameter in enumerate(found):
        _check_parameter(owner, i, parameter)
    if len({id(p) for p in found}) < len(found):
        raise ValueError(f"{owner} got the same parameter more than once; pass each only once")
    return found


def _is_exhausted(parameters: Iterable[Any]) -> bool:
    return (
        isinstance(parameters, GeneratorType)
        and inspect.getgeneratorstate(parameters) == inspect.GEN_CLOSED
    )


def _why_empty(parameters: Iterable[Any], exhausted: bool) -> str:
    if exhausted:
        return (
            "The generator is already exhausted; call model.parameters() again, or store the "
            "parameters in a list"
        )
    if iter(parameters) is parameters:
        return "The iterator is empty: it is already exhausted, or the model has no parameters"
    return f"The {type(parameters).__name__} is empty; does the model have parameters?"


def _check_parameter(owner: str, i: int, parameter: Any) -> None:
    if not isinstance(parameter, Tensor):
        raise TypeError(
            f"{owner} expects tensors, but parameter {i} is of type {type(parameter).__name__}: "
            f"{parameter!r:.60}"
        )
    if parameter.dtype.kind != "f":
        raise TypeError(
            f"{owner} expects tensors of real floating-point numbers, but parameter {i}, of "
            f"shape {parameter.shape}, has dtype {parameter.dtype}"
        )
    if not getattr(parameter, "is_leaf", True):
        raise ValueError(
            f"{owner} expects leaves, but parameter {i} was computed by {parameter.grad_fn!r} "
            "and accumulates no gradient; pass the leaf that it was computed from"
        )


def function(owner: str, name: str, value: Any) -> Any:
    """Return `value` after checking that it is callable and not a class.

    A class is probably a loss that was not instantiated.
    """
    if isinstance(value, type):
        raise TypeError(_not_a_class(owner, name, "a function", value))
    if not callable(value):
        raise TypeError(f"{name} of {owner} must be a function, not {value!r:.60}")
    return value


def functions(owner: str, name: str, value: Any) -> dict[str, Any]:
    """Return `value` as a dict from names to functions; None gives an empty dict."""
    if not isinstance(value or {}, Mapping):
        raise TypeError(
            f"{name} of {owner} must be a dict from names to functions, such as "
            f'{{"accuracy": accuracy}}, not {value!r:.60}'
        )
    return {key: function(owner, f"{name}[{key!r}]", f) for key, f in (value or {}).items()}


def metric_functions(owner: str, value: Any) -> dict[str, Any]:
    """Return `functions` of metrics after checking that each name is free in the history."""
    for name in value if isinstance(value, Mapping) else ():
        if not isinstance(name, str):
            raise TypeError(f"the names of the metrics of {owner} must be strings, not {name!r}")
        if name in ("loss", "lr") or name.startswith("val_"):
            raise ValueError(
                f"a metric of {owner} cannot have the name {name!r}: the history uses 'loss', 'lr' "
                "and names that begin with 'val_' itself; choose another name"
            )
    return functions(owner, "metrics", value)


def with_methods(owner: str, name: str, value: Any, kind: str, *methods: str) -> Any:
    """Return `value` after checking that it is None or has the methods of a `kind`."""
    if isinstance(value, type):
        raise TypeError(_not_a_class(owner, name, kind, value))
    missing = [m for m in methods if not callable(getattr(value, m, None))]
    if value is not None and missing:
        raise TypeError(
            f"{name} of {owner} must be {kind}, but {value!r:.60} has no method {missing[0]}()"
        )
    return value


def _not_a_class(owner: str, name: str, kind: str, value: type) -> str:
    return (
        f"{name} of {owner} must be {kind}, not the class {value.__name__}; "
        f"create an instance: {value.__name__}(...)"
    )


def as_batches(owner: str, name: str, value: Any) -> Any:
    """Return `value` after checking that it is iterable."""
    if not (hasattr(value, "__iter__") or hasattr(value, "__getitem__")):
        raise TypeError(
            f"{name} of {owner} must be a DataLoader, or another iterable of batches, not "
            f"{type(value).__name__}"
        )
    return value
