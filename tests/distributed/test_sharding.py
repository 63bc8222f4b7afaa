"""Each rank gets its part of every batch, and as many batches as the others."""

from __future__ import annotations

from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pytest

from tinytorch_distributed import run_threads, shard
from tinytorch_training import DataLoader, Dataset, IterableDataset, TensorDataset

DATA = TensorDataset(np.arange(11), np.arange(11) * 2)


class Squares(Dataset):
    """A dataset that counts what it loads, and cannot return an empty batch."""

    def __init__(self) -> None:
        self.loaded = 0

    def __len__(self) -> int:
        return 11

    def __getitem__(self, index):
        self.loaded += 1
        return index, index**2


class Numbers(IterableDataset):
    def __iter__(self):
        return iter([(i, i * 2) for i in range(11)])


class Pair(NamedTuple):
    inputs: Any
    targets: Any


LOADERS = {
    "a dataset": lambda: DataLoader(DATA, 4, shuffle=True, generator=0),
    "no last batch": lambda: DataLoader(DATA, 4, shuffle=True, drop_last=True, generator=0),
    "examples": lambda: DataLoader(Squares(), 3, shuffle=True, generator=0),
    "a batch sampler": lambda: DataLoader(DATA, batch_sampler=[[3, 1, 2], [5], [4, 0]]),
    "prefetch": lambda: DataLoader(Squares(), 4, prefetch=2),
    "a stream": lambda: DataLoader(Numbers(), 4),
    "a list": lambda: [(np.arange(i), np.arange(i)) for i in (5, 1, 2)],
    "nested": lambda: [(np.arange(i), (np.arange(i), {"b": np.arange(i)})) for i in (5, 1)],
    "named tuples": lambda: [Pair(np.arange(i), np.arange(i)) for i in (5, 1)],
    "dicts without a target": lambda: [{"x": np.arange(i), "y": np.arange(i)} for i in (5, 1)],
    "dicts": lambda: [{"x": np.arange(i), "target": np.arange(i)} for i in (5, 1)],
}


def arrays(batch):
    if isinstance(batch, dict):
        return arrays(list(batch.values()))
    if not isinstance(batch, tuple | list):
        return [np.array(batch).tolist()]
    return [array for value in batch for array in arrays(value)]


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("name", LOADERS)
def test_the_ranks_together_get_the_batches_of_one_process(name, size):
    whole = [arrays(batch) for batch in LOADERS[name]()]
    found = run_threads(lambda comm: [*map(arrays, shard(LOADERS[name](), comm))], size)
    for i, batch in enumerate(whole):
        parts = [ranks[i] for ranks in found]
        lengths = [len(part[0]) for part in parts]
        assert lengths[0] == max(lengths) <= min(lengths) + 1
        assert [[*chain(*column)] for column in zip(*parts, strict=True)] == batch
    assert {len(ranks) for ranks in found} == {len(whole)}


def test_a_rank_loads_only_its_examples():
    def run(comm):
        data = Squares()
        loader = shard(DataLoader(data, 4), comm)
        assert len(loader) == 3
        list(loader)
        return data.loaded

    assert run_threads(run, 2) == [6, 5]


def test_orders_are_those_of_rank_0():
    def run(comm):
        loader = shard(DataLoader(DATA, 11, shuffle=True, generator=comm.rank), comm)
        return [arrays(batch)[0] for _ in range(2) for batch in loader]

    first, second = run_threads(run, 2)
    orders = [a + b for a, b in zip(first, second, strict=True)]
    assert all(sorted(order) == list(range(11)) for order in orders)
    assert orders[0] != orders[1]


def test_a_position_can_be_loaded_with_another_number_of_ranks():
    whole = DataLoader(DATA, 3, shuffle=True, generator=0)
    expected = [arrays(batch) for batch in whole]
    loader = DataLoader(DATA, 3, shuffle=True, generator=0)
    batches = iter(loader)
    next(batches)
    state = loader.state_dict()

    def rest(comm):
        loader = shard(DataLoader(DATA, 3, shuffle=True, generator=5), comm)
        loader.load_state_dict(state)
        assert loader.resumes_at == 1
        assert loader.state_dict().keys() == state.keys()
        return [*map(arrays, loader)]

    first, second = run_threads(rest, 2)
    found = [
        [x + y for x, y in zip(*pair, strict=True)] for pair in zip(first, second, strict=True)
    ]
    assert found == expected[1:]


def test_the_state_of_another_loader_is_refused():
    def run(comm):
        state = shard(DataLoader(DATA, 3), comm).state_dict()
        loader = shard(DataLoader(DATA, 4), comm)
        with pytest.raises(ValueError, match="batch_size=3, but the sharded one has batch_size=4"):
            loader.load_state_dict(state)

    run_threads(run, 1)


def test_the_engine_must_be_an_engine():
    with pytest.raises(TypeError, match=r"comm of shard\(\) must be an engine, .* not 3"):
        shard(DataLoader(DATA, 3), 3)
