"""Data in the forms that people have: arrays, DataFrames, several inputs, datasets and loaders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import to_array

from tinytorch_training.arguments import as_batches, count, number
from tinytorch_training.batches import INPUTS, TARGET, WEIGHT
from tinytorch_training.data import Dataset, map_arrays
from tinytorch_training.loader import DataLoader

Array = Any
Convert = Callable[[Any], Any]


def as_examples(name: str, value: Any) -> Any:
    """Return an array, a list, a DataFrame or a Series as an array with one example in a row.

    Raises:
        TypeError: the values are not numbers.
        ValueError: the value has no axes.
    """
    if hasattr(value, "to_numpy"):
        _check_columns(name, value)
        value = value.to_numpy()
    array = to_array(value)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"{name} must be an array of numbers, not of {array.dtype}")
    if not array.shape:
        raise ValueError(f"{name} must have an axis of examples, but is a single number")
    return array


def _check_columns(name: str, frame: Any) -> None:
    """Raise TypeError if columns of a DataFrame are not numbers."""
    dtypes: Any = getattr(frame, "dtypes", None)
    if not hasattr(dtypes, "items"):
        return
    wrong = [f"{column!r} ({dtype})" for column, dtype in dtypes.items() if _is_text(dtype)]
    if wrong:
        raise TypeError(
            f"{name} is a {type(frame).__name__} whose columns {', '.join(wrong)} are not "
            "numbers; leave them out, or encode them"
        )


def _is_text(dtype: Any) -> bool:
    return getattr(dtype, "kind", "O") not in "biufc"


class Examples(Dataset):
    """Inputs, targets and sample weights in arrays of the same length.

    Args:
        owner: the function named in error messages.
        inputs: an array, or a tuple or dict of arrays for several inputs of the model.
        target: the targets, or None.
        weight: the sample weights, or None.
        convert: converts each array, for example to the dtype of the model.

    Raises:
        TypeError, ValueError: the arrays have different lengths or do not contain numbers, or a
            weight is negative.
    """

    def __init__(self, owner: str, inputs: Any, target: Any, weight: Any, convert: Convert) -> None:
        parts = {INPUTS: inputs, TARGET: target, WEIGHT: weight}
        self._arrays = {
            name: _mapped(lambda path, each: convert(as_examples(path, each)), name, part, owner)
            for name, part in parts.items()
            if part is not None
        }
        sizes: dict[str, int] = {}
        for name, part in self._arrays.items():
            _mapped(lambda path, each: sizes.__setitem__(path, len(each)), name, part, owner)
        if len(set(sizes.values())) > 1:
            found = ", ".join(f"{name}: {size}" for name, size in sizes.items())
            raise ValueError(f"the numbers of examples differ: {found}")
        self._size = next(iter(sizes.values()), 0)
        if weight is not None:
            _check_weights(owner, self._arrays[WEIGHT])

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> Any:
        return map_arrays(lambda array: array[0], self.batch([index]))

    def batch(self, indices: Sequence[int]) -> Any:
        """Return examples as a tuple, or as a dict if they have weights or named inputs."""
        positions = np.asarray(indices)
        taken = map_arrays(lambda array: Tensor(array[positions]), self._arrays)
        inputs = taken[INPUTS]
        if isinstance(inputs, dict):
            return {**inputs, **{k: v for k, v in taken.items() if k != INPUTS}}
        if WEIGHT in taken:
            return taken
        inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        return (*inputs, taken[TARGET]) if TARGET in taken else inputs

    def part(self, indices: Array) -> Examples:
        """Return the examples at these indices as another dataset."""
        found = Examples.__new__(Examples)
        found._arrays = map_arrays(lambda array: array[indices], self._arrays)
        found._size = len(indices)
        return found


def _check_weights(owner: str, weights: Array) -> None:
    if weights.ndim != 1:
        raise ValueError(
            f"sample_weight of {owner} must have one number for each example, not the shape "
            f"{weights.shape}"
        )
    if not (weights >= 0).all():
        raise ValueError(f"sample_weight of {owner} must be 0 or more")


def _mapped(function: Callable[[str, Any], Any], name: str, value: Any, owner: str) -> Any:
    """Return the arrays of a part with a function of their name and value applied."""
    if name != INPUTS or not isinstance(value, tuple | Mapping):
        shown = {INPUTS: "data", WEIGHT: "sample_weight"}.get(name, name)
        return function(f"{shown} of {owner}", value)
    if isinstance(value, tuple):
        return tuple(function(f"data[{i}] of {owner}", each) for i, each in enumerate(value))
    return {k: function(f"data[{k!r}] of {owner}", each) for k, each in value.items()}


def is_array_like(value: Any) -> bool:
    """Return whether a value has examples in its rows: an array, a Tensor or a DataFrame."""
    return hasattr(value, "shape") or hasattr(value, "to_numpy")


def _is_array_or_list(value: Any) -> bool:
    """Return whether a value is an array or a list of numbers, not a batch or a list of arrays."""
    rows = isinstance(value, list) and value and not any(map(is_array_like, value))
    return bool(rows) or is_array_like(value)


def training_loaders(
    data: Any, target: Any, validation: Any, options: Mapping[str, Any], convert: Convert
) -> tuple[Any, Any]:
    """Return the batches of training and of validation for the arguments of `fit`.

    Args:
        data: batches, a Dataset, or the inputs.
        target: the targets, or None if `data` contains them.
        validation: batches, a Dataset, a tuple of inputs, targets and perhaps weights, the
            fraction of the examples to hold out, or None.
        options: the arguments "batch_size", "shuffle", "generator" and "sample_weight".
        convert: converts each array.
    """
    weight = options["sample_weight"]
    held_out = isinstance(validation, float)
    if target is None:
        check_no_arrays("fit()", data, weight, held_out)
        train = data
    else:
        train = Examples("fit()", data, target, weight, convert)
        if held_out:
            train, validation = _split(train, validation)
    batch_size = options["batch_size"]
    if isinstance(train, Dataset):
        train = DataLoader(
            train, batch_size, shuffle=options["shuffle"], generator=options["generator"]
        )
    if validation is not None:
        validation = evaluation_loader("validation of fit()", validation, batch_size, convert)
    return train, validation


def check_no_arrays(owner: str, data: Any, weight: Any, held_out: bool = False) -> None:
    """Check what is given instead of inputs and targets.

    Args:
        owner: the function named in error messages.
        data: batches or a Dataset.
        weight: the argument `sample_weight`.
        held_out: whether a fraction of the data is to be held out.

    Raises:
        TypeError: `data` is an array, or an option requires arrays.
    """
    if is_array_like(data):
        raise TypeError(
            f"data of {owner} is an array without targets; pass {owner[:-1]}inputs, targets, ...)"
        )
    if weight is not None or held_out:
        what = "sample_weight" if weight is not None else "a fraction as validation"
        raise TypeError(
            f"{owner} takes {what} only with arrays of inputs and targets, not with "
            f"{type(data).__name__}"
        )


def _split(examples: Examples, fraction: float) -> tuple[Examples, Examples]:
    """Return the examples in two parts, drawn with a fixed seed, so that a resumed run has them."""
    size = number("fit()", "validation", fraction)
    held_out = round(len(examples) * size)
    if not 0 < held_out < len(examples):
        raise ValueError(
            f"validation of fit() must be a fraction between 0 and 1 that leaves examples for "
            f"both parts, but is {fraction} of {len(examples)} examples"
        )
    order = np.random.default_rng(0).permutation(len(examples))
    return examples.part(np.sort(order[held_out:])), examples.part(np.sort(order[:held_out]))


def evaluation_loader(name: str, data: Any, batch_size: int, convert: Convert) -> Any:
    """Return batches for evaluation.

    Args:
        name: the name of the argument in error messages.
        data: batches, a Dataset, or a tuple of inputs, targets and perhaps weights.
        batch_size: the number of examples in a batch, unless `data` are batches.
        convert: converts each array.
    """
    if isinstance(data, tuple) and len(data) in (2, 3) and _is_array_or_list(data[1]):
        inputs, target, weight = data if len(data) == 3 else (*data, None)
        data = Examples(name, inputs, target, weight, convert)
    if isinstance(data, Dataset):
        return DataLoader(data, count("Trainer", "batch_size", batch_size))
    if is_array_like(data):
        raise TypeError(f"{name} is an array without targets; pass inputs and targets")
    what, _, owner = name.partition(" of ")
    return as_batches(owner, what, data)


def input_batches(data: Any, batch_size: int, convert: Convert) -> Iterator[Any]:
    """Yield the batches of inputs for `predict`, without targets.

    Args:
        data: the inputs, or a DataLoader or Dataset, whose targets are left out.
        batch_size: the number of examples in a batch, unless `data` is a DataLoader.
        convert: converts each array.
    """
    if isinstance(data, DataLoader | Dataset):
        loader = data if isinstance(data, DataLoader) else DataLoader(data, batch_size)
        for batch in loader:
            yield _without_target(batch)
        return
    # to_array keeps a Tensor's array as it is.
    examples = Examples("predict()", data, None, None, convert)
    yield from DataLoader(examples, batch_size)


def _without_target(batch: Any) -> Any:
    if isinstance(batch, dict):
        return batch
    if not isinstance(batch, tuple | list):
        return (batch,)
    return batch[:-1] if len(batch) > 1 else batch


def joined(outputs: Sequence[Any]) -> Any:
    """Return the outputs of batches as one, in their structure: a tuple, a dict or an array."""
    first = outputs[0]
    if isinstance(first, Mapping):
        return {key: joined([output[key] for output in outputs]) for key in first}
    if isinstance(first, tuple | list):
        return tuple(joined(column) for column in zip(*outputs, strict=True))
    return np.concatenate([output.data for output in outputs])
