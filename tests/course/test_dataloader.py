"""Datasets, batches and transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .checks import close

pytestmark = pytest.mark.usefixtures("course")


def test_batches_are_tensors_of_float32() -> None:
    from tinytorch import DataLoader, Dataset, Tensor

    class Squares(Dataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            return Tensor([index, index]), index**2

    loader = DataLoader(Squares(), batch_size=2)
    batches = list(loader)
    assert len(loader) == len(batches) == 3
    close(batches[1][0], [[2, 2], [3, 3]])
    close(batches[1][1], [4, 9])
    assert batches[2][0].shape == (1, 2)


def test_a_seed_decides_the_order() -> None:
    from tinytorch.data.loader import DataLoader, Tensor, TensorDataset

    loader = DataLoader(TensorDataset(Tensor(np.arange(20))), batch_size=20, shuffle=True)

    def order(seed: int) -> Any:
        np.random.seed(seed)
        return next(iter(loader))[0].tolist()

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)) == list(range(20))


def test_datasets() -> None:
    from tinytorch import Dataset, Tensor, TensorDataset

    data = TensorDataset(Tensor(np.ones((3, 2))), Tensor([0, 1, 2]))
    close(data[2][1], 2)
    assert [len(data), len(data.tensors)] == [3, 2]
    with pytest.raises(ValueError, match="same length"):
        TensorDataset(Tensor([1, 2]), Tensor([1]))
    with pytest.raises(ValueError, match="one or more"):
        TensorDataset()
    with pytest.raises(TypeError, match="Dataset must define __len__ and __getitem__"):
        Dataset()


def test_transforms() -> None:
    from tinytorch import Compose, RandomCrop, RandomHorizontalFlip, Tensor

    image = np.arange(12.0).reshape(1, 3, 4)
    close(RandomHorizontalFlip(1.0)(Tensor(image)), image[..., ::-1])
    assert (RandomHorizontalFlip(0.0)(image) == image).all()
    crop = Compose([RandomHorizontalFlip(), RandomCrop((3, 4), padding=2)])
    results = [crop(Tensor(image)) for _ in range(20)]
    assert {r.shape for r in results} == {(1, 3, 4)}
    assert len({r.data.tobytes() for r in results}) > 5
    with pytest.raises(ValueError, match="RandomCrop cannot cut"):
        RandomCrop(9, padding=1)(image)
    with pytest.raises(ValueError, match="from 0 to 1"):
        RandomHorizontalFlip(2)


def test_wrong_arguments_of_a_loader() -> None:
    from tinytorch import DataLoader

    with pytest.raises(TypeError, match="expects a dataset"):
        DataLoader(5, 2)
    with pytest.raises(ValueError, match="batch_size"):
        DataLoader([1, 2], 0)
