"""Ranks that are processes of torch.distributed, with its gloo backend."""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from datetime import timedelta
from typing import Any

from tinytorch_distributed.engine import Engine
from tinytorch_distributed.errors import RankError

Array = Any


def gloo(
    init_method: str | None = None,
    rank: int = -1,
    world_size: int = -1,
    *,
    timeout: float = 300.0,
) -> GlooEngine:
    """Return the engine of processes that communicate through torch.distributed.

    By default, the variables that `torchrun` sets name the other processes.

    Args:
        init_method: where the processes meet, as in `torch.distributed.init_process_group`.
        rank: the number of this process.
        world_size: the number of processes.
        timeout: the seconds to wait for the other ranks.

    Raises:
        ModuleNotFoundError: PyTorch is not installed.
        RuntimeError: `torchrun` has not started this process, and no `init_method` is given.
        ValueError: `timeout` is not positive.
    """
    try:
        import torch.distributed as dist
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'gloo() requires PyTorch: pip install "tinytorch-distributed[gloo]"', name=error.name
        ) from error
    if not dist.is_initialized():
        if init_method is None and "RANK" not in os.environ:
            raise RuntimeError(
                "gloo() does not know the other processes; start the program with torchrun, as in "
                "torchrun --nproc-per-node 2 train.py, or pass init_method, rank and world_size"
            )
        dist.init_process_group(
            "gloo",
            init_method=init_method,
            rank=rank,
            world_size=world_size,
            timeout=timedelta(seconds=timeout),
        )
        # Otherwise Python can end while threads of the group still run, which aborts the process.
        atexit.register(_end, dist)
    return GlooEngine(dist, timeout)


def _end(dist: Any) -> None:
    """Close the connections of the default group, if it still has any.

    The program ends, or raises the error for which it is called, so further errors are ignored.
    """
    with suppress(Exception):
        dist.destroy_process_group()


class GlooEngine(Engine):
    """The engine of a process of torch.distributed.

    If a process ends, its connections close, and the calls of the others raise RankError.

    Args:
        dist: the module torch.distributed, whose default group is initialized.
        timeout: the seconds to wait for the other ranks.
    """

    def __init__(self, dist: Any, timeout: float) -> None:
        super().__init__(dist.get_rank(), dist.get_world_size(), timeout)
        import torch

        self._dist, self._tensor = dist, torch.from_numpy

    def all_reduce(self, array: Array) -> _Work:
        with _named("all_reduce", self):
            return _Work(self, self._dist.all_reduce(self._tensor(array), async_op=True), array)

    def broadcast(self, array: Array) -> None:
        with _named("broadcast", self):
            self._dist.broadcast(self._tensor(array), 0)

    def all_gather(self, value: Any) -> list[Any]:
        found: list[Any] = [None] * self.size
        with _named("all_gather", self):
            self._dist.all_gather_object(found, value)
        return found

    def fail(self, message: str) -> None:
        # Only this interrupts the calls of the other ranks.
        _end(self._dist)


class _Work:
    """A started `all_reduce`."""

    def __init__(self, engine: GlooEngine, work: Any, array: Array) -> None:
        self._engine, self._work = engine, work
        self._array = array  # must live until the work is complete

    def test(self) -> bool:
        complete: bool = self._work.is_completed()
        return complete

    def wait(self) -> None:
        with _named("all_reduce", self._engine):
            self._work.wait()


class _named:
    """Turns the errors of torch.distributed in a block into RankError."""

    def __init__(self, what: str, engine: Engine) -> None:
        self._what, self._engine = what, engine

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, RuntimeError):
            raise RankError(
                f"{self._what} of rank {self._engine.rank} failed, because another rank ended or "
                f"did not answer in time: {error}"
            ) from error
