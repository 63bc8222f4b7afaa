"""What happens in an op while a profile runs: it is timed, by thread, and written down."""

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
        op: the name of an op.
        provider: who brings it.
        phase: FORWARD for the op itself, BACKWARD for its rule.
    """

    op: str
    provider: str
    phase: str


class Span(NamedTuple):
    """One run of an op, or of a backward rule.

    Attributes:
        subject: what ran.
        start: when it began, in nanoseconds of `time.perf_counter_ns`.
        duration: how long it took, in nanoseconds.
        bytes: the size of the arrays it returned.
        shape: the shape of its output, or of the output's gradient; None if that is no array.
        error: the name of the exception it raised, or None.
    """

    subject: Subject
    start: int
    duration: int
    bytes: int
    shape: tuple[int, ...] | None
    error: str | None


class Total:
    """What all runs of one subject come to in one thread, in nanoseconds and bytes."""

    __slots__ = ("bytes", "calls", "itself", "time")

    def __init__(self) -> None:
        self.calls = self.time = self.itself = self.bytes = 0


class Log:
    """What one thread did.

    Attributes:
        thread: the thread's name.
        spans: what ran, the first that ended first.
        dropped: how many spans were not kept, because there are too many.
        totals: the sums of all that ran, those not kept among them.
    """

    def __init__(self) -> None:
        self.thread = threading.current_thread().name
        self.spans: list[Span] = []
        self.dropped = 0
        self.totals: dict[Subject, Total] = {}
        # For each op that is running, what the ops inside it have taken so far.
        self.inside: list[int] = []

    def finish(self, span: Span, keep: bool) -> None:
        """Writes down what has just ended."""
        inside = self.inside.pop()
        if self.inside:
            self.inside[-1] += span.duration
        if keep:
            self.spans.append(span)
        else:
            self.dropped += 1
        total = self.totals.setdefault(span.subject, Total())
        total.calls += 1
        total.time += span.duration
        total.itself += span.duration - inside
        total.bytes += span.bytes


class Recorder:
    """Times what it is put around, in all threads, while `running` is true."""

    def __init__(self, max_events: int) -> None:
        self.running = False
        self.logs: list[Log] = []
        self._room = max_events
        self._local = threading.local()

    def timed(self, op: Op, phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, with every run of it written down."""

        subject = Subject(op.name, op.provider, phase)

        @functools.wraps(call)
        def function(*args: Any, **kwargs: Any) -> Any:
            # A graph that is walked after the profile still comes through here.
            if not self.running:
                return call(*args, **kwargs)
            log = self._log()
            log.inside.append(0)
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
                if out is NotImplemented:  # the other operand's class is asked next
                    log.inside.pop()
                else:
                    shape = _shape(args[1] if phase == BACKWARD else out)
                    span = Span(subject, start, duration, _bytes(out), shape, error)
                    log.finish(span, self._has_room())

        return function

    def _has_room(self) -> bool:
        # Threads may read the same number: then there are a few more spans than asked for.
        self._room -= 1
        return self._room >= 0

    def _log(self) -> Log:
        log: Log | None = getattr(self._local, "log", None)
        if log is None:
            log = self._local.log = Log()
            self.logs.append(log)
        return log


def _bytes(value: Any) -> int:
    """The size of the arrays in what an op or a rule returned."""
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
