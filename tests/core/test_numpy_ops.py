"""A NumPy function that no plugin offers becomes an op when it is first called with a Tensor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import PluginError, Tensor, extend, hookimpl, plugins

SQUARE = np.array([[2.0, 1.0], [0.5, 3.0]])


@pytest.fixture(autouse=True)
def _plain_tensor() -> Iterator[None]:
    with plugins.only():
        yield


class Counter:
    """A plugin that counts how often each op is wrapped, and how often it runs."""

    def __init__(self) -> None:
        self.wrapped: list[str] = []
        self.run: list[str] = []

    @hookimpl
    def tinytorch_wrap_op(self, op: Any, call: Any) -> Callable[..., Any]:
        self.wrapped.append(op.name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.run.append(op.name)
            return call(*args, **kwargs)

        return counted


@contextmanager
def registered(**by_name: Any) -> Iterator[None]:
    """Register plugins for a block."""
    names = []
    try:
        for name, plugin in by_name.items():
            plugins.register(plugin, name=name)
            names.append(name)
        yield
    finally:
        for name in names:
            plugins.unregister(name)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x: np.linalg.inv(x), "linalg.inv"),
        (lambda x: np.cumsum(x, axis=1), "cumsum"),
        (lambda x: np.add.reduce(x), "add.reduce"),
        (lambda x: np.fft.fft(x), "fft.fft"),
        (lambda x: np.log1p(x), "log1p"),
        (lambda x: x.cumsum(), "cumsum"),
    ],
)
def test_the_op_has_the_name_of_the_function(call: Any, name: str) -> None:
    counter = Counter()
    with registered(counter=counter):
        before, counter.wrapped[:] = set(plugins.surface().ops), []
        assert name not in before
        for _ in range(2):
            assert isinstance(call(Tensor(SQUARE)), Tensor)
        assert set(plugins.surface().ops) - before == {name}
        assert counter.wrapped == [name]
        assert counter.run == [name, name]


def test_all_plugins_wrap_the_op_in_their_order() -> None:
    log: list[str] = []

    def logging(word: str) -> SimpleNamespace:
        @hookimpl
        def tinytorch_wrap_op(op: Any, call: Any) -> Any:
            return lambda *args, **kwargs: log.append(word) or call(*args, **kwargs)

        return SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op)

    with registered(a=logging("a"), b=logging("b")):
        np.linalg.inv(Tensor(SQUARE))
        assert log == ["b", "a"]
        assert plugins.surface().wrappers["linalg.inv"] == ["a", "b"]


def test_a_plugin_that_fails_to_wrap_an_op_leaves_no_op_behind() -> None:
    counter = Counter()

    class FailsOnce:
        """Fails to wrap one op the first time."""

        failed = False

        @hookimpl
        def tinytorch_wrap_op(self, op: Any, call: Any) -> None:
            if op.name == "linalg.inv" and not self.failed:
                self.failed = True
                raise RuntimeError("not ready")

    with registered(counter=counter, fails=FailsOnce()):
        surface = plugins.surface()
        before = {*surface.ops}, {*surface.op_calls}, {*surface.wrappers}
        message = r"plugin 'fails' .*in tinytorch_wrap_op: RuntimeError: not ready"
        with pytest.raises(PluginError, match=message):
            np.linalg.inv(Tensor(SQUARE))
        assert ({*surface.ops}, {*surface.op_calls}, {*surface.wrappers}) == before
        np.testing.assert_allclose(np.linalg.inv(Tensor(SQUARE)).data, np.linalg.inv(SQUARE))
        assert surface.wrappers["linalg.inv"] == ["counter"]
        assert counter.run == ["linalg.inv"]


def doubled(x: Any) -> Any:
    """Return twice the input."""
    return 2 * x


def test_a_function_of_a_user_becomes_an_op_too() -> None:
    counter = Counter()
    with registered(counter=counter):
        assert repr(extend.run_function(doubled, Tensor([1.0]))) == "Tensor([2.])"
        op = plugins.surface().numpy_op(doubled)
        assert (op.name, op.provider) == ("doubled", "another library")
        assert op.doc == "Return twice the input."
        assert counter.run == [op.name]


def test_a_ufunc_of_another_library_becomes_an_op_too() -> None:
    special = pytest.importorskip("scipy.special")
    counter = Counter()
    with registered(counter=counter):
        assert special.erf(Tensor([0.5])).data == special.erf(np.float32(0.5))
        op = plugins.surface().numpy_op(special.erf)
        assert (op.name, op.provider) == ("ufunc erf", "another library")
        assert counter.run == [op.name]


def test_functions_of_the_same_name_become_ops_of_different_names() -> None:
    first, second = (lambda x: x + 1), (lambda x: x + 2)
    with registered(counter=Counter()):  # a surface without the ops of other tests
        assert extend.run_function(first, Tensor([0.0])).item() == 1
        assert extend.run_function(second, Tensor([0.0])).item() == 2
        names = [plugins.surface().numpy_op(function).name for function in (first, second)]
    assert names == ["<lambda>", f"{__name__}.<lambda>"]


def test_the_ops_of_other_functions_do_not_accumulate() -> None:
    for i in range(1000):
        assert extend.run_function(lambda x, i=i: x + i, Tensor([0.0])).item() == i
    assert len(plugins.surface().ops) < 500


def test_a_plugins_op_of_the_same_name_is_another_op() -> None:
    @hookimpl
    def tinytorch_register_ops(ops: Any) -> None:
        ops.add("cumsum", lambda x: x * 0)

    with registered(mine=SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops)):
        assert repr(np.cumsum(Tensor([1.0, 2.0]))) == "Tensor([1., 3.])"
        assert repr(extend.active_op(Tensor, "cumsum")(Tensor([1.0, 2.0]))) == "Tensor([0., 0.])"
        assert plugins.surface().numpy_op(np.cumsum).name == "np.cumsum"


def test_threads_that_call_a_new_function_at_once_wrap_it_once() -> None:
    counter = Counter()
    threads = 8
    barrier = threading.Barrier(threads)
    results = []

    def call() -> None:
        barrier.wait()
        results.append(np.linalg.det(Tensor(SQUARE)).item())

    with registered(counter=counter):
        workers = [threading.Thread(target=call) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert results == [np.linalg.det(SQUARE)] * threads
        assert counter.wrapped.count("linalg.det") == 1
        assert counter.run == ["linalg.det"] * threads


def test_an_op_takes_tensors_in_nested_arguments_and_returns_them_in_nested_results() -> None:
    blocks = np.block([[Tensor([1.0]), Tensor([2.0])], [np.array([3.0]), Tensor([4.0])]])
    assert blocks.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    halves = np.split(Tensor([1.0, 2.0]), 2)
    assert repr(halves) == "[Tensor([1.]), Tensor([2.])]"
