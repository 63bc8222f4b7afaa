"""Toggling plugins while other threads, tasks and processes compute."""

from __future__ import annotations

import asyncio
import copy
import inspect
import itertools
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from tinytorch_core import (
    Tensor,
    hookimpl,
    plugins,
)

from tinytorch_activations import relu, softmax
from tinytorch_autograd import AutogradError, LostGradientError, grad
from tinytorch_layers import Linear

from .toggling import Doubles

pytestmark = pytest.mark.usefixtures("unchanged_tensor")


@contextmanager
def toggling(change: Callable[[], None], times: int = 150) -> Iterator[threading.Event]:
    """Toggle in a second thread during the block, and switch threads as often as possible."""
    interval = sys.getswitchinterval()
    done = threading.Event()
    failed: list[BaseException] = []

    def toggle() -> None:
        try:
            for _ in range(times):
                change()
        except BaseException as error:
            failed.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=toggle)
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        yield done
    finally:
        thread.join()
        sys.setswitchinterval(interval)
    assert not failed


def toggle_autograd() -> None:
    with plugins.disable("autograd"):
        pass


def run_in_thread(function: Callable[[], Any]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def toggle_doubles() -> None:
    with plugins.disable("doubles"):
        pass


def test_another_thread_runs_the_old_or_the_new_op() -> None:
    x = Tensor([3.0])
    plugins.register(Doubles(), name="doubles")
    try:
        seen = set()
        with toggling(toggle_doubles) as done:
            while not done.is_set():
                seen.add((x * 2).item())
        assert seen <= {6.0, 12.0}
    finally:
        plugins.unregister("doubles")


def test_another_thread_sees_all_of_a_surface_or_nothing() -> None:
    class Several:
        @hookimpl
        def tinytorch_register_ops(self, ops: Any) -> None:
            for name in "pqrs":
                ops.add(f"op_{name}", lambda x: x, method=True)

        @hookimpl
        def tinytorch_extend_tensor(self, tensor: Any) -> None:
            tensor.add("attribute_t", None)

    names = {"op_p", "op_q", "op_r", "op_s", "attribute_t"}
    plugins.register(Several(), name="doubles")
    try:
        with toggling(toggle_doubles) as done:
            while not done.is_set():
                # Read the class once, as an operation does.
                (current,) = Tensor.__bases__
                assert names & set(vars(current)) in (names, set())
                assert ("op_p" in current._calls) == ("op_p" in vars(current))
    finally:
        plugins.unregister("doubles")


LINEAR = Linear(2, 2, generator=0)


@pytest.mark.parametrize(
    "compute",
    [
        lambda x, y: (x * y + 1).sum().item(),
        lambda x, y: np.exp(np.concatenate([x - x, y - y])).mean().item(),
        lambda x, y: (x.reshape(1, 2) @ y.T.reshape(2, 1)).item(),
        lambda x, y: x[0].item() + np.where(x > 0, x, y)[1].item(),
        lambda x, y: repr(Tensor(x).clip(0, 1)),
        lambda x, y: LINEAR(x).tolist() + softmax(relu(x * y)).tolist(),
    ],
    ids=["arithmetic", "numpy", "shapes", "indexing", "repr", "layers and activations"],
)
def test_results_are_right_while_another_thread_toggles_autograd(
    compute: Callable[[Any, Any], Any],
) -> None:
    x, y = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    expected = compute(x, y)
    with toggling(toggle_autograd) as done:
        while not done.is_set():
            assert compute(x, y) == expected


@pytest.mark.parametrize("toggled", ["activations", "layers"])
def test_an_op_runs_or_explains_while_another_thread_toggles_its_plugin(toggled: str) -> None:
    def toggle() -> None:
        with plugins.disable(toggled):
            pass

    def compute() -> list[Any]:
        return [LINEAR(x).tolist(), softmax(relu(x)).tolist()]

    x = Tensor([1.0, -2.0])
    expected = compute()
    with toggling(toggle) as done:
        while not done.is_set():
            try:
                assert compute() == expected
            except AttributeError as error:
                if "no active plugin provides the op" not in str(error):
                    raise


# Gradients, copies and messages while another thread or task toggles autograd.


def test_a_gradient_is_right_or_an_error_while_another_thread_toggles_autograd() -> None:
    def toggle() -> None:
        toggle_autograd()
        time.sleep(1e-5)

    with toggling(toggle, times=1000) as done:
        for length in itertools.cycle([10, 30, 100]):
            if done.is_set():
                break
            try:
                x = Tensor([1.0], requires_grad=True)
                y = x * 2
                for _ in range(length):
                    y = y * 0.01 + y
                y.backward()
                gradient = x.grad
            except (AutogradError, AttributeError, TypeError):
                continue  # autograd was off for a moment
            np.testing.assert_allclose(gradient, 2 * 1.01**length, rtol=1e-4)


def test_an_op_that_another_thread_left_unrecorded_is_an_error() -> None:
    off, done = threading.Event(), threading.Event()

    def disable() -> None:
        with plugins.disable("autograd"):
            off.set()
            done.wait()

    x = Tensor([1.0], requires_grad=True)
    y = x * 2
    thread = threading.Thread(target=disable)
    thread.start()
    off.wait()
    z = y * 3  # not recorded
    done.set()
    thread.join()
    w = y + z
    for _ in range(2):
        with pytest.raises(LostGradientError, match=r"another thread has disabled autograd"):
            w.backward()
        with pytest.raises(LostGradientError, match=r"no_grad\(\)"):
            grad(w, x)
    assert x.grad is None


def test_an_op_that_another_task_left_unrecorded_is_an_error() -> None:
    async def disable() -> None:
        with plugins.disable("autograd"):
            await asyncio.sleep(0)

    async def compute() -> None:
        x = Tensor([1.0], requires_grad=True)
        y = x * 2
        other = asyncio.create_task(disable())
        await asyncio.sleep(0)
        z = y * 3  # not recorded
        await other
        with pytest.raises(LostGradientError, match="another thread has disabled autograd"):
            (y + z).backward()

    asyncio.run(compute())


def test_toggling_before_after_or_by_the_same_thread_is_not_an_error() -> None:
    run_in_thread(toggle_autograd)
    x = Tensor([1.0], requires_grad=True)
    y = x * 2
    with plugins.disable("autograd"):
        measured = (y * 3).item()
    z = y * measured
    run_in_thread(toggle_autograd)
    z.backward()
    assert x.grad.tolist() == [12.0]


def test_attributes_that_were_looked_up_before_autograd_was_disabled_still_work() -> None:
    names = ["requires_grad", "grad", "grad_fn", "is_leaf"]
    getters = [inspect.getattr_static(Tensor, name).fget for name in names]
    track = Tensor.requires_grad_
    with plugins.disable("autograd"):
        x = Tensor([1.0])
        assert [get(x) for get in getters] == [False, None, None, True]
        track(x)
        assert [get(x) for get in getters[:1]] == [True]
        assert "requires_grad" not in vars(x)
    assert x.requires_grad


def test_a_copy_is_made_on_one_surface() -> None:
    x = Tensor([1.0], requires_grad=True)
    rebuild, arguments = x.__reduce__()
    getter = plugins.surface().keywords["requires_grad"].get
    with plugins.disable("autograd"):
        assert getter(Tensor([1.0])) is False
        shallow, deep = rebuild(*arguments), rebuild(*copy.deepcopy(arguments))
    assert shallow.requires_grad
    assert deep.requires_grad
    assert deep.data is not x.data


@pytest.mark.filterwarnings("ignore:a .* was pickled:tinytorch_core.PluginWarning")
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_and_pickles_never_fail_while_another_thread_toggles_autograd(copied: Any) -> None:
    tensors = [Tensor([1.0], requires_grad=True), Tensor([2.0]), LINEAR]
    with toggling(toggle_autograd) as done:
        while not done.is_set():
            first, second, layer = copied(tensors)
            assert (first.item(), second.item()) == (1.0, 2.0)
            assert layer.weight.data.tolist() == LINEAR.weight.data.tolist()


def test_messages_about_an_earlier_surface_name_the_reason() -> None:
    with plugins.only():
        earlier = plugins.surface()
        off = earlier.why_missing("keywords", "requires_grad")
    assert "'autograd' provides it, which is off" in off
    for kind, name in (("keywords", "requires_grad"), ("attributes", "backward")):
        message = earlier.why_missing(kind, name)
        assert message == (
            "The plugin 'autograd' provides it, which another thread has just enabled. "
            "Toggle plugins only while no other thread computes."
        )


def test_messages_are_consistent_while_another_thread_toggles_autograd() -> None:
    seen = set()
    with toggling(toggle_autograd, times=300) as done:
        while not done.is_set():
            try:
                Tensor([1.0], requires_grad=True)
            except TypeError as error:
                seen.add(str(error).partition(". ")[2].partition(",")[0])
    assert seen <= {"The plugin 'autograd' provides it"}


FORKS = """
import os, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks in a program with threads
import numpy as np
from tinytorch_core import Tensor, plugins

done = threading.Event()

def toggle():
    while not done.is_set():
        with plugins.disable("autograd"):
            pass
        with plugins.only("autograd"):
            np.linalg.inv(Tensor([[2.0]], requires_grad=True))

def compute():
    x = Tensor([1.0, 2.0])
    while not done.is_set():
        x[0] = 2.0
        np.cumsum(x)

threads = [threading.Thread(target=target, daemon=True) for target in (toggle, compute)]
for thread in threads:
    thread.start()
stop = time.monotonic() + 1.0
forks = 0
while not forks or time.monotonic() < stop:
    child = os.fork()
    if not child:
        code = 1
        try:
            with plugins.only("autograd"):
                x = Tensor([[2.0]], requires_grad=True)
                np.linalg.inv(x).sum().backward()
                code = x.grad.tolist() != [[-0.25]]
                x.data[0] = 1
                x = Tensor([1.0, 2.0])
                x[0] = 3.0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
    forks += 1
done.set()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_child_that_is_forked_during_a_toggle_can_toggle() -> None:
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
