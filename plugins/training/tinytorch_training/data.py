"""Datasets, and what a batch of their examples is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, to_array

from tinytorch_training.arguments import warn_caller

Array = Any


class Dataset:
    """A sequence of examples; a subclass defines `__len__` and `__getitem__`.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 4
    ...
    ...     def __getitem__(self, index):
    ...         return float(index), float(index) ** 2
    >>> Squares().batch([1, 3])
    (Tensor([1., 3.]), Tensor([1., 9.]))
    """

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__()")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index)")

    def batch(self, indices: Sequence[int]) -> Any:
        """Return several examples as one batch, stacked along a new first axis.

        Args:
            indices: the indices of the examples.

        Returns:
            Tensors in the structure of an example: a tuple, a dict, or a single Tensor.
        """
        # Iterating over a list is faster than over an array.
        return stack([self[i] for i in map(int, np.asarray(indices).tolist())])


class TensorDataset(Dataset):
    """Examples along the first axis of arrays or tensors.

    Args:
        arrays: one or more arrays of the same length: the inputs, the targets, and so on. They
            are not copied; lists are converted to arrays.
        dtype: the dtype of the examples from floating arrays. By default, examples from arrays of
            float64 are float32, the default dtype of layers, because a float32 model computes in
            float64 if its inputs are float64, and is several times slower then. Other dtypes are
            kept.

    Warns:
        UserWarning: an array of float64 is converted to float32, and `dtype` is None.

    Raises:
        TypeError: `dtype` is not a floating dtype.
        ValueError: no arrays are passed, one is zero-dimensional, or the lengths differ.

    >>> data = TensorDataset(np.zeros((6, 2)), np.arange(6), dtype=np.float32)
    >>> len(data), data[3]
    (6, (Tensor([0., 0.]), Tensor(3, dtype=int64)))
    """

    def __init__(self, *arrays: Any, dtype: Any = None) -> None:
        self.arrays = tuple(to_array(a) for a in arrays)
        if not self.arrays or any(not a.shape for a in self.arrays):
            shapes = ", ".join(str(a.shape) for a in self.arrays) or "none"
            raise ValueError(
                f"TensorDataset expects one or more arrays with at least one axis, got {shapes}"
            )
        if len({len(a) for a in self.arrays}) > 1:
            shapes = ", ".join(str(a.shape) for a in self.arrays)
            raise ValueError(
                f"the arrays of a TensorDataset must have the same length, got shapes {shapes}"
            )
        if dtype is not None and np.dtype(dtype).kind != "f":
            raise TypeError(f"dtype of TensorDataset must be a floating dtype, not {dtype!r}")
        wide = [a for a in arrays if getattr(a, "dtype", None) == np.float64]
        if dtype is None and wide:
            warn_caller(
                f"TensorDataset converts the examples of {len(wide)} of its arrays from float64 to "
                "float32, the default dtype of layers. Pass dtype=np.float32 to do so without this "
                "warning, or dtype=np.float64 to train a model of float64"
            )
        # The dtype that the examples of each array are converted to, or None.
        self._dtypes = tuple(_example_dtype(a.dtype, dtype) for a in self.arrays)
        self._converts = any(d is not None for d in self._dtypes)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __repr__(self) -> str:
        arrays = ", ".join(f"{a.dtype} {a.shape}" for a in self.arrays)
        return f"TensorDataset({len(self)} examples: {arrays})"

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(Tensor(a[index], t) for a, t in zip(self.arrays, self._dtypes, strict=True))

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, ...]:
        """Return the examples at these indices, as one Tensor for each array."""
        positions = np.asarray(indices)
        # Indexing with an array copies.
        taken = [a[positions] for a in self.arrays]
        if self._converts:
            columns = zip(taken, self._dtypes, strict=True)
            taken = [a if dtype is None else a.astype(dtype) for a, dtype in columns]
        return tuple([from_array(Tensor, a) for a in taken])


def _example_dtype(own: Any, wanted: Any) -> Any:
    """Return the dtype to which `TensorDataset` converts an array of dtype `own`, or None."""
    if own.kind != "f" or (wanted is None and own != np.float64):
        return None
    dtype = np.dtype(np.float32 if wanted is None else wanted)
    return None if dtype == own else dtype


def stack(examples: Sequence[Any]) -> Any:
    """Return examples as one batch: Tensors in the structure of an example.

    Raises:
        TypeError: an example holds something other than numbers and arrays.
        ValueError: the shapes, the lengths or the keys of the examples differ.

    >>> stack([{"x": 0.5, "y": 0}, {"x": 1.5, "y": 1}])
    {'x': Tensor([0.5, 1.5]), 'y': Tensor([0, 1], dtype=int64)}
    """
    first = examples[0]
    if isinstance(first, Mapping):
        _check_equal("keys", [tuple(sorted(example, key=str)) for example in examples])
        return {key: stack([e[key] for e in examples]) for key in first}
    if isinstance(first, tuple | list):
        _check_equal("lengths", [len(example) for example in examples])
        return tuple(stack(column) for column in zip(*examples, strict=True))
    kinds = set(map(type, examples))
    if float in kinds and kinds <= {float, int}:
        return Tensor(list(examples))
    if len(kinds) == 1 and isinstance(first, int | np.number):
        return Tensor(np.array(examples))
    arrays = examples if kinds == {np.ndarray} else [to_array(e) for e in examples]
    _check_equal("shapes", [array.shape for array in arrays])
    if arrays[0].shape and kinds <= {np.ndarray, Tensor}:
        # Takes less time than np.stack, which adds an axis to each array.
        joined = np.concatenate(arrays).reshape(len(arrays), *arrays[0].shape)
        if joined.dtype.kind in "biufc":
            return from_array(Tensor, joined)
    return Tensor(np.stack(arrays))


def _check_equal(what: str, of_examples: Sequence[Any]) -> None:
    """Raise ValueError if something differs between examples."""
    if len(different := set(of_examples)) > 1:
        raise ValueError(
            f"cannot stack examples of different {what} to a batch: {sorted(different, key=str)}"
        )


def map_arrays(function: Callable[[Any], Any], value: Any) -> Any:
    """Return `value` with a function applied to all of it except tuples, lists and dicts."""
    if isinstance(value, dict):
        return {key: map_arrays(function, item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        items = [map_arrays(function, item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return function(value)
