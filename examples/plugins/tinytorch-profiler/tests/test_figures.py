"""The figures: calls, times that add up, bytes; forward and backward, in threads, with errors."""

import itertools
import threading
import time

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_autograd import grad
from tinytorch_profiler import Figures, profile


def by_op(p):
    return {row.op: row for row in p.rows()}


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    """A clock that advances by 1 µs at each reading, and by `sleep`; so times are exact."""
    readings, slept = itertools.count(0, 1000), []
    monkeypatch.setattr(time, "sleep", lambda seconds: slept.append(round(seconds * 1e9)))
    monkeypatch.setattr(time, "perf_counter_ns", lambda: next(readings) + sum(slept))


class Slow:
    """Ops that take a known time: `outer_op` runs `inner_op` inside."""

    @hookimpl
    def tinytorch_register_ops(self, ops):
        ops.add("inner_op", self.inner, method=True)
        ops.add("outer_op", lambda x: x, method=True)

    @hookimpl
    def tinytorch_wrap_op(self, op, call):
        if op.name != "outer_op":
            return None

        def outer(x):
            time.sleep(0.02)
            x.inner_op()
            x.inner_op()
            return call(x)

        return outer

    @staticmethod
    def inner(x):
        time.sleep(0.01)
        return x


@pytest.fixture
def slow():
    plugins.register(Slow(), name="slow")
    yield
    plugins.unregister("slow")


def test_calls_and_bytes_forward_and_backward():
    x = Tensor(np.ones((4, 3)))
    w = Tensor(np.ones((3, 2)), requires_grad=True)
    with profile() as p:
        for _ in range(5):
            (x @ w).sum().backward()
    rows = by_op(p)
    assert set(rows) == {"matmul", "sum"}
    matmul, total = rows["matmul"], rows["sum"]
    assert (matmul.forward.calls, matmul.backward.calls) == (5, 5)
    assert matmul.forward.bytes == 5 * 4 * 2 * 8
    assert matmul.backward.bytes == 5 * 3 * 2 * 8  # of w only: x needs no gradient
    assert (total.forward.bytes, total.backward.bytes) == (5 * 8, 5 * 4 * 2 * 8)
    assert matmul.provider == "tinytorch-core"
    np.testing.assert_array_equal(w.grad, np.full((3, 2), 20.0))


def test_self_time_leaves_out_the_ops_inside(slow):
    with profile() as p:
        Tensor([1.0]).outer_op()
    rows = by_op(p)
    outer, inner = rows["outer_op"].forward, rows["inner_op"].forward
    assert (outer.calls, inner.calls) == (1, 2)
    assert inner.total == inner.itself == pytest.approx(2 * 0.01, rel=1e-3)
    assert outer.total == pytest.approx(0.04, rel=1e-3)
    assert outer.itself == pytest.approx(outer.total - inner.total)
    # Self times add up to the time of what ran on its own, and that lies in the profile's.
    assert outer.itself + inner.itself == pytest.approx(outer.total)
    assert outer.total <= p.seconds


def test_a_recorded_walk_has_the_ops_of_its_rules_inside():
    x = Tensor([2.0], requires_grad=True)
    with profile() as p:
        slope = grad(x**3, x, create_graph=True)
        grad(slope, x)
    rows = by_op(p)
    power = rows["pow"].backward
    assert power.itself < power.total
    assert rows["mul"].forward.calls >= 1
    everything = [f for row in p.rows() for f in (row.forward, row.backward)]
    assert sum(f.itself for f in everything) <= p.seconds


def test_both_ways_of_calling_an_op_are_timed():
    x = Tensor([1.0, 4.0])
    with profile() as p:
        _ = 2 * x, x * 2, np.sqrt(x), x.sqrt(), np.multiply(x, 2)
    rows = by_op(p)
    assert rows["mul"].forward.calls == 3
    assert rows["sqrt"].forward.calls == 2


def test_an_operator_that_leaves_the_call_to_the_other_side_is_not_counted():
    class Other:
        def __rmul__(self, other):
            return "other"

    with profile() as p:
        assert Tensor([1.0]) * Other() == "other"
    assert p.rows() == []


def test_an_op_that_raises_is_counted_and_the_error_goes_on():
    with profile() as p:
        with pytest.raises(ValueError, match="matmul of shapes"):
            Tensor([1.0, 2.0]) @ Tensor([1.0])
        _ = Tensor([1.0]) + 1
    assert by_op(p)["matmul"].forward[::3] == (1, 0)
    assert by_op(p)["add"].forward.calls == 1


def test_an_error_in_the_block_ends_the_profile():
    before = Tensor.__bases__
    p = profile()

    def work():
        with p:
            _ = Tensor([1.0]) + 1
            raise LookupError("of the user")

    with pytest.raises(LookupError, match="of the user"):
        work()
    assert Tensor.__bases__ == before
    assert by_op(p)["add"].forward.calls == 1
    with profile():
        pass


def test_threads_are_added_up():
    def work():
        for _ in range(50):
            _ = Tensor([1.0]) * 2

    with profile() as p:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert by_op(p)["mul"].forward.calls == 200
    assert "200 calls in 4 threads" in p.table()


def test_graphs_of_before_and_after():
    x = Tensor([3.0], requires_grad=True)
    before = x * 2
    with profile() as p:
        before.backward()
        inside = x * 3
    inside.backward()
    np.testing.assert_array_equal(x.grad, [5])
    assert by_op(p)["mul"].backward == Figures()
    assert by_op(p)["mul"].forward.calls == 1


def test_a_profile_goes_on_when_it_is_entered_again():
    p = profile()
    for _ in range(2):
        with p:
            _ = Tensor([1.0]) + 1
        _ = Tensor([1.0]) + 1
    assert by_op(p)["add"].forward.calls == 2
    assert repr(p).startswith("<profile of 2 calls in ")


def test_it_can_be_read_while_it_runs():
    with profile() as p:
        _ = Tensor([1.0]) + 1
        assert by_op(p)["add"].forward.calls == 1
        first = p.seconds
        assert p.seconds > first
    ended = p.seconds
    time.sleep(0.001)
    assert p.seconds == ended


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("calls", ["add", "inner_op", "mul"]),
        ("self", ["inner_op"]),
        ("total", ["inner_op"]),
        ("bytes", ["mul", "inner_op", "add"]),
        ("op", ["add", "inner_op", "mul"]),
    ],
)
def test_the_order_of_rows(slow, by, expected):
    with profile() as p:
        for _ in range(3):
            _ = Tensor([1.0]) + 1
        for _ in range(2):
            Tensor(np.ones(4)).inner_op()
        _ = Tensor(np.ones(100)) * 2
    assert [row.op for row in p.rows(by)][: len(expected)] == expected


def test_a_wrong_order_is_refused():
    with pytest.raises(ValueError, match=r"self, total, calls, bytes or op, not by 'time'"):
        profile().rows("time")


def test_the_table():
    x = Tensor(np.ones((100, 100)), requires_grad=True)
    with profile() as p:
        np.exp(x).sum().backward()
        _ = x + 1
    lines = p.table(by="op", limit=2).splitlines()
    assert lines[0].split() == ["forward", "backward"]
    assert lines[1].split() == ["op", *2 * ["calls", "total", "self", "size"]]
    assert lines[2].split()[:2] == ["add", "1"]
    assert lines[2].split()[-3:] == ["80.0", "kB", "-"]
    assert lines[4] == "and 1 more"
    assert lines[5].startswith("5 calls took ")
    assert len({len(line) for line in lines[1:2] + lines[3:4]}) == 1
    assert profile().table().splitlines()[-1].startswith("0 calls took 0.0 µs")
