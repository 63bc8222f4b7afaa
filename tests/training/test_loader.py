"""DataLoader: samplers, workers, prefetching, and datasets made of others."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_training import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    WorkerError,
    random_split,
)
from tinytorch_training.workers import from_workers

DATA = TensorDataset(np.arange(10))
AHEAD = {"workers": {"num_workers": 2}, "a thread": {"prefetch": 2}, "neither": {}}
needs_fork = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="needs to fork"
)


def forked(options: dict) -> dict:
    """Return options with a fast way to start workers, if there are any."""
    context = {"multiprocessing_context": "fork"} if options.get("num_workers") else {}
    return context | options


def batches(loader) -> list:
    return [x.tolist() for (x,) in loader]


def children() -> list:
    return multiprocessing.active_children()


@needs_fork
@pytest.mark.parametrize("ahead", AHEAD)
def test_batches_and_resuming_do_not_depend_on_workers(ahead: str) -> None:
    def loader(**options):
        return DataLoader(DATA, 3, shuffle=True, generator=0, **forked(options))

    plain, other = loader(), loader(**AHEAD[ahead])
    for _ in range(2):
        assert batches(other) == batches(plain)
    running = iter(other)
    expected = batches(plain)
    assert [next(running)[0].tolist() for _ in range(2)] == expected[:2]
    state = other.state_dict()
    running.close()
    assert not children()
    for options in AHEAD.values():
        resumed = loader(**options)
        resumed.load_state_dict(state)
        assert batches(resumed) == expected[2:]
        assert batches(resumed) == batches(loader_after(state))


def loader_after(state: dict) -> DataLoader:
    loader = DataLoader(DATA, 3, shuffle=True, generator=1)
    loader.load_state_dict(state)
    batches(loader)
    return loader


class Troubled(Dataset):
    """Examples, the eighth of which is loaded by a function."""

    def __init__(self, trouble) -> None:
        self.trouble = trouble

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> int:
        if index == 7:
            self.trouble()
        return index


def wrong() -> None:
    raise ValueError("example 7 is damaged")


class Unpicklable(Exception):
    def __init__(self) -> None:
        super().__init__("odd")
        self.function = lambda: None


def odd() -> None:
    raise Unpicklable


TROUBLE = {
    "an error": (wrong, ValueError, "example 7 is damaged"),
    "an error that cannot be sent": (odd, WorkerError, "(?s)worker 1 of a DataLoader failed.*odd"),
    "an exit": (lambda: os._exit(3), WorkerError, "worker 1 .* died with the exit status 3"),
    "a kill": (
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        WorkerError,
        "worker 1 of a DataLoader died by the signal SIGKILL. Its memory",
    ),
    "a hang": (
        lambda: time.sleep(60),
        WorkerError,
        r"worker 1 of a DataLoader did not load a batch in 0\.5 seconds; the dataset may hang",
    ),
}


@needs_fork
@pytest.mark.parametrize("case", TROUBLE)
def test_workers_in_trouble_are_reported_and_ended(case: str) -> None:
    trouble, error, message = TROUBLE[case]
    timeout = 0.5 if case == "a hang" else 60
    options = forked({"num_workers": 2, "timeout": timeout})
    loader = DataLoader(Troubled(trouble), 2, **options)
    found = []

    def load() -> None:
        for batch in loader:
            found.append(batch.tolist())
            time.sleep(0.05)  # the worker fails before its turn

    with pytest.raises(error, match=message) as info:
        load()
    assert found == [[0, 1], [2, 3], [4, 5]]
    assert not children()
    if case == "an error":
        assert "in worker 1 of a DataLoader:\nTraceback" in info.value.__notes__[0]


@pytest.mark.parametrize(
    ("trouble", "error"), [(wrong, ValueError), (lambda: time.sleep(1), WorkerError)]
)
def test_a_thread_in_trouble_is_reported(trouble, error) -> None:
    loader = DataLoader(Troubled(trouble), 2, prefetch=1, timeout=0.5)
    found = []
    with pytest.raises(error):
        found.extend(batch.tolist() for batch in loader)
    assert found == [[0, 1], [2, 3], [4, 5]]


@needs_fork
def test_an_abandoned_loop_ends_its_workers() -> None:
    for _ in DataLoader(DATA, 1, **forked({"num_workers": 2})):
        assert len(children()) == 2
        break
    gc.collect()
    assert not children()


PROGRAM = """
import os, signal, sys, time
from tinytorch_training import DataLoader, Dataset

# A shell starts background commands with this signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Slow(Dataset):
    def __len__(self):
        return 1000
    def __getitem__(self, index):
        time.sleep(0.02)
        return os.getpid()

for batch in DataLoader(Slow(), 2, num_workers=2, multiprocessing_context="fork"):
    print(batch[0].item(), flush=True)
"""


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process whose parent has not read its exit status is not running.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


@needs_fork
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "to_group"), [(2, False), (2, True), (9, False)])
def test_no_worker_is_left_behind(number: int, to_group: bool) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    workers = set()
    while len(workers) < 2:
        workers.add(int(process.stdout.readline()))
    (os.killpg if to_group else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    if number == signal.SIGINT:
        assert errors.rstrip().endswith("KeyboardInterrupt")
    deadline = time.monotonic() + 30
    while any(map(runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(runs, workers))


@pytest.mark.parametrize(
    ("context", "hint"),
    [
        pytest.param("fork", "itself$", marks=needs_fork),
        ("spawn", "itself. A worker that is not forked imports the program: loop over the loader"),
    ],
)
def test_a_worker_that_died_gets_no_further_task(context: str, hint: str) -> None:
    def tasks():
        yield 3
        while multiprocessing.active_children():
            time.sleep(0.01)
        yield 4

    message = f"worker 0 of a DataLoader died with the exit status 3.*{hint}"
    with pytest.raises(WorkerError, match=message):
        list(from_workers(os._exit, tasks(), 1, 2, 60.0, context))


# Samplers.


def test_indices_may_be_whole_numbers_of_any_dtype() -> None:
    assert [Subset(range(9), Tensor([2, 4]))[i] for i in range(2)] == [2, 4]
    assert sorted(SubsetRandomSampler(Tensor([2, 4]))) == [2, 4]
    assert len(Subset(range(9), [])) == 0


def test_sampler_determines_the_order() -> None:
    assert batches(DataLoader(DATA, 2, sampler=[3, 1, 4])) == [[3, 1], [4]]
    assert batches(DataLoader(DATA, 2, sampler=[3, 1, 4], drop_last=True)) == [[3, 1]]
    assert batches(DataLoader(DATA, batch_sampler=[[3], [1, 4]])) == [[3], [1, 4]]
    assert len(DataLoader(DATA, batch_sampler=[[3], [1, 4]])) == 2
    assert batches(DataLoader(DATA, 10, sampler=SequentialSampler(DATA))) == batches(
        DataLoader(DATA, 10)
    )
    shuffled = DataLoader(DATA, 4, shuffle=True, generator=0)
    assert batches(DataLoader(DATA, 4, sampler=RandomSampler(DATA, generator=0))) == batches(
        shuffled
    )


SAMPLERS = {
    "random": lambda seed: RandomSampler(DATA, generator=seed),
    "with replacement": lambda seed: RandomSampler(DATA, True, 20, seed),
    "a part": lambda seed: RandomSampler(DATA, num_samples=7, generator=seed),
    "a subset": lambda seed: SubsetRandomSampler([1, 3, 5, 7, 9], seed),
    "weighted": lambda seed: WeightedRandomSampler(np.arange(10), 12, generator=seed),
    "weighted, once": lambda seed: WeightedRandomSampler(np.arange(10), 5, False, seed),
}


@pytest.mark.parametrize("case", SAMPLERS)
def test_samplers_resume_within_an_epoch(case: str) -> None:
    make = SAMPLERS[case]
    loader = DataLoader(DATA, 2, sampler=make(0))
    epochs = [batches(loader), batches(loader)]
    assert epochs[0] != epochs[1]
    assert sum(map(len, epochs[0])) == len(make(0))
    again = DataLoader(DATA, 2, sampler=make(0))
    batches(again)
    running = iter(again)
    next(running)
    other = DataLoader(DATA, 2, sampler=make(9))
    other.load_state_dict(again.state_dict())
    assert batches(other) == epochs[1][1:]
    assert batches(other) == batches(loader)


def test_draws_have_the_properties_of_their_samplers() -> None:
    assert sorted(SubsetRandomSampler([1, 5, 7])) == [1, 5, 7]
    assert len(set(RandomSampler(DATA, num_samples=7))) == 7
    drawn = list(WeightedRandomSampler([0, 1, 3], 4000, generator=0))
    assert set(drawn) == {1, 2}
    assert drawn.count(2) / 4000 == pytest.approx(0.75, abs=0.03)
    assert len(set(WeightedRandomSampler([1] * 9, 9, False))) == 9


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [3, 5, 20])
def test_batch_sampler_makes_the_batches_of_a_loader(size: int, drop_last: bool) -> None:
    sampler = BatchSampler(SequentialSampler(DATA), size, drop_last)
    loader = DataLoader(DATA, batch_sampler=sampler)
    usual = DataLoader(DATA, size, drop_last=drop_last)
    assert list(sampler) == batches(loader) == batches(usual)
    assert len(sampler) == len(loader) == len(usual)


def halves(seed: int) -> BatchSampler:
    return BatchSampler(RandomSampler(DATA, generator=seed), 5, drop_last=False)


def test_a_batch_sampler_that_draws_is_resumed() -> None:
    loader, other = (DataLoader(DATA, batch_sampler=halves(seed)) for seed in (0, 9))
    first = batches(DataLoader(DATA, batch_sampler=halves(0)))
    next(iter(loader))
    other.load_state_dict(loader.state_dict())
    assert batches(other) == first[1:]


def test_collate_fn_makes_batches() -> None:
    words = ["a", "bc", "def"]
    assert list(DataLoader(words, 2, collate_fn="".join)) == ["abc", "def"]
    assert list(DataLoader(words, 2, collate_fn=len, prefetch=1)) == [2, 1]


# Datasets made of others.


def test_random_split_gives_every_example_to_one_part() -> None:
    for lengths, sizes in (([7, 3], [7, 3]), ([0.5, 0.25, 0.25], [6, 2, 2]), ([1.0], [10])):
        parts = random_split(DATA, lengths, generator=0)
        assert [len(p) for p in parts] == sizes
        assert sorted(x for p in parts for x in batches(DataLoader(p, 99))[0]) == list(range(10))
    first, again = (random_split(DATA, [5, 5], 3)[0].indices.tolist() for _ in range(2))
    assert first == again


def test_subsets_and_joined_datasets_have_the_examples_of_their_parts() -> None:
    subset = Subset(DATA, [3, -1, 5])
    assert batches(DataLoader(subset, 2)) == [[3, 9], [5]]
    assert subset[-1][0].item() == 5
    assert Subset([5, 6, 7], [2, 0])[0] == 7
    joined = ConcatDataset([subset, DATA])
    assert batches(DataLoader(joined, 5))[0] == [3, 9, 5, 0, 1]
    assert joined[-1][0].item() == 9


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(5))


@pytest.mark.parametrize("options", [{}, {"prefetch": 2}])
def test_streams_are_read_in_order_and_resumed(options) -> None:
    def loader():
        return DataLoader(Stream(), 2, **options)

    assert [b.tolist() for b in loader()] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in DataLoader(Stream(), 2, drop_last=True)] == [[0, 1], [2, 3]]
    running, other = loader(), loader()
    next(iter(running))
    other.load_state_dict(running.state_dict())
    assert [b.tolist() for b in other] == [[2, 3], [4]]
    assert [b.tolist() for b in other] == [[0, 1], [2, 3], [4]]


def test_loaders_and_datasets_have_readable_texts() -> None:
    loader = DataLoader(DATA, 4, shuffle=True, prefetch=2)
    assert repr(loader) == (
        "DataLoader(TensorDataset of 10 examples, batch_size=4, shuffle=True, prefetch=2)"
    )
    assert repr(DataLoader(Stream())) == "DataLoader(Stream)"
    assert repr(TensorDataset(np.ones((4, 2), np.float32), np.arange(4))) == (
        "TensorDataset(4 examples: float32 (4, 2), int64 (4,))"
    )


WRONG = {
    "both samplers": (
        lambda: DataLoader(DATA, sampler=[1], batch_sampler=[[1]]),
        ValueError,
        "takes either batch_sampler or sampler",
    ),
    "sampler and shuffle": (
        lambda: DataLoader(DATA, sampler=[1], shuffle=True),
        ValueError,
        "takes either sampler or shuffle",
    ),
    "batch_sampler and batch_size": (
        lambda: DataLoader(DATA, 2, batch_sampler=[[1]]),
        ValueError,
        "takes either batch_sampler or batch_size",
    ),
    "a number as sampler": (
        lambda: DataLoader(DATA, sampler=3),
        TypeError,
        "sampler of DataLoader must be an iterable, not 3",
    ),
    "a shuffled stream": (
        lambda: DataLoader(Stream(), shuffle=True),
        ValueError,
        "can only be read in order; prefetch",
    ),
    "workers of a stream": (
        lambda: DataLoader(Stream(), num_workers=1),
        ValueError,
        "no sampler, no shuffle and no workers",
    ),
    "the length of a stream": (lambda: len(DataLoader(Stream())), TypeError, "has no length"),
    "workers": (lambda: DataLoader(DATA, num_workers=-1), ValueError, "num_workers of DataLoader"),
    "timeout": (lambda: DataLoader(DATA, timeout=0), ValueError, "timeout of DataLoader"),
    "too many": (lambda: RandomSampler(DATA, num_samples=11), ValueError, "use replacement=True"),
    "weights": (lambda: WeightedRandomSampler([1, -1], 2), ValueError, "finite numbers of 0 or"),
    "replacement": (lambda: RandomSampler(DATA, "no"), TypeError, "replacement of RandomSampler"),
    "draws": (lambda: WeightedRandomSampler([1], 1.5), TypeError, "num_samples of WeightedR"),
    "no sampler": (lambda: BatchSampler(3, 2, False), TypeError, "an iterable over indices, not 3"),
    "batch size": (lambda: BatchSampler([1], 0, False), ValueError, "batch_size of BatchSampler"),
    "unknown length": (lambda: len(BatchSampler(iter([1]), 2, False)), TypeError, "no len"),
    "a mask": (
        lambda: Subset(DATA, np.arange(10) > 5),
        TypeError,
        r"indices of Subset must be integers, not of bool; np.flatnonzero\(mask\) returns",
    ),
    "fractions": (lambda: Subset(DATA, [0.0, 2.5]), ValueError, "must be integers, not 2.5"),
    "a mask for random order": (
        lambda: SubsetRandomSampler([True, False]),
        TypeError,
        "indices of SubsetRandomSampler must be integers",
    ),
    "half an index": (lambda: SubsetRandomSampler([0.5]), ValueError, "must be integers, not 0.5"),
    "a sampler of fractions": (
        lambda: list(DataLoader(DATA, sampler=[0.5])),
        ValueError,
        "sampler of DataLoader must be integers, not 0.5",
    ),
    "no examples": (lambda: RandomSampler([], True, 5), ValueError, "a dataset without examples"),
    "collate": (lambda: DataLoader(DATA, collate_fn=3), TypeError, "collate_fn of DataLoader"),
    "words as lengths": (lambda: random_split(DATA, ["a"]), TypeError, "lengths of random_split"),
    "weights of zero": (
        lambda: WeightedRandomSampler([1, 0], 2, False),
        ValueError,
        "has 1 weights above 0, which is too few to draw 2",
    ),
    "lengths": (
        lambda: random_split(DATA, [5, 4]),
        ValueError,
        r"lengths of random_split\(\) add up to 9, but the dataset has 10 examples",
    ),
    "no lengths": (lambda: random_split(DATA, [0.5, 0.6]), TypeError, "lengths of random_split"),
    "an index": (lambda: Subset(DATA, [10]), IndexError, "index 10 of Subset is out of range"),
    "no datasets": (lambda: ConcatDataset([]), ValueError, "one or more datasets, got none"),
    "a late index": (
        lambda: ConcatDataset([DATA])[10],
        IndexError,
        "index 10 of ConcatDataset is out of range for 10",
    ),
    "a sampler without order": (lambda: list(Sampler()), NotImplementedError, "must define order"),
    "a sampler without length": (lambda: len(Sampler()), NotImplementedError, "must define __len"),
    "a stream without examples": (
        lambda: list(IterableDataset()),
        NotImplementedError,
        "must define __iter__",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_raises(case: str) -> None:
    make, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        make()
