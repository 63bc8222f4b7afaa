"""Loading batches ahead of their use, in a thread or in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

# How long an idle worker may take to end by itself, in seconds.
_GRACE = 1.0


class WorkerError(RuntimeError):
    """A worker of a DataLoader died, or did not answer in time."""


def prefetched(batches: Iterable[Any], ahead: int, timeout: float) -> Iterator[Any]:
    """Yield batches that a thread takes from an iterable, up to a number of them ahead.

    Raises:
        WorkerError: a batch takes longer than `timeout` seconds.
    """
    results: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(ahead)
    stop = threading.Event()

    def put(item: tuple[Any, BaseException | None]) -> bool:
        while not stop.is_set():
            with suppress(queue.Full):
                results.put(item, timeout=0.1)
                return True
        return False

    def run() -> None:
        try:
            for batch in batches:
                if not put((batch, None)):
                    return
            put((None, StopIteration()))
        except BaseException as error:
            put((None, error))

    thread = threading.Thread(target=run, name="DataLoader", daemon=True)
    thread.start()
    try:
        while True:
            try:
                batch, error = results.get(timeout=timeout)
            except queue.Empty:
                raise WorkerError(_late("the thread", timeout)) from None
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield batch
    finally:
        stop.set()
        thread.join(_GRACE)


def from_workers(
    load: Callable[[Any], Any],
    tasks: Iterable[Any],
    workers: int,
    ahead: int,
    timeout: float,
    context: str | None,
) -> Iterator[Any]:
    """Yield the results of a function for each task, in order, from worker processes.

    The workers end with the iteration, also if it is abandoned, interrupted or fails, and if this
    process is killed.

    Args:
        load: the function.
        tasks: its arguments.
        workers: the number of processes.
        ahead: the number of tasks that each worker has at a time.
        timeout: the seconds to wait for a result.
        context: the start method of multiprocessing, or None for the default.

    Raises:
        WorkerError: a worker died, or did not answer in time.
        Exception: the error of the function in a worker, with its traceback as a note.
    """
    started: list[_Worker] = []
    try:
        for number in range(workers):
            earlier = [worker.connection for worker in started]
            started.append(_Worker(number, load, context, earlier))
        pending: deque[_Worker] = deque()
        remaining = iter(tasks)
        index = 0
        while True:
            while len(pending) < workers * ahead:
                task = next(remaining, _END)
                if task is _END:
                    break
                worker = started[index % workers]
                worker.send(task)
                pending.append(worker)
                index += 1
            if not pending:
                return
            yield pending.popleft().receive(timeout)
    finally:
        for worker in started:
            worker.connection.close()
        for worker in started:
            worker.end()


_END = object()


class _Worker:
    """A process that loads batches, and the connection to it.

    Args:
        number: the number of the worker, for messages.
        load: the function that loads a batch.
        context: the start method, or None for the default.
        earlier: the connections to the workers that were started before.
    """

    def __init__(
        self,
        number: int,
        load: Callable[[Any], Any],
        context: str | None,
        earlier: Sequence[Connection],
    ) -> None:
        methods = multiprocessing.get_context(context)
        self.number, self._forks = number, methods.get_start_method() == "fork"
        self.connection, other = methods.Pipe()
        # Daemons are ended when this process exits.
        # A forked process has copies of this end, which would keep the connection open.
        inherited = [self.connection, *earlier] if self._forks else []
        self._process: Any = methods.Process(  # type: ignore[attr-defined]
            target=_work,
            args=(other, load, inherited),
            name=f"DataLoader worker {number}",
            daemon=True,
        )
        with warnings.catch_warnings():
            # Python warns of a fork with threads. Those of BLAS are safe: it restarts them.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        other.close()

    def send(self, task: Any) -> None:
        """Give the worker a task. If it has died, `receive` reports this when it is its turn."""
        with suppress(OSError):
            self.connection.send(task)

    def receive(self, timeout: float) -> Any:
        """Return the next result.

        Raises:
            WorkerError: the worker died, or did not answer in time.
        """
        ready = wait([self.connection, self._process.sentinel], timeout)
        if not ready:
            raise WorkerError(_late(f"worker {self.number}", timeout))
        try:
            if self.connection not in ready and not self.connection.poll():
                raise EOFError
            result, error, text = self.connection.recv()
        except (EOFError, OSError):
            raise WorkerError(self._death()) from None
        if text is None:
            return result
        if error is None:
            raise WorkerError(f"worker {self.number} of a DataLoader failed:\n{text}")
        error.add_note(f"in worker {self.number} of a DataLoader:\n{text}")
        raise error

    def _death(self) -> str:
        self._process.join(_GRACE)
        code = self._process.exitcode
        how = f"with the exit status {code}"
        if code is not None and code < 0:
            with suppress(ValueError):
                how = f"by the signal {signal.Signals(-code).name}"
        imports = (
            ""
            if self._forks
            else (
                ". A worker that is not forked imports the program: loop over the loader below "
                "`if __name__ == '__main__':`, and define the dataset's class in a module"
            )
        )
        return (
            f"worker {self.number} of a DataLoader died {how}. Its memory may have been used up; "
            f"num_workers=0 shows an error of the dataset itself{imports}"
        )

    def end(self) -> None:
        """Wait until the process has ended, or end it."""
        self._process.join(_GRACE)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(_GRACE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _work(
    connection: Connection, load: Callable[[Any], Any], inherited: Sequence[Connection]
) -> None:
    """Load batches in a worker process until the connection is closed."""
    for other in inherited:
        other.close()
    # Ctrl-C reaches every process of a terminal; the main one ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def receive() -> None:
        try:
            while True:
                tasks.put(connection.recv())
        except (EOFError, OSError):
            # The main process closed the connection, or was killed.
            os._exit(0)

    # A thread, so that tasks are received while a result is sent.
    threading.Thread(target=receive, daemon=True).start()
    while True:
        answer: tuple[Any, BaseException | None, str | None]
        try:
            answer = load(tasks.get()), None, None
        except BaseException as error:
            answer = None, error, traceback.format_exc()
        try:
            connection.send(answer)
        except OSError:
            os._exit(0)
        except Exception:
            # The batch or the error cannot be pickled.
            connection.send((None, None, answer[2] or traceback.format_exc()))


def _late(who: str, timeout: float) -> str:
    return (
        f"{who} of a DataLoader did not load a batch in {timeout:g} seconds; the dataset may hang, "
        "or be slow: pass a larger timeout"
    )
