"""The data classes of the course, whose batches are tensors of float32."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.random.mtrand import get_bit_generator

import tinytorch_core

import tinytorch_training
from tinytorch_course.tensor import Tensor, to_tensor

__all__ = [
    "Compose",
    "DataLoader",
    "Dataset",
    "RandomCrop",
    "RandomHorizontalFlip",
    "TensorDataset",
]


class Dataset(tinytorch_training.Dataset):
    """A sequence of examples; a subclass must define `__len__` and `__getitem__`.

    Raises:
        TypeError: the class of the object lacks one of them.
    """

    def __new__(cls, *args: Any, **options: Any) -> Dataset:
        required = ("__len__", "__getitem__")
        if missing := [n for n in required if getattr(cls, n) is getattr(Dataset, n)]:
            raise TypeError(f"{cls.__name__} must define {' and '.join(missing)}")
        return super().__new__(cls)


class TensorDataset(Dataset):
    """Examples along the first axis of tensors.

    Args:
        tensors: one or more tensors of the same length.

    Raises:
        ValueError: no tensors are passed, or their lengths differ.

    >>> data = TensorDataset(Tensor([[1, 2], [3, 4]]), Tensor([0, 1]))
    >>> data[1]
    (Tensor([3., 4.]), Tensor(1.))
    """

    def __init__(self, *tensors: Any) -> None:
        self.tensors = tuple(map(to_tensor, tensors))
        self._dataset = tinytorch_training.TensorDataset(*[x.data for x in self.tensors])

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(Tensor(x.data[index]) for x in self.tensors)

    def batch(self, indices: Sequence[int]) -> tuple[Any, ...]:
        return self._dataset.batch(indices)


class DataLoader:
    """An iterable over the batches of a dataset; each `for` loop is one epoch.

    Args:
        dataset: a `Dataset`, or any object with `__len__` and `__getitem__(index)`.
        batch_size: the number of examples in a batch.
        shuffle: whether `np.random` draws a new order for each epoch.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.

    >>> loader = DataLoader(TensorDataset(Tensor([1, 2, 3])), batch_size=2)
    >>> len(loader), [x.tolist() for (x,) in loader]
    (2, [[1.0, 2.0], [3.0]])
    """

    def __init__(self, dataset: Any, batch_size: int, shuffle: bool = False) -> None:
        # The generator that np.random.seed sets.
        generator = np.random.Generator(get_bit_generator())
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self._batches = tinytorch_training.DataLoader(
            dataset, batch_size, shuffle, generator=generator
        )

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        return map(_in_float32, self._batches)


def _in_float32(batch: Any) -> Any:
    if isinstance(batch, tuple):
        return tuple(map(_in_float32, batch))
    if isinstance(batch, tinytorch_core.Tensor) and batch.dtype != np.float32:
        return Tensor(batch)
    return batch


class Transform:
    """The base class of random changes of one image, of shape (H, W) or (C, H, W)."""

    def __call__(self, image: Any) -> Any:
        """Return a changed image, a Tensor if `image` is one and otherwise an array."""
        if isinstance(image, tinytorch_core.Tensor):
            return Tensor(self.changed(image.data))
        return self.changed(np.asarray(image))

    @abstractmethod
    def changed(self, image: Any) -> Any:
        """Return the array of the changed image."""


class RandomHorizontalFlip(Transform):
    """Mirrors an image with probability p.

    Raises:
        ValueError: p is not from 0 to 1.

    >>> RandomHorizontalFlip(p=1.0)(np.array([[1, 2], [3, 4]]))
    array([[2, 1],
           [4, 3]])
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"p of RandomHorizontalFlip must be from 0 to 1, not {p!r}")
        self.p = p

    def changed(self, image: Any) -> Any:
        return np.flip(image, axis=-1).copy() if np.random.random() < self.p else image


class RandomCrop(Transform):
    """Adds zeros around an image, and cuts out a part at a random position.

    Args:
        size: the height and width of the part: an integer, or two.
        padding: the number of zeros added at each border.

    Raises:
        ValueError: an image, with its padding, is smaller than the part.

    >>> RandomCrop(4, padding=1)(np.ones((3, 4, 4))).shape
    (3, 4, 4)
    """

    def __init__(self, size: Any, padding: int = 4) -> None:
        self.size = tuple(size) if isinstance(size, tuple | list) else (size, size)
        self.padding = padding

    def changed(self, image: Any) -> Any:
        borders = [(0, 0)] * (image.ndim - 2) + [(self.padding, self.padding)] * 2
        image = np.pad(image, borders)
        room = [n - m for n, m in zip(image.shape[-2:], self.size, strict=True)]
        if min(room) < 0:
            raise ValueError(
                f"RandomCrop cannot cut {self.size} out of an image that has shape {image.shape} "
                "with its padding; use a smaller size or more padding"
            )
        top, left = (np.random.randint(0, n + 1) for n in room)
        height, width = self.size
        return image[..., top : top + height, left : left + width]


class Compose:
    """Applies transforms one after the other.

    >>> Compose([abs, str])(-3)
    '3'
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = list(transforms)

    def __call__(self, image: Any) -> Any:
        for transform in self.transforms:
            image = transform(image)
        return image
