"""Timing of ops and backward rules while a profile runs, with one log per thread."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tinytorch_core import Op, Tensor

FORWARD, BACKWARD = "forward", "backward"


class Subject(NamedTuple):
    """What is timed.

    Attributes:
        op: the name of the op.
        provider: the distribution that provides the op.
        phase: FORWARD for the op itself, BACKWARD for its rule.
    """

    op: str
    provider: str
    phase: str


class Span(NamedTuple):
    """One run of an op or of a backward rule.

    Attributes:
        subject: what ran.
        start: when it started, in nanoseconds of `time.perf_counter_ns`.
        duration: how long it took, in nanoseconds.
        bytes: the size of the arrays that it returned.
        shape: the shape of the output, or in the backward phase of the output's gradient; None
            if that is not an array.
        error: the name of the exception that it raised, or None.
    """

    subject: Subject
    start: int
    duration: int
    bytes: int
    shape: tuple[int, ...] | None
    error: str | None


class Total:
    """The sums over all runs of one subject in one thread, in nanoseconds and bytes."""

    __slots__ = ("bytes", "calls", "itself", "time")

    def __init__(self) -> None:
        self.calls = self.time = self.itself = self.bytes = 0


class ThreadLog:
    """What ran in one thread.

    Attributes:
        thread: the thread's name.
        spans: the runs that are kept, in the order in which they ended.
        dropped: the number of runs that are not kept, because there were too many.
        totals: the sums over all runs, kept or not.
        nested: for each op that is running, outermost first, the time spent so far in the ops
            that it called.
    """

    def __init__(self) -> None:
        self.thread = threading.current_thread().name
        self.spans: list[Span] = []
        self.dropped = 0
        self.totals: dict[Subject, Total] = {}
        self.nested: list[int] = []

    def finish(self, span: Span, keep: bool) -> None:
        """Add the run that has just ended, the innermost one."""
        nested = self.nested.pop()
        if self.nested:
            self.nested[-1] += span.duration
        if keep:
            self.spans.append(span)
        else:
            self.dropped += 1
        total = self.totals.setdefault(span.subject, Total())
        total.calls += 1
        total.time += span.duration
        total.itself += span.duration - nested
        total.bytes += span.bytes


class Recorder:
    """Times the callables that it wraps, in all threads, while `running` is true."""

    def __init__(self, max_events: int) -> None:
        self.running = False
        self.logs: list[ThreadLog] = []
        self._events_left = max_events
        self._local = threading.local()

    def timed(self, op: Op, phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return `call` wrapped so that each run is timed and logged."""
        subject = Subject(op.name, op.provider, phase)

        @functools.wraps(call)
        def function(*args: Any, **kwargs: Any) -> Any:
            # The nodes of a graph keep this function after the profile has ended.
            if not self.running:
                return call(*args, **kwargs)
            log = self._log()
            log.nested.append(0)
            out = error = None
            start = time.perf_counter_ns()
            try:
                out = call(*args, **kwargs)
                return out
            except BaseException as raised:
                error = type(raised).__name__
                raise
            finally:
                duration = time.perf_counter_ns() - start
                if out is NotImplemented:  # Python tries the other operand's method next
                    log.nested.pop()
                else:
                    shape = _shape(args[1] if phase == BACKWARD else out)
                    span = Span(subject, start, duration, _bytes(out), shape, error)
                    log.finish(span, self._keep_event())

        return function

    def _keep_event(self) -> bool:
        # Not locked: if threads read the same number, a few more events than allowed are kept.
        self._events_left -= 1
        return self._events_left >= 0

    def _log(self) -> ThreadLog:
        log: ThreadLog | None = getattr(self._local, "log", None)
        if log is None:
            log = self._local.log = ThreadLog()
            self.logs.append(log)
        return log


def _bytes(value: Any) -> int:
    """Return the total size of the arrays in the result of an op or a rule."""
    if isinstance(value, Tensor):
        value = value.data
    if isinstance(value, tuple | list):
        return sum(map(_bytes, value))
    if isinstance(value, Mapping):
        return sum(map(_bytes, value.values()))
    size = getattr(value, "nbytes", 0)
    return size if isinstance(size, int) else 0


def _shape(value: Any) -> tuple[int, ...] | None:
    shape = getattr(value, "shape", None)
    return shape if isinstance(shape, tuple) else None
