"""The trace file, in the JSON of the Trace Event Format.

Google, "Trace Event Format", 2016: an object whose `traceEvents` are complete events ("ph": "X",
times in microseconds) and metadata ("ph": "M") that names the process and the threads.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from tinytorch_profiler.recorder import BACKWARD, Log, Span

Event = dict[str, Any]


def save(path: str | os.PathLike[str], logs: Sequence[Log], start: int) -> None:
    """Writes what the threads did, with times counted from `start`, in nanoseconds."""
    dropped = sum(log.dropped for log in logs)
    trace = {
        "displayTimeUnit": "ns",
        "otherData": {"dropped_events": dropped},
        "traceEvents": list(events(logs, start)),
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(trace, file)


def events(logs: Sequence[Log], start: int) -> Iterator[Event]:
    """The events of the file."""
    pid = os.getpid()
    program = os.path.basename(sys.argv[0]) or "python"
    yield _name("process_name", program, pid, 0)
    # Numbered, because the system gives the number of a thread that has ended to another one.
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
