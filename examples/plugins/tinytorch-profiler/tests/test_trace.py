"""The trace file follows the Trace Event Format, and its events nest."""

import json
import os
import threading

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import grad
from tinytorch_profiler import profile


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    path = tmp_path_factory.mktemp("trace") / "trace.json"
    x = Tensor(np.ones((3, 2)), requires_grad=True)
    with profile() as p:
        _ = Tensor([1.0]) - 1
        thread = threading.Thread(target=lambda: Tensor([1.0]) * 2, name="worker")
        thread.start()
        thread.join()
        another = threading.Thread(target=lambda: Tensor([1.0]) * 2, name="another")
        another.start()
        another.join()
        grad((x**3).sum(), x, create_graph=True)
        with pytest.raises(ValueError, match="matmul"):
            x @ x
    p.save(path)
    return json.loads(path.read_text("utf-8"))


def complete(trace):
    return [event for event in trace["traceEvents"] if event["ph"] == "X"]


def test_the_file_is_an_object_with_events(trace):
    assert set(trace) == {"traceEvents", "displayTimeUnit", "otherData"}
    assert trace["displayTimeUnit"] in ("ms", "ns")
    assert trace["otherData"] == {"dropped_events": 0}
    assert {event["ph"] for event in trace["traceEvents"]} == {"X", "M"}


def test_complete_events_have_every_field_with_its_type(trace):
    for event in complete(trace):
        assert set(event) == {"ph", "name", "cat", "ts", "dur", "pid", "tid", "args"}
        assert isinstance(event["name"], str)
        assert event["cat"] in ("forward", "backward")
        assert event["ts"] >= 0
        assert event["dur"] >= 0
        assert event["pid"] == os.getpid()
        assert isinstance(event["tid"], int)
        assert event["args"]["bytes"] >= 0
        assert isinstance(event["args"]["provider"], str)


def test_metadata_names_the_process_and_each_thread(trace):
    named = [event for event in trace["traceEvents"] if event["ph"] == "M"]
    for event in named:
        assert set(event) == {"ph", "name", "pid", "tid", "args"}
        assert isinstance(event["args"]["name"], str)
    assert [event["name"] for event in named].count("process_name") == 1
    threads = {e["tid"]: e["args"]["name"] for e in named if e["name"] == "thread_name"}
    assert sorted(threads.values()) == ["MainThread", "another", "worker"]
    assert {event["tid"] for event in complete(trace)} == set(threads)


def test_events_of_a_thread_nest_or_do_not_overlap(trace):
    nested = 0
    for tid in {event["tid"] for event in complete(trace)}:
        events = [e for e in complete(trace) if e["tid"] == tid]
        # In nanoseconds; the file has microseconds with three decimals.
        spans = [(round(e["ts"] * 1000), round((e["ts"] + e["dur"]) * 1000)) for e in events]
        for a, (start, end) in enumerate(spans):
            for other_start, other_end in spans[a + 1 :]:
                apart = other_start >= end or other_end <= start
                within = (other_start <= start and end <= other_end) or (
                    start <= other_start and other_end <= end
                )
                assert apart or within
                nested += not apart
    assert nested  # the ops that the recorded rules ran


def test_names_shapes_and_errors(trace):
    events = complete(trace)
    (power,) = [e for e in events if e["name"] == "pow backward"]
    assert power["cat"] == "backward"
    assert power["args"]["shape"] == "(3, 2)"
    (failed,) = [e for e in events if "error" in e["args"]]
    assert (failed["name"], failed["args"]["error"]) == ("matmul", "ValueError")
    assert next(e for e in events if e["name"] == "sum")["args"]["shape"] == "()"


def test_the_trace_omits_events_beyond_the_limit_but_the_table_counts_them(tmp_path):
    with profile(max_events=3) as p:
        for _ in range(5):
            _ = Tensor([1.0]) + 1
    p.save(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text("utf-8"))
    assert len(complete(trace)) == 3
    assert trace["otherData"] == {"dropped_events": 2}
    assert p.rows()[0].forward.calls == 5
    assert p.table().endswith(
        "The trace omits the last 2 of them; increase max_events to keep more."
    )


def test_an_empty_profile_is_a_valid_trace(tmp_path):
    profile().save(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text("utf-8"))
    assert [event["name"] for event in trace["traceEvents"]] == ["process_name"]
