"""`profile`: what a user opens around the code that is to be timed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace, TracebackType
from typing import Any

from tinytorch_core import Op, hookimpl, plugins

from tinytorch_profiler import settings, trace
from tinytorch_profiler.recorder import BACKWARD, FORWARD, Recorder
from tinytorch_profiler.table import Row, rows_of, table_of

# The plugin that wraps the ops: there is one while a profile runs, and none otherwise.
RUNNING = "profiler.running"


class profile:
    """Times every op that runs inside a `with` block, in all threads, forward and backward.

    Args:
        max_events: how many runs are kept for the trace; the table counts all of them. By
            default the setting of that name, 1,000,000.

    A profile can be read while it runs, and be opened again to go on. Backward rules are timed
    where tinytorch-autograd is on, and the graph was recorded inside the block.

    Raises:
        RuntimeError: on entering, another profile is running, or the plugin `profiler` is off.
        ValueError: `max_events` is no number from 0 on.

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
                "the plugin 'profiler' is off; plugins.enable('profiler') turns it on, and "
                "`tinytorch plugins` tells who turned it off"
            )
        try:
            plugins.register(self._hooks, name=RUNNING)
        except ValueError as error:
            raise RuntimeError(
                "a profile is running already, and it times all ops of all threads; "
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
        """How long the block took, or has taken so far."""
        if not self._recorder.running:
            return self._seconds
        return self._seconds + (time.perf_counter_ns() - self._opened) / 1e9

    def rows(self, by: str = "self") -> Sequence[Row]:
        """The figures for each op that ran.

        Args:
            by: what to sort by: "self", "total", "calls" or "bytes", forward and backward
                together and the largest first; or "op", the name.

        Raises:
            ValueError: `by` is something else.
        """
        return rows_of(self._recorder.logs, by)

    def table(self, by: str = "self", limit: int | None = None) -> str:
        """The same as text for a terminal.

        Args:
            by: as for `rows`.
            limit: how many ops to show; by default all.

        Raises:
            ValueError: `by` is none of these.
        """
        return table_of(self._recorder.logs, self.rows(by), self.seconds, limit)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a trace that chrome://tracing and https://ui.perfetto.dev open.

        Each thread has its line, on which ops that run inside others lie below these; backward
        rules are of the category "backward".

        Args:
            path: the file, `trace.json` for example. It is replaced.
        """
        trace.save(path, self._recorder.logs, self._start or 0)

    def __repr__(self) -> str:
        calls = sum(total.calls for log in self._recorder.logs for total in log.totals.values())
        return f"<profile of {calls:,} calls in {self.seconds:.3g} s>"


def _hooks(recorder: Recorder) -> SimpleNamespace:
    """The plugin that puts `recorder` around every op and every backward rule."""

    # Last, and so outermost: what other plugins do around an op is part of its time.
    @hookimpl(trylast=True)
    def tinytorch_wrap_op(op: Op, call: Callable[..., Any]) -> Callable[..., Any]:
        return recorder.timed(op, FORWARD, call)

    @hookimpl(trylast=True, optionalhook=True)
    def tinytorch_wrap_backward(op: Op, call: Callable[..., Any]) -> Callable[..., Any]:
        return recorder.timed(op, BACKWARD, call)

    return SimpleNamespace(
        tinytorch_wrap_op=tinytorch_wrap_op, tinytorch_wrap_backward=tinytorch_wrap_backward
    )
