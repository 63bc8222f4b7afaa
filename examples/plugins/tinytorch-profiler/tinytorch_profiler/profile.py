"""`profile`, the context manager that times the ops of its block."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace, TracebackType
from typing import Any

from tinytorch_core import Op, hookimpl, plugins

from tinytorch_profiler import settings, trace
from tinytorch_profiler.recorder import BACKWARD, FORWARD, Recorder
from tinytorch_profiler.table import Row, format_table, summarize

# The name of the plugin that wraps the ops; it is registered while a profile runs.
RUNNING = "profiler.running"


class profile:
    """Time every op that runs inside a `with` block, in all threads, forward and backward.

    Args:
        max_events: how many runs to keep for the trace; the table counts all of them. By
            default the setting of that name, 1,000,000.

    A profile can be read while it runs, and entered again to add to it. Backward rules are timed
    if tinytorch-autograd is on and the graph was recorded inside the block.

    Raises:
        RuntimeError: on entering, if another profile is running or the plugin `profiler` is off.
        ValueError: `max_events` is not an integer of at least 0.

    >>> from tinytorch_core import Tensor
    >>> with profile() as p:
    ...     _ = Tensor([1.0, 2.0]) * 3 + 1
    >>> [(row.op, row.forward.calls, row.forward.bytes) for row in p.rows(by="op")]
    [('add', 1, 8), ('mul', 1, 8)]
    """

    def __init__(self, max_events: int | None = None) -> None:
        chosen = settings.max_events if max_events is None else max_events
        self._recorder = Recorder(settings.checked(chosen))
        self._hooks = _hooks(self._recorder)
        self._start: int | None = None
        self._seconds = 0.0

    def __enter__(self) -> profile:
        if "profiler" not in plugins.active():
            raise RuntimeError(
                "the plugin 'profiler' is off, so nothing can be timed; enable it with "
                "plugins.enable('profiler') (`tinytorch plugins` shows which setting applies)"
            )
        try:
            plugins.register(self._hooks, name=RUNNING)
        except ValueError as error:
            raise RuntimeError(
                "a profile is already running, and it times the ops of all threads; "
                "leave its block first"
            ) from error
        self._opened = time.perf_counter_ns()
        self._start = self._opened if self._start is None else self._start
        self._recorder.running = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._recorder.running = False
        self._seconds += (time.perf_counter_ns() - self._opened) / 1e9
        plugins.unregister(RUNNING)

    @property
    def seconds(self) -> float:
        """The seconds spent in the block, so far if it is still running."""
        if not self._recorder.running:
            return self._seconds
        return self._seconds + (time.perf_counter_ns() - self._opened) / 1e9

    def rows(self, by: str = "self") -> Sequence[Row]:
        """Return the figures of each op that ran.

        Args:
            by: the order: "self", "total", "calls" or "bytes" for the sum of forward and
                backward, largest first, or "op" for the name.

        Raises:
            ValueError: `by` is not one of these.
        """
        return summarize(self._recorder.logs, by)

    def table(self, by: str = "self", limit: int | None = None) -> str:
        """Return the figures as a table for a terminal.

        Args:
            by: the order of the rows, as in `rows`.
            limit: the number of ops to show; all by default.

        Raises:
            ValueError: `by` is not one of the orders.
        """
        return format_table(self._recorder.logs, self.rows(by), self.seconds, limit)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a trace file for chrome://tracing or https://ui.perfetto.dev.

        The trace has a row for each thread, with nested ops below the ops that ran them.
        Backward rules have the category "backward".

        Args:
            path: the file to write, such as `trace.json`; an existing file is replaced.
        """
        trace.save(path, self._recorder.logs, self._start or 0)

    def __repr__(self) -> str:
        calls = sum(total.calls for log in self._recorder.logs for total in log.totals.values())
        return f"<profile of {calls:,} calls in {self.seconds:.3g} s>"


def _hooks(recorder: Recorder) -> SimpleNamespace:
    """Return a plugin that wraps every op and every backward rule in `recorder.timed`."""

    # The outermost wrappers, so that the times include those of the other plugins.
    @hookimpl(stage="outside", trylast=True)
    def tinytorch_wrap_op(op: Op, call: Callable[..., Any]) -> Callable[..., Any]:
        return recorder.timed(op, FORWARD, call)

    @hookimpl(trylast=True, optionalhook=True)
    def tinytorch_wrap_backward(op: Op, call: Callable[..., Any]) -> Callable[..., Any]:
        return recorder.timed(op, BACKWARD, call)

    return SimpleNamespace(
        tinytorch_wrap_op=tinytorch_wrap_op, tinytorch_wrap_backward=tinytorch_wrap_backward
    )
