"""Ranks that are threads of one process, for tests and for trying a program."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from tinytorch_distributed.engine import Engine, failed, timed_out
from tinytorch_distributed.errors import RankError
from tinytorch_modules.arguments import integer

Array = Any
T = TypeVar("T")


def run_threads(
    function: Callable[[ThreadEngine], T], size: int, *, timeout: float = 60.0
) -> list[T]:
    """Call a function in several threads, each with its own engine.

    Args:
        function: a function of the engine. It should create its own model.
        size: the number of threads.
        timeout: the seconds that a rank waits for the others.

    Returns:
        The results in the order of the ranks.

    Raises:
        Exception: the first exception of a rank, if one raised; the other ranks end with RankError.

    >>> run_threads(lambda comm: comm.all_gather(comm.rank * 10), 3)
    [[0, 10, 20], [0, 10, 20], [0, 10, 20]]
    """
    group = _Group(integer("run_threads()", "size", size))
    results: list[Any] = [None] * size
    errors: list[BaseException] = []

    def run(rank: int) -> None:
        try:
            with ThreadEngine(group, rank, timeout) as engine:
                results[rank] = function(engine)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise next((e for e in errors if not isinstance(e, RankError)), errors[0])
    return results


class ThreadEngine(Engine):
    """The engine of one thread; `run_threads` creates it.

    Args:
        group: what the threads share.
        rank: the number of this thread.
        timeout: the seconds to wait for the other threads.
    """

    def __init__(self, group: _Group, rank: int, timeout: float) -> None:
        super().__init__(rank, group.size, timeout)
        self._group, self._started = group, 0

    def all_reduce(self, array: Array) -> _Sum:
        return _Sum(self._start("all_reduce", array, _sum), array)

    def broadcast(self, array: Array) -> None:
        mine = array.copy() if self.rank == 0 else None
        array[...] = self._start("broadcast", mine, lambda values: values[0])()

    def all_gather(self, value: Any) -> list[Any]:
        # Pickled as between processes, so that ranks do not share objects.
        pickled = self._start("all_gather", pickle.dumps(value), list)()
        return [pickle.loads(each) for each in pickled]

    def fail(self, message: str) -> None:
        self._group.fail(self.rank, message)

    def _start(self, name: str, value: Any, combine: Callable[[list[Any]], Any]) -> _Pending:
        self._started += 1
        try:
            self._group.join(self._started, self.rank, name, value, combine)
        except RankError as error:
            self.fail(str(error))
            raise
        return _Pending(self, self._group, self._started, name)


class _Group:
    """What the threads share: their unfinished calls, and the failure of one of them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.changed = threading.Condition()
        self.failure: tuple[int, str] | None = None
        self.calls: dict[int, _Call] = {}

    def fail(self, rank: int, message: str) -> None:
        with self.changed:
            self.failure = self.failure or (rank, message)
            self.changed.notify_all()

    def join(
        self, number: int, rank: int, name: str, value: Any, combine: Callable[[list[Any]], Any]
    ) -> None:
        """Add the value of a rank to a call; the last rank computes the result."""
        with self.changed:
            call = self.calls.setdefault(number, _Call(name, rank, self.size))
            call.add(name, rank, value)
            if len(call.values) == self.size:
                call.result = combine([call.values[i] for i in range(self.size)])
                call.complete = True
                self.changed.notify_all()


class _Call:
    """One call of all ranks."""

    def __init__(self, name: str, rank: int, size: int) -> None:
        self.name, self.first, self.missing = name, rank, size
        self.values: dict[int, Any] = {}
        self.result: Any = None
        self.complete = False

    def add(self, name: str, rank: int, value: Any) -> None:
        if name != self.name:
            raise RankError(
                f"rank {rank} calls {name}, but rank {self.first} calls {self.name}; all ranks "
                "must make the same calls in the same order"
            )
        self.values[rank] = value


class _Pending:
    """The part of one rank in a call: waits for the result."""

    def __init__(self, engine: ThreadEngine, group: _Group, number: int, name: str) -> None:
        self._engine, self._group, self._number, self._name = engine, group, number, name

    def is_complete(self) -> bool:
        call = self._group.calls.get(self._number)
        return call is None or call.complete

    def __call__(self) -> Any:
        """Return the result when all ranks have joined."""
        group = self._group
        with group.changed:
            call = group.calls[self._number]
            done = group.changed.wait_for(
                lambda: call.complete or group.failure is not None, self._engine.timeout
            )
            if not call.complete:
                if group.failure is not None:
                    raise failed(*group.failure)
                assert not done
                raise timed_out(self._name, self._engine)
            call.missing -= 1
            if not call.missing:
                del group.calls[self._number]
            return call.result


class _Sum:
    """A started `all_reduce`."""

    def __init__(self, pending: _Pending, array: Array) -> None:
        self._pending, self._array = pending, array

    def test(self) -> bool:
        return self._pending.is_complete()

    def wait(self) -> None:
        self._array[...] = self._pending()


def _sum(values: list[Array]) -> Array:
    """Return the sum in the order of the ranks, so that all ranks get the same bits."""
    total = np.array(values[0])
    for value in values[1:]:
        total += value
    return total
