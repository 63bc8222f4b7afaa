"""DataLoader, an iterable over the batches of a dataset."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np

from tinytorch_modules import random_generator
from tinytorch_training.arguments import count, flag, positive, whole_numbers
from tinytorch_training.data import stack
from tinytorch_training.randomness import set_state
from tinytorch_training.samplers import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    chunks,
)
from tinytorch_training.subsets import IterableDataset

Array = Any


class DataLoader:
    """An iterable over the batches of a dataset; each `for` loop is one epoch.

    `state_dict` contains the state of the generator and the position. After `load_state_dict`,
    a loader continues in the middle of an epoch with exactly the remaining batches.

    Args:
        dataset: a `Dataset`, an `IterableDataset`, or any object with `__len__` and
            `__getitem__(index)`. A tuple of arrays is an error; pass `TensorDataset(x, y)`.
        batch_size: the number of examples in a batch.
        shuffle: whether to draw a new random order for each epoch.
        drop_last: whether to omit the last batch if it is smaller.
        generator: a `numpy.random.Generator`, or a seed for one, for the orders. With None,
            every run differs.
        sampler: an iterable over the indices of an epoch, such as a `WeightedRandomSampler`, or
            None. One that draws must have its NumPy generator as an attribute `generator`, so
            that an epoch can be resumed.
        batch_sampler: an iterable over lists of indices, one for each batch, such as a
            `BatchSampler`, or None. It replaces `batch_size`, `shuffle`, `drop_last` and `sampler`.
        collate_fn: a function that makes a batch from a list of examples, or None.
        num_workers: the number of processes that load batches. The order does not change. A dataset
            that draws should derive its numbers from the index, because each process has a copy of
            its generator. Processes are started for each epoch. Where they are not forked, as on
            Linux from Python 3.14 on, datasets must be picklable, and the program must loop below
            `if __name__ == "__main__":`.
        prefetch: without workers, the number of batches that a thread loads ahead; 0 loads each
            batch when it is needed. With workers, the number of batches for each, by default 2.
        timeout: the seconds to wait for a worker or the thread; PyTorch waits forever.
        multiprocessing_context: the start method, such as "spawn", or None for the default.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.
        TypeError, ValueError: in a loop, the indices of a sampler are not integers.
        WorkerError: in a loop, a worker died or did not answer in time. An error of the dataset in
            a worker is raised as it is, with the worker's traceback as a note.

    >>> from tinytorch_training import TensorDataset
    >>> data = TensorDataset(np.arange(5.0, dtype=np.float32))
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
        *,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        num_workers: int = 0,
        prefetch: int = 0,
        timeout: float = 600.0,
        multiprocessing_context: str | None = None,
    ) -> None:
        self._is_stream = isinstance(dataset, IterableDataset)
        _check_dataset(dataset, self._is_stream)
        self.dataset = dataset
        self.batch_size = count("DataLoader", "batch_size", batch_size)
        self.shuffle = flag("DataLoader", "shuffle", shuffle)
        self.drop_last = flag("DataLoader", "drop_last", drop_last)
        self.num_workers = count("DataLoader", "num_workers", num_workers, minimum=0)
        self.prefetch = count("DataLoader", "prefetch", prefetch, minimum=0)
        self.timeout = positive("DataLoader", "timeout", timeout)
        self.collate_fn = collate_fn
        if not (collate_fn is None or callable(collate_fn)):
            raise TypeError(f"collate_fn of DataLoader must be a function, not {collate_fn!r:.60}")
        self.multiprocessing_context = multiprocessing_context
        chosen = {"sampler": sampler, "batch_sampler": batch_sampler}
        _check_combination(self, chosen)
        own = _generator_of(batch_sampler if sampler is None else sampler)
        self.generator = random_generator(generator) if own is None else own
        if sampler is None:
            sampler = (
                RandomSampler(dataset, generator=self.generator)
                if self.shuffle
                else SequentialSampler(dataset)
            )
        self.sampler, self.batch_sampler = sampler, batch_sampler
        # The state of the generator before the running epoch, the number of batches drawn since,
        # and whether the next loop continues that epoch.
        self._epoch_start: Mapping[str, Any] | None = None
        self._position = 0
        self._resumed = False

    def __len__(self) -> int:
        """The number of batches.

        Raises:
            TypeError: the dataset is an IterableDataset, or a sampler has no length.
        """
        if self._is_stream:
            raise TypeError("a DataLoader of an IterableDataset has no length")
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        return len(BatchSampler(self.sampler, self.batch_size, self.drop_last))

    def __repr__(self) -> str:
        number = "" if self._is_stream else f" of {len(self.dataset)} examples"
        options = {
            "batch_size": (self.batch_size, 1),
            "shuffle": (self.shuffle, False),
            "drop_last": (self.drop_last, False),
            "num_workers": (self.num_workers, 0),
            "prefetch": (self.prefetch, 0),
        }
        shown = "".join(f", {k}={v}" for k, (v, usual) in options.items() if v != usual)
        return f"DataLoader({type(self.dataset).__name__}{number}{shown})"

    def __iter__(self) -> Iterator[Any]:
        if self._resumed:
            position, tasks = self._position, self._tasks_at_epoch_start()
        else:
            self._epoch_start = self.generator.bit_generator.state
            position, tasks = 0, self._tasks()
        self._resumed = False
        batches = self._loaded(islice(tasks, position, None))
        try:
            for batch in batches:
                position += 1
                self._position = position
                yield batch
        finally:
            # Ends the workers.
            if hasattr(batches, "close"):
                batches.close()
        self._epoch_start, self._position = None, 0

    @property
    def resumes_at(self) -> int:
        """The number of batches that the next loop skips, because an epoch is resumed."""
        return self._position if self._resumed else 0

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the generator and the position in the running epoch."""
        return {
            "generator": self.generator.bit_generator.state,
            "began": self._epoch_start,
            "position": self._position,
            **self._identity(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`; the next loop continues from its position.

        Raises:
            ValueError: the state belongs to a loader with a different number of examples, batch
                size or kind of generator, or to a later batch than its last one. The loader is
                unchanged.
            TypeError, KeyError: a value has the wrong type or is missing. The loader is unchanged.
        """
        for name, own in self._identity().items():
            if state_dict.get(name) != own:
                raise ValueError(
                    f"this state belongs to a DataLoader with {name}={state_dict.get(name)}, but "
                    f"this one has {name}={own}; the batches would differ"
                )
        position = count("DataLoader", "position", state_dict["position"], minimum=0)
        if not self._is_stream and position > len(self):
            raise ValueError(
                f"this state is for batch {position} of an epoch, but this DataLoader has only "
                f"{len(self)} batches"
            )
        began = state_dict["began"]
        if began is not None:
            set_state(copy.deepcopy(self.generator), began)  # raises an error if it is invalid
        set_state(self.generator, state_dict["generator"])
        self._epoch_start, self._position = began, position
        self._resumed = began is not None

    def _identity(self) -> dict[str, Any]:
        """Return what must be equal in a loader whose state this one takes."""
        examples = None if self._is_stream else len(self.dataset)
        return {"examples": examples, "batch_size": self.batch_size}

    def _tasks(self) -> Iterator[Any]:
        """Return an iterator over the indices of each batch, drawn now; examples of a stream."""
        if self._is_stream:
            return chunks(self.dataset, self.batch_size, self.drop_last)
        if self.batch_sampler is not None:
            return iter([np.asarray(indices) for indices in self.batch_sampler])
        sampler, size = self.sampler, self.batch_size
        order = (
            sampler.order()
            if isinstance(sampler, Sampler)
            else whole_numbers("DataLoader", "sampler", list(sampler))
        )
        end = len(order) - len(order) % size if self.drop_last else len(order)
        return (order[i : i + size] for i in range(0, end, size))

    def _tasks_at_epoch_start(self) -> Iterator[Any]:
        """Return the tasks that were drawn at the start of the running epoch."""
        now = self.generator.bit_generator.state
        set_state(self.generator, self._epoch_start or {})
        try:
            return self._tasks()
        finally:
            set_state(self.generator, now)

    def _loaded(self, tasks: Iterator[Any]) -> Iterator[Any]:
        """Return an iterator over the batches of tasks, from workers or a thread if wanted."""
        load = _Loading(None if self._is_stream else self.dataset, self.collate_fn)
        if not (self.num_workers or self.prefetch):
            return map(load, tasks)
        # Imported here because it takes time, and few programs need it.
        from tinytorch_training.workers import from_workers, prefetched

        if not self.num_workers:
            return prefetched(map(load, tasks), self.prefetch, self.timeout)
        options = self.prefetch or 2, self.timeout, self.multiprocessing_context
        return from_workers(load, tasks, self.num_workers, *options)


class _Loading:
    """Makes the batch of a task, in any process.

    Args:
        dataset: the dataset; None if tasks are lists of examples.
        collate: the function that makes a batch from examples, or None.
    """

    def __init__(self, dataset: Any, collate: Callable[[list[Any]], Any] | None) -> None:
        self._dataset, self._collate = dataset, collate

    def __call__(self, task: Any) -> Any:
        dataset, collate = self._dataset, self._collate
        if collate is None and hasattr(dataset, "batch"):
            return dataset.batch(task)
        examples = task if dataset is None else [dataset[i] for i in task.tolist()]
        return stack(examples) if collate is None else collate(examples)


def _generator_of(sampler: Any) -> np.random.Generator | None:
    """Return the generator of a sampler, or of the sampler of a batch sampler."""
    for each in (sampler, getattr(sampler, "sampler", None)):
        if isinstance(found := getattr(each, "generator", None), np.random.Generator):
            return found
    return None


def _check_dataset(dataset: Any, is_stream: bool) -> None:
    if not is_stream and not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise TypeError(
            "DataLoader expects a dataset with __len__ and __getitem__, not "
            f"{type(dataset).__name__}"
        )
    if isinstance(dataset, tuple) and dataset and all(getattr(a, "ndim", 0) for a in dataset):
        shapes = ", ".join(str(array.shape) for array in dataset)
        raise TypeError(
            f"DataLoader got a tuple of {len(dataset)} arrays of shapes {shapes}, which would "
            f"be a dataset of {len(dataset)} examples; pass TensorDataset(...) of the arrays "
            "to have one example for each row, or a list if each array is an example"
        )


def _check_combination(loader: DataLoader, samplers: Mapping[str, Any]) -> None:
    """Raise an error for arguments that exclude each other."""
    given = [name for name, sampler in samplers.items() if sampler is not None]
    others = [name for name in ("shuffle", "drop_last") if getattr(loader, name)]
    if "batch_sampler" in given and loader.batch_size != 1:
        others.append("batch_size")
    excluded = others if "batch_sampler" in given else [o for o in others if o == "shuffle"]
    if len(given) == 2 or (given and excluded):
        raise ValueError(
            f"DataLoader takes either {given[-1]} or {([*given[:-1], *excluded])[0]}, which "
            "determine the same"
        )
    if loader._is_stream and (given or loader.shuffle or loader.num_workers):
        raise ValueError(
            "a DataLoader of an IterableDataset takes no sampler, no shuffle and no workers, "
            "because its examples can only be read in order; prefetch loads them in a thread"
        )
    for name in given:
        if not hasattr(samplers[name], "__iter__"):
            raise TypeError(f"{name} of DataLoader must be an iterable, not {samplers[name]!r:.60}")
