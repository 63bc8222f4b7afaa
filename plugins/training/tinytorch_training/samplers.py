"""Samplers, which choose the order of the examples of an epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from tinytorch_core.extend import to_array

from tinytorch_modules import random_generator
from tinytorch_training.arguments import count, flag, whole_numbers

Array = Any


class Sampler:
    """An iterable over the indices of an epoch; a subclass defines `order` and `__len__`.

    A sampler that draws has a NumPy generator as `generator`. A DataLoader saves its state.
    """

    generator: np.random.Generator | None = None

    def order(self) -> Array:
        """Return the indices of an epoch as an array."""
        raise NotImplementedError(f"{type(self).__name__} must define order()")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__()")

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())


class SequentialSampler(Sampler):
    """All examples in order.

    Args:
        data_source: an object with a length.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def order(self) -> Array:
        """Return the indices of an epoch as an array."""
        return np.arange(len(self))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """Examples in random order.

    Args:
        data_source: an object with a length.
        replacement: whether an example can occur several times in an epoch.
        num_samples: the number of examples in an epoch; by default, all.
        generator: a NumPy generator, or a seed for one.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.

    >>> list(RandomSampler("abcd", generator=0))
    [2, 0, 1, 3]
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: np.random.Generator | int | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = flag("RandomSampler", "replacement", replacement)
        if num_samples is not None:
            num_samples = count("RandomSampler", "num_samples", num_samples)
            if not self.replacement and num_samples > len(data_source):
                raise ValueError(
                    f"num_samples of RandomSampler is {num_samples}, but there are only "
                    f"{len(data_source)} examples; use replacement=True, or fewer"
                )
            if not len(data_source):
                raise ValueError("RandomSampler cannot draw from a dataset without examples")
        self._number = num_samples
        self.generator: np.random.Generator = random_generator(generator)

    def order(self) -> Array:
        """Return the indices of an epoch as an array."""
        size = len(self.data_source)
        if self.replacement:
            return self.generator.integers(0, size, len(self))
        return self.generator.permutation(size)[: len(self)]

    def __len__(self) -> int:
        return len(self.data_source) if self._number is None else self._number


class SubsetRandomSampler(Sampler):
    """Examples at given indices in random order.

    Args:
        indices: the indices.
        generator: a NumPy generator, or a seed for one.

    Raises:
        TypeError, ValueError: the indices are not integers.

    >>> list(SubsetRandomSampler([5, 6, 7, 8], generator=0))
    [7, 5, 6, 8]
    """

    def __init__(self, indices: Any, generator: np.random.Generator | int | None = None) -> None:
        self.indices = whole_numbers("SubsetRandomSampler", "indices", indices)
        self.generator: np.random.Generator = random_generator(generator)

    def order(self) -> Array:
        """Return the indices of an epoch as an array."""
        return self.indices[self.generator.permutation(len(self))]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Examples drawn with probabilities in proportion to their weights.

    Args:
        weights: a weight for each example, 0 or more; they need not add up to 1.
        num_samples: the number of examples in an epoch.
        replacement: whether an example can occur several times in an epoch.
        generator: a NumPy generator, or a seed for one.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range, or fewer weights
            are above 0 than examples are to be drawn without replacement.

    >>> list(WeightedRandomSampler([0, 0, 1], num_samples=3))
    [2, 2, 2]
    """

    def __init__(
        self,
        weights: Any,
        num_samples: int,
        replacement: bool = True,
        generator: np.random.Generator | int | None = None,
    ) -> None:
        self.weights = to_array(weights).astype(np.float64)
        self.replacement = flag("WeightedRandomSampler", "replacement", replacement)
        self._number = count("WeightedRandomSampler", "num_samples", num_samples)
        if self.weights.ndim != 1 or not (np.isfinite(self.weights) & (self.weights >= 0)).all():
            raise ValueError(
                "weights of WeightedRandomSampler must be finite numbers of 0 or more, on one axis"
            )
        usable = int((self.weights > 0).sum())
        if usable < (1 if self.replacement else self._number):
            raise ValueError(
                f"WeightedRandomSampler has {usable} weights above 0, which is too few to draw "
                f"{self._number} examples"
            )
        self.generator: np.random.Generator = random_generator(generator)

    def order(self) -> Array:
        """Return the indices of an epoch as an array."""
        p = self.weights / self.weights.sum()
        return self.generator.choice(len(p), len(self), replace=self.replacement, p=p)

    def __len__(self) -> int:
        return self._number


class BatchSampler:
    """The indices of a sampler in lists, one for each batch: a `batch_sampler` of a DataLoader.

    Args:
        sampler: an iterable over indices.
        batch_size: the number of indices in a list.
        drop_last: whether to omit the last list if it is smaller.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.

    >>> list(BatchSampler(SequentialSampler("abcde"), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(sampler, Iterable):
            raise TypeError(
                f"sampler of BatchSampler must be an iterable over indices, not {sampler!r:.60}"
            )
        # A DataLoader finds the generator of the sampler here.
        self.sampler = sampler
        self.batch_size = count("BatchSampler", "batch_size", batch_size)
        self.drop_last = flag("BatchSampler", "drop_last", drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        return chunks(self.sampler, self.batch_size, self.drop_last)

    def __len__(self) -> int:
        """The number of lists.

        Raises:
            TypeError: the sampler has no length.
        """
        whole, rest = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]
        return whole + (1 if rest and not self.drop_last else 0)


def chunks(items: Iterable[Any], size: int, drop_last: bool) -> Iterator[list[Any]]:
    """Yield items in lists of `size`; `drop_last` leaves out the last list if it is smaller.

    >>> list(chunks("abc", 2, drop_last=False))
    [['a', 'b'], ['c']]
    """
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        if len(chunk) == size or not drop_last:
            yield chunk
