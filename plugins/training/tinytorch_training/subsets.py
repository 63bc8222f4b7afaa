"""Datasets that are made of others: Subset, random_split and ConcatDataset; and IterableDataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from tinytorch_modules import random_generator
from tinytorch_training.arguments import count, number, whole_numbers
from tinytorch_training.data import Dataset

Array = Any


class IterableDataset:
    """Examples that can only be read in order; a subclass defines `__iter__`.

    A DataLoader reads it from the beginning in each epoch. If a run is resumed within an epoch, the
    loader reads and drops the examples before.

    >>> from tinytorch_training import DataLoader
    >>> class Squares(IterableDataset):
    ...     def __iter__(self):
    ...         return (float(i * i) for i in range(3))
    >>> [batch.tolist() for batch in DataLoader(Squares(), batch_size=2)]
    [[0.0, 1.0], [4.0]]
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__()")


class Subset(Dataset):
    """The examples of a dataset at given indices.

    Args:
        dataset: the dataset.
        indices: the indices.

    Raises:
        IndexError: an index is out of range.
        TypeError, ValueError: the indices are not integers.

    >>> from tinytorch_training import TensorDataset
    >>> Subset(TensorDataset([5, 6, 7]), [2, 0])[0]
    (Tensor(7, dtype=int64),)
    """

    def __init__(self, dataset: Any, indices: Sequence[int] | Array) -> None:
        self.dataset = dataset
        self.indices = whole_numbers("Subset", "indices", indices)
        size = len(dataset)
        wrong = self.indices[(self.indices < -size) | (self.indices >= size)]
        if len(wrong):
            raise IndexError(
                f"index {wrong[0]} of Subset is out of range for a dataset of {size} examples"
            )

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    def batch(self, indices: Sequence[int]) -> Any:
        """Return several examples as one batch."""
        chosen = self.indices[np.asarray(indices)]
        if hasattr(self.dataset, "batch"):
            return self.dataset.batch(chosen)
        return super().batch(indices)


def random_split(
    dataset: Any,
    lengths: Sequence[int | float],
    generator: np.random.Generator | int | None = None,
) -> list[Subset]:
    """Split a dataset at random into subsets that do not overlap.

    Args:
        dataset: the dataset.
        lengths: the numbers of examples, which add up to the length of the dataset; or fractions
            that add up to 1. Examples that remain after rounding down go to the first subsets.
        generator: a NumPy generator, or a seed for one. Pass a seed if the run is resumed.

    Raises:
        TypeError, ValueError: the lengths do not add up, or have the wrong type.

    >>> [len(part) for part in random_split(range(10), [0.75, 0.25], generator=0)]
    [8, 2]
    """
    size = len(dataset)
    numbers = list(lengths)
    for each in numbers:
        number("random_split()", "lengths", each)
    if numbers and abs(sum(numbers) - 1) < 1e-6 and all(0 <= n <= 1 for n in numbers):
        sizes = [int(size * n) for n in numbers]
        for i in range(size - sum(sizes)):
            sizes[i % len(sizes)] += 1
    else:
        sizes = [count("random_split()", "lengths", n, minimum=0) for n in numbers]
    if sum(sizes) != size:
        raise ValueError(
            f"lengths of random_split() add up to {sum(sizes)}, but the dataset has {size} "
            "examples; pass fractions that add up to 1, or such numbers"
        )
    order = random_generator(generator).permutation(size)
    ends = list(accumulate(sizes))
    return [
        Subset(dataset, order[end - length : end]) for end, length in zip(ends, sizes, strict=True)
    ]


class ConcatDataset(Dataset):
    """The examples of several datasets, one after the other.

    Args:
        datasets: the datasets.

    Raises:
        ValueError: no datasets are passed.

    >>> data = ConcatDataset([range(3), range(5, 7)])
    >>> [data[i] for i in range(len(data))], data[-1]
    ([0, 1, 2, 5, 6], 6)
    """

    def __init__(self, datasets: Sequence[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset expects one or more datasets, got none")
        self._ends = np.cumsum([len(d) for d in self.datasets])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Any:
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"index {index} of ConcatDataset is out of range for {size} examples")
        index %= size
        which = int(np.searchsorted(self._ends, index, side="right"))
        start = int(self._ends[which - 1]) if which else 0
        return self.datasets[which][index - start]
