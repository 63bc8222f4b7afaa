"""Batches: their parts, their size, and their conversion to the dtype of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_training.arguments import warn_caller
from tinytorch_training.data import map_arrays

TARGET, WEIGHT, INPUTS = "target", "weight", "inputs"


def target_of(batch: Any) -> Any:
    """Return the target of a batch."""
    return batch[TARGET] if isinstance(batch, dict) else batch[-1]


def inputs_of(batch: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the keyword arguments of the model from a dict batch."""
    inputs = batch.get(INPUTS, ())
    positional = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    named = {k: v for k, v in batch.items() if k not in (TARGET, WEIGHT, INPUTS)}
    return positional, named


def examples_in(batch: Any) -> int:
    """Return the number of examples in a batch.

    Raises:
        TypeError: the batch is neither a tuple of inputs and a target nor a dict with a target.
    """
    if isinstance(batch, dict):
        if TARGET in batch and len(batch) > 1:
            return rows_in(batch[TARGET])
        raise TypeError(
            f"a batch that is a dict must have the inputs and {TARGET!r}, but its keys are "
            f"{', '.join(map(repr, batch)) or 'none'}"
        )
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise TypeError(
            "a batch must be a tuple of the model's inputs and, last, the target, or a dict, not "
            f"{type(batch).__name__}: {batch!r:.60}"
        )
    return rows_in(batch[-1])


def rows_in(target: Any) -> int:
    """Return the number of rows of an array or a list of numbers, or of the arrays in a tuple."""
    parts = list(target.values()) if isinstance(target, dict) else target
    if isinstance(parts, (tuple, list)) and parts:
        first = parts[0]
        if isinstance(first, (tuple, dict)) or getattr(first, "ndim", 0) > 0:
            return rows_in(first)
    return len(parts)


def share(batch: Any) -> float:
    """Return what a batch counts in a mean: its number of examples, or the sum of its weights."""
    size = examples_in(batch)
    if not isinstance(batch, dict) or batch.get(WEIGHT) is None:
        return size
    return float(unwrap(batch[WEIGHT]).sum())


def parameter_dtype(model: Any) -> Any:
    """Return the dtype of all floating-point parameters, or None if they have several."""
    dtypes = {p.dtype for _, p in model.named_parameters() if p.dtype.kind == "f"}
    return dtypes.pop() if len(dtypes) == 1 else None


class Conversion:
    """Converts floating-point data to the dtype of a model, with one warning in its life.

    Attributes:
        dtype: the dtype to convert to, or None to keep every dtype.
    """

    def __init__(self) -> None:
        self.dtype: Any = None
        self._warned = False

    def batch(self, batch: Any) -> Any:
        """Return a batch with its floating-point data in the dtype."""
        for item in batch.values() if isinstance(batch, dict) else batch:
            own = getattr(item, "dtype", None)
            if own is None or (own.kind == "f" and own != self.dtype):
                return map_arrays(self.array, batch)
        return batch

    def array(self, value: Any) -> Any:
        """Return floating-point data in the dtype, and anything else as it is."""
        own = getattr(value, "dtype", None)
        if self.dtype is None or own is None or own.kind != "f" or own == self.dtype:
            return value
        if not self._warned and not np.can_cast(own, self.dtype):
            self._warned = True
            warn_caller(
                f"Trainer converts data of {own} to {self.dtype}, the dtype of the model's "
                f"parameters. To avoid this warning, convert the data yourself with "
                f"astype(np.{self.dtype}), or create the layers with dtype=np.{own}"
            )
        return value.astype(self.dtype)
