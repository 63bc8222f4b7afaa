"""Trace files in the JSON form of the Trace Event Format.

Google, "Trace Event Format", 2016. The file holds an object whose `traceEvents` are complete
events ("ph": "X", times in microseconds) and metadata events ("ph": "M") that name the process and
the threads.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from tinytorch_profiler.recorder import BACKWARD, Span, ThreadLog

Event = dict[str, Any]


def save(path: str | os.PathLike[str], logs: Sequence[ThreadLog], start: int) -> None:
    """Write a trace of all threads.

    Args:
        path: the file to write.
        logs: one log per thread.
        start: the time that becomes 0 in the trace, in nanoseconds of `time.perf_counter_ns`.
    """
    dropped = sum(log.dropped for log in logs)
    trace = {
        "displayTimeUnit": "ns",
        "otherData": {"dropped_events": dropped},
        "traceEvents": list(events(logs, start)),
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(trace, file)


def events(logs: Sequence[ThreadLog], start: int) -> Iterator[Event]:
    """Yield the events of the file: metadata first, then each thread's ops."""
    pid = os.getpid()
    program = os.path.basename(sys.argv[0]) or "python"
    yield _name("process_name", program, pid, 0)
    # Not the system's thread ids: it reuses the id of a thread that has ended.
    for tid, log in enumerate(list(logs), start=1):
        yield _name("thread_name", log.thread, pid, tid)
        for span in list(log.spans):
            yield _complete(span, start, pid, tid)


def _name(what: str, name: str, pid: int, tid: int) -> Event:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}


def _complete(span: Span, start: int, pid: int, tid: int) -> Event:
    op, provider, phase = span.subject
    details: dict[str, Any] = {"provider": provider, "bytes": span.bytes}
    if span.shape is not None:
        details["shape"] = str(span.shape)
    if span.error is not None:
        details["error"] = span.error
    return {
        "ph": "X",
        "name": f"{op} backward" if phase == BACKWARD else op,
        "cat": phase,
        "ts": (span.start - start) / 1000,
        "dur": span.duration / 1000,
        "pid": pid,
        "tid": tid,
        "args": details,
    }
