"""The part of each batch that a rank gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinytorch_distributed.draws import share_state
from tinytorch_distributed.engine import Engine, checked
from tinytorch_training import DataLoader, IterableDataset

Array = Any


def shard(loader: Any, comm: Engine) -> Any:
    """Return the batches of a loader, with only the examples of this rank in each.

    Every rank gets as many batches as the loader has, and the ranks together exactly its examples,
    in the order of one process: of a batch of 10, four ranks get 3, 2, 3 and 2. A rank gets an
    empty batch if there are fewer examples than ranks, as at the end of an epoch.

    All ranks must call this with the same loader. Its random generator gets the state that it has
    on rank 0.

    Args:
        loader: a `DataLoader`, of which only the examples of this rank are loaded; or another
            iterable of batches, tuples or dicts of arrays, which are cut.
        comm: the engine of this rank.

    Returns:
        An iterable for `Trainer.fit`, with `state_dict` if the loader has it. A position that was
        saved with one number of ranks can be loaded with another.

    Raises:
        TypeError: `comm` is not an engine.

    >>> from tinytorch_distributed import run_threads
    >>> from tinytorch_training import TensorDataset
    >>> data = TensorDataset(np.arange(5))
    >>> def examples(comm):
    ...     return [x.tolist() for (x,) in shard(DataLoader(data, batch_size=4), comm)]
    >>> run_threads(examples, 2)
    [[[0, 1], [4]], [[2, 3], []]]
    """
    checked("shard()", comm)
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
        return ShardedBatches(loader, comm)
    share_state([loader.generator], comm)
    return ShardedLoader(loader, comm)


def part(count: int, comm: Engine) -> slice:
    """Return which of `count` examples a rank gets.

    Rank 0 gets an example before the others do, because it writes the checkpoints.
    """
    first, end = (-(-count * rank // comm.size) for rank in (comm.rank, comm.rank + 1))
    return slice(first, end)


class ShardedBatches:
    """The part of a rank in each batch of an iterable; `shard` creates it.

    Args:
        loader: the iterable.
        comm: the engine of this rank.
    """

    def __init__(self, loader: Any, comm: Engine) -> None:
        self.loader, self._comm = loader, comm
        if hasattr(loader, "state_dict"):
            self.state_dict = loader.state_dict
            self.load_state_dict = loader.load_state_dict

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        for batch in self.loader:
            yield cut(batch, part(_examples(batch), self._comm))

    @property
    def resumes_at(self) -> int:
        """The number of batches that the next loop skips, because an epoch is resumed."""
        position: int = getattr(self.loader, "resumes_at", 0)
        return position


class ShardedLoader:
    """The part of a rank in each batch of a DataLoader; `shard` creates it.

    Args:
        loader: the DataLoader.
        comm: the engine of this rank.
    """

    def __init__(self, loader: DataLoader, comm: Engine) -> None:
        self._whole, self._sampler = loader, _Part(loader, comm)
        self._loader = DataLoader(
            loader.dataset,
            batch_sampler=self._sampler,
            collate_fn=loader.collate_fn,
            num_workers=loader.num_workers,
            prefetch=loader.prefetch,
            timeout=loader.timeout,
            multiprocessing_context=loader.multiprocessing_context,
        )

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        for position, batch in enumerate(self._loader, self.resumes_at):
            yield cut(batch, slice(0)) if position in self._sampler.empty else batch

    @property
    def resumes_at(self) -> int:
        """The number of batches that the next loop skips, because an epoch is resumed."""
        return self._loader.resumes_at

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the generator and the position in the running epoch."""
        return {**self._loader.state_dict(), "batch_size": self._whole.batch_size}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`, also of the whole loader or another number of ranks.

        Raises:
            ValueError, TypeError, KeyError: as for a DataLoader. Nothing is changed.
        """
        size = self._whole.batch_size
        if state_dict.get("batch_size") != size:
            raise ValueError(
                f"this state belongs to a DataLoader with batch_size="
                f"{state_dict.get('batch_size')}, but the sharded one has batch_size={size}; the "
                "batches would differ"
            )
        self._loader.load_state_dict({**state_dict, "batch_size": self._loader.batch_size})


class _Part:
    """The indices of a rank in each batch, as a batch sampler.

    Attributes:
        generator: the generator of the orders, whose state a DataLoader saves.
        empty: the positions of the batches of the last epoch in which the rank has no examples.
            The sampler returns one example of the batch instead, because not every dataset can
            return an empty batch.
    """

    def __init__(self, loader: DataLoader, comm: Engine) -> None:
        self._whole, self._comm = loader, comm
        self.generator = loader.generator
        self.empty: set[int] = set()

    def __len__(self) -> int:
        return len(self._whole)

    def __iter__(self) -> Iterator[Array]:
        self.empty.clear()
        for position, indices in enumerate(self._batches()):
            own = indices[part(len(indices), self._comm)]
            if not len(own):
                self.empty.add(position)
                own = indices[:1]
            yield own

    def _batches(self) -> Iterator[Array]:
        whole = self._whole
        if whole.batch_sampler is not None:
            yield from map(np.asarray, whole.batch_sampler)
            return
        order, size = np.fromiter(whole.sampler, int), whole.batch_size
        end = len(order) - len(order) % size if whole.drop_last else len(order)
        for first in range(0, end, size):
            yield order[first : first + size]


def _examples(batch: Any) -> int:
    """Return the number of rows of the target, or of the last array, in a batch."""
    if isinstance(batch, dict):
        return _examples(batch.get("target", list(batch.values())))
    return _examples(batch[-1]) if isinstance(batch, tuple | list) else len(batch)


def cut(batch: Any, rows: slice) -> Any:
    """Return some examples of a batch, in its structure."""
    if isinstance(batch, dict):
        return {key: cut(value, rows) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        values = [cut(value, rows) for value in batch]
        return type(batch)(*values) if hasattr(batch, "_fields") else type(batch)(values)
    return batch[rows]
