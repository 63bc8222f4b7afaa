"""Data: what there is to learn from, and the batches it is handed out in."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array

from tinytorch_training.arguments import count, flag
from tinytorch_training.randomness import set_state

Array = Any


class Dataset:
    """Examples with numbers from 0 on. A subclass defines `__len__` and `__getitem__`.

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
        """Several examples as one: their numbers and arrays are stacked along a new first axis.

        Args:
            indices: which examples.

        Returns:
            Tensors in the structure of an example: a tuple of them, a dict, or just one.
        """
        return stack([self[int(i)] for i in indices])


class TensorDataset(Dataset):
    """Examples that lie along the first axis of arrays or tensors.

    Args:
        arrays: one or more of the same length: the inputs, the targets, ... Arrays keep their
            dtype, lists become arrays. Nothing is copied.

    Raises:
        ValueError: there are none, one has no axis, or the lengths differ.

    >>> data = TensorDataset(np.zeros((6, 2)), np.arange(6))
    >>> len(data), data[3]
    (6, (Tensor([0., 0.], dtype=float64), Tensor(3, dtype=int64)))
    """

    def __init__(self, *arrays: Any) -> None:
        self.arrays = tuple(_array(a) for a in arrays)
        if not self.arrays or any(not a.shape for a in self.arrays):
            raise ValueError("TensorDataset takes one or more arrays that have a first axis")
        if len({len(a) for a in self.arrays}) > 1:
            shapes = ", ".join(str(a.shape) for a in self.arrays)
            raise ValueError(
                f"the arrays of a TensorDataset must have the same length, unlike those of the "
                f"shapes {shapes}"
            )

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(Tensor(a[index]) for a in self.arrays)

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, ...]:
        """The examples with these numbers, each array's as one Tensor."""
        # What an index array picks is a copy already.
        return tuple(from_array(Tensor, a[np.asarray(indices)]) for a in self.arrays)


def stack(examples: Sequence[Any]) -> Any:
    """Examples as one batch: Tensors in the structure of an example.

    Raises:
        TypeError: an example holds something other than numbers and arrays.
        ValueError: the shapes differ.

    >>> stack([{"x": 0.5, "y": 0}, {"x": 1.5, "y": 1}])
    {'x': Tensor([0.5, 1.5]), 'y': Tensor([0, 1], dtype=int64)}
    """
    first = examples[0]
    if isinstance(first, Mapping):
        return {key: stack([e[key] for e in examples]) for key in first}
    if isinstance(first, tuple | list):
        return tuple(stack(column) for column in zip(*examples, strict=True))
    if type(first) is float:
        return Tensor(list(examples))
    try:
        return Tensor(np.stack([_array(e) for e in examples]))
    except ValueError as error:
        raise ValueError(
            f"examples of different shapes, {sorted({np.shape(e) for e in examples})}, cannot "
            "be stacked to a batch"
        ) from error


def _array(value: Any) -> Array:
    if isinstance(value, Tensor):
        return value.data
    return value if hasattr(value, "__array_ufunc__") else np.asarray(value)


class DataLoader:
    """Hands out a dataset in batches, once through for each `for` loop over it.

    Args:
        dataset: a `Dataset`, or anything with a length and examples by number.
        batch_size: how many examples a batch has.
        shuffle: in a new random order each time; otherwise in order.
        drop_last: leave out the last batch if it is smaller.
        generator: a `numpy.random.Generator`, or a seed for one, from which the orders are drawn.
            None draws others in every run.

    The state of the generator and the position are in `state_dict`. A loader that loads them
    continues in the middle of an epoch, with the very batches that were still to come.

    Raises:
        TypeError, ValueError: something is not as above.

    >>> data = TensorDataset(np.arange(5.0))
    >>> [x.tolist() for (x,) in DataLoader(data, batch_size=2)]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]
    >>> loader = DataLoader(data, 3, shuffle=True, generator=0)
    >>> [x.tolist() for (x,) in loader]
    [[2.0, 4.0, 3.0], [0.0, 1.0]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: np.random.Generator | int | None = None,
    ) -> None:
        if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
            raise TypeError(
                "DataLoader takes a dataset with __len__ and __getitem__, not "
                f"{type(dataset).__name__}"
            )
        self.dataset = dataset
        self.batch_size = count("DataLoader", "batch_size", batch_size)
        self.shuffle = flag("DataLoader", "shuffle", shuffle)
        self.drop_last = flag("DataLoader", "drop_last", drop_last)
        self.generator = np.random.default_rng(generator)
        # Where the running epoch began, how far it is, and whether the next loop continues it.
        self._began: Mapping[str, Any] | None = None
        self._position = 0
        self._resumed = False

    def __len__(self) -> int:
        """The number of batches."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[Any]:
        if self._resumed:
            position, order = self._position, self._order(self._generator_at_the_beginning())
        else:
            self._began = self.generator.bit_generator.state
            position, order = 0, self._order(self.generator)
        self._resumed = False
        for i in range(position, len(self)):
            self._position = i + 1
            yield self._batch(order[i * self.batch_size : (i + 1) * self.batch_size])
        self._began, self._position = None, 0

    def state_dict(self) -> dict[str, Any]:
        """Where the loader is: the state of its generator, and its position in a running epoch."""
        return {
            "generator": self.generator.bit_generator.state,
            "began": self._began,
            "position": self._position,
            "examples": len(self.dataset),
            "batch_size": self.batch_size,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` gave: the next loop goes on from there.

        Raises:
            ValueError: it is of a loader with other batches, or with another kind of generator.
                Nothing is changed.
        """
        for name, own in (("examples", len(self.dataset)), ("batch_size", self.batch_size)):
            if state_dict.get(name) != own:
                raise ValueError(
                    f"this state is of a DataLoader whose {name} is {state_dict.get(name)}, and "
                    f"here it is {own}; the batches would not be the same"
                )
        set_state(self.generator, state_dict["generator"])
        self._began, self._position = state_dict["began"], state_dict["position"]
        self._resumed = self._began is not None

    def _order(self, generator: np.random.Generator) -> Array:
        size = len(self.dataset)
        return generator.permutation(size) if self.shuffle else np.arange(size)

    def _generator_at_the_beginning(self) -> np.random.Generator:
        """A copy, because the generator itself may have moved on since."""
        generator = copy.deepcopy(self.generator)
        set_state(generator, self._began or {})
        return generator

    def _batch(self, indices: Array) -> Any:
        if hasattr(self.dataset, "batch"):
            return self.dataset.batch(indices)
        return stack([self.dataset[int(i)] for i in indices])
