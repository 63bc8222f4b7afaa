"""Detecting and reporting NaN and infinity in a training step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import kernel, unwrap

from tinytorch_training.lazy_gradients import compute_gradients, is_lazy

_SHOWN = 8

Array = Any
Named = Iterable[tuple[str, Any]]


class NonFiniteError(FloatingPointError):
    """The loss or a gradient of a training step is NaN or infinite; the step was skipped."""


def all_finite(parameters: Sequence[Tensor]) -> bool:
    """Return whether no gradient contains NaN or infinity; missing gradients are ignored."""
    for p in parameters:
        grad = p.grad
        if grad.__class__ is np.ndarray and _has_finite_squares(grad):
            continue
        if is_lazy(grad):
            compute_gradients(parameters)
            grad = p.grad
        if grad is not None and not is_finite(grad):
            return False
    return True


def _has_finite_squares(array: Array) -> bool:
    """Return whether the sum of squares is finite, which takes half the time of `is_finite`.

    Then every element is, but the sum may be infinite for large finite elements, too.
    """
    if array.dtype.char not in "fd":
        return False
    flat = array.ravel("K")
    return math.isfinite(np.vdot(flat, flat))  # unlike `dot`, `vdot` does not warn


@kernel("array")
def is_finite(array: Array) -> bool:
    """Return whether no element is NaN or infinite."""
    known = array.__class__ is np.ndarray
    return (known and _has_finite_squares(array)) or bool(np.isfinite(array).all())


def describe(named_parameters: Iterable[tuple[str, Tensor]], batch: Iterable[Any]) -> str:
    """Return sentences that list the gradients, parameters and inputs that are not finite."""
    named = list(named_parameters)
    groups = {
        "gradients": [(name, p.grad) for name, p in named if p.grad is not None],
        "parameters": [(name, p.data) for name, p in named],
        "data in the batch": [(f"item {i}", unwrap(x)) for i, x in enumerate(batch)],
    }
    return ". ".join(f"Not finite among the {what}: {_list(of)}" for what, of in groups.items())


def _list(named_arrays: Named) -> str:
    found = [
        f"{name} ({bad} of {array.size})"
        for name, array in named_arrays
        if _is_numeric(array) and (bad := int(array.size - np.isfinite(array).sum()))
    ]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return ", ".join([*found[:_SHOWN], *more]) or "none"


def _is_numeric(value: Any) -> bool:
    """Return whether `value` is an array of numbers; a batch may also hold text or objects."""
    return np.issubdtype(getattr(value, "dtype", object), np.number)
