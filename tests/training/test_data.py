"""Datasets and loaders: which examples come in which batch."""

from __future__ import annotations

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_training import DataLoader, Dataset, TensorDataset


def batches(loader) -> list[list[float]]:
    return [x.tolist() for (x,) in loader]


def examples(loader) -> list[float]:
    return [number for batch in batches(loader) for number in batch]


def numbers(size=10) -> TensorDataset:
    return TensorDataset(np.arange(size))


@pytest.mark.parametrize(
    ("size", "drop_last", "lengths"),
    [(10, False, [4, 4, 2]), (10, True, [4, 4]), (8, False, [4, 4]), (3, True, []), (0, False, [])],
)
def test_every_example_comes_once_in_order(size, drop_last, lengths) -> None:
    loader = DataLoader(numbers(size), batch_size=4, drop_last=drop_last)
    found = batches(loader)
    assert [len(b) for b in found] == lengths
    assert len(loader) == len(lengths)
    assert [x for b in found for x in b] == list(range(sum(lengths)))


def test_shuffled_every_example_comes_once_in_a_new_order_each_time() -> None:
    loader = DataLoader(numbers(), 4, shuffle=True, generator=0)
    first, second = examples(loader), examples(loader)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert examples(DataLoader(numbers(), 4, shuffle=True, generator=0)) == first
    assert examples(DataLoader(numbers(), 4, shuffle=True, generator=1)) != first


def test_two_loops_at_once_do_not_disturb_each_other() -> None:
    loader = DataLoader(numbers(4), 2)
    assert [(a.tolist(), b.tolist()) for (a,), (b,) in zip(loader, loader, strict=True)] == [
        ([0, 1], [0, 1]),
        ([2, 3], [2, 3]),
    ]


def test_tensors_arrays_and_lists_keep_their_dtypes_and_are_untracked() -> None:
    x = Tensor(np.ones((4, 2), np.float32), requires_grad=True)
    data = TensorDataset(x, np.arange(4), [0.5, 1.5, 2.5, 3.5])
    (a, b, c), *_ = DataLoader(data, 3)
    assert (a.shape, a.dtype, a.requires_grad) == ((3, 2), np.float32, False)
    assert (b.tolist(), b.dtype) == ([0, 1, 2], np.int64)
    assert c.tolist() == [0.5, 1.5, 2.5]
    a.data[:] = 7  # a batch is a copy
    assert x.data.max() == 1


class Pairs(Dataset):
    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int):
        return {"x": np.full(2, index, np.float32), "y": (index, index * 0.5)}


@pytest.mark.parametrize("data", [Pairs(), [Pairs()[i] for i in range(5)]], ids=["own", "list"])
def test_examples_are_stacked_in_their_structure(data) -> None:
    first, *_ = DataLoader(data, 2)
    assert first["x"].tolist() == [[0, 0], [1, 1]]
    assert (first["x"].dtype, first["y"][0].dtype) == (np.float32, np.int64)
    assert first["y"][1].tolist() == [0.0, 0.5]


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox])
@pytest.mark.parametrize("seen", [0, 1, 3, 4])
def test_a_loader_goes_on_where_another_one_was(seen: int, bits) -> None:
    def loader(seed):
        return DataLoader(numbers(), 3, shuffle=True, generator=np.random.Generator(bits(seed)))

    first = loader(0)
    batches(first)
    running = iter(first)
    for _ in range(seen):
        next(running)
    # What others draw from the generator meanwhile is of no account for the running order.
    first.generator.random(5)
    state = first.state_dict()
    expected = [x.tolist() for (x,) in running]

    second = loader(1)
    second.load_state_dict(state)
    assert batches(second) == expected
    assert batches(second) == batches(first)


class Draws(Dataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> str:
        return "word"


WRONG = {
    "no length": (
        lambda: DataLoader(iter([])),
        TypeError,
        "__len__ and __getitem__, not list_iter",
    ),
    "batch size": (lambda: DataLoader(numbers(), 0), ValueError, "batch_size of DataLoader.*1 or"),
    "shuffle": (lambda: DataLoader(numbers(), shuffle="no"), TypeError, "shuffle of DataLoader"),
    "lengths": (
        lambda: TensorDataset(np.ones((3, 2)), np.ones(4)),
        ValueError,
        r"same length, unlike those of the shapes \(3, 2\), \(4,\)",
    ),
    "nothing": (lambda: TensorDataset(), ValueError, "one or more arrays"),
    "a number": (lambda: TensorDataset(1.0), ValueError, "that have a first axis"),
    "words": (lambda: next(iter(DataLoader(Draws(), 2))), TypeError, "holds numbers, not <U4"),
    "shapes": (
        lambda: next(iter(DataLoader([np.ones(2), np.ones(3)], 2))),
        ValueError,
        r"different shapes, \[\(2,\), \(3,\)\]",
    ),
    "another batch size": (
        lambda: DataLoader(numbers(), 2).load_state_dict(DataLoader(numbers(), 3).state_dict()),
        ValueError,
        "whose batch_size is 3, and here it is 2",
    ),
    "another dataset": (
        lambda: DataLoader(numbers(9)).load_state_dict(DataLoader(numbers()).state_dict()),
        ValueError,
        "whose examples is 10, and here it is 9",
    ),
    "another generator": (
        lambda: DataLoader(numbers()).load_state_dict(
            DataLoader(numbers(), generator=np.random.Generator(np.random.MT19937(0))).state_dict()
        ),
        ValueError,
        "random state of 'MT19937', and the generator is of PCG64",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named(case: str) -> None:
    make, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        make()
