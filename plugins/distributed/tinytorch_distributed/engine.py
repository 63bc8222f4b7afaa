"""Engine, the five calls through which ranks communicate."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Protocol, Self

from tinytorch_distributed.errors import RankError

Array = Any


class Work(Protocol):
    """A started call of `all_reduce`."""

    def test(self) -> bool:
        """Make progress, and return whether the result is complete."""

    def wait(self) -> None:
        """Wait until the array has the result.

        Raises:
            RankError: another rank failed, or did not take part in time.
        """


class Engine(ABC):
    """Communication between the processes, or threads, that run the same program.

    Each of them is a rank. All ranks must make the same calls in the same order, with arrays of the
    same shape and dtype. A subclass defines `all_reduce`, `broadcast`, `all_gather` and `fail` for
    one library; it may define a faster `barrier`, which otherwise calls `all_gather`.

    In a `with` block, an exception on one rank also ends the others.

    Args:
        rank: the number of this rank, from 0 on.
        size: the number of ranks.
        timeout: the seconds to wait for the other ranks.

    Raises:
        ValueError: `timeout` is not positive.
    """

    # Read by tinytorch-compile. Each rank decides by itself when it captures a step again, and this
    # must not change which calls it makes.
    __tinytorch_refuses_capture__ = "which sends messages to other ranks"

    def __init__(self, rank: int, size: int, timeout: float) -> None:
        if not (isinstance(timeout, int | float) and 0 < timeout < math.inf):
            raise ValueError(f"timeout must be a positive number of seconds, not {timeout!r}")
        self.rank, self.size, self.timeout = rank, size, float(timeout)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rank {self.rank} of {self.size})"

    @abstractmethod
    def all_reduce(self, array: Array) -> Work:
        """Start adding an array over all ranks. The sum replaces its values on each of them.

        All ranks get the same bits. The caller must not use the array before the work is complete.

        Args:
            array: a contiguous ndarray of numbers.
        """

    @abstractmethod
    def broadcast(self, array: Array) -> None:
        """Replace the values of a contiguous ndarray by those of rank 0.

        Raises:
            RankError: another rank failed, or did not take part in time.
        """

    @abstractmethod
    def all_gather(self, value: Any) -> list[Any]:
        """Return the values that the ranks have passed, in the order of the ranks.

        Args:
            value: an object that can be pickled.

        Raises:
            RankError: another rank failed, or did not take part in time.
        """

    def barrier(self) -> None:
        """Wait until all ranks have called this.

        Raises:
            RankError: another rank failed, or did not take part in time.
        """
        self.all_gather(None)

    @abstractmethod
    def fail(self, message: str) -> None:
        """Tell the other ranks that this one cannot continue: their calls raise RankError."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, *traceback: object) -> None:
        if error is not None and not isinstance(error, RankError):
            self.fail(describe(error))


def checked(what: str, comm: Any) -> Engine:
    """Return the argument `comm` of a function.

    Raises:
        TypeError: it is not an engine.
    """
    if not isinstance(comm, Engine):
        raise TypeError(
            f"comm of {what} must be an engine, such as mpi() returns, not {comm!r:.60}"
        )
    return comm


def describe(error: BaseException) -> str:
    """Return the type and the text of an exception, for the other ranks."""
    return f"{type(error).__name__}: {error}".rstrip(": ")


def failed(rank: int, message: str) -> RankError:
    """Return the error that the other ranks raise if one fails."""
    return RankError(f"rank {rank} failed: {message}")


def timed_out(what: str, engine: Engine) -> RankError:
    """Return the error for a call that not all ranks have joined in time."""
    return RankError(
        f"{what} of rank {engine.rank} has waited {engine.timeout:g} s for another rank, which may "
        "have stopped or run different calls; pass a larger timeout if it only takes longer"
    )
