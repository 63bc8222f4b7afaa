"""Hooks run when plugins change. While a network is trained none does."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np
import pluggy
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_devkit import cases_of


class CountsEveryHook:
    """Implements each hook of the core, and autograd's, only to count."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    @hookimpl
    def tinytorch_add_hookspecs(self, manager: Any) -> None:
        self.calls["tinytorch_add_hookspecs"] += 1

    @hookimpl
    def tinytorch_configure(self, config: Any) -> None:
        self.calls["tinytorch_configure"] += 1

    @hookimpl
    def tinytorch_register_ops(self, ops: Any) -> None:
        self.calls["tinytorch_register_ops"] += 1

    @hookimpl
    def tinytorch_extend_tensor(self, tensor: Any) -> None:
        self.calls["tinytorch_extend_tensor"] += 1

    @hookimpl
    def tinytorch_wrap_op(self, op: Any, call: Any) -> None:
        self.calls["tinytorch_wrap_op"] += 1

    @hookimpl
    def tinytorch_explain_op(self, op: Any) -> None:
        self.calls["tinytorch_explain_op"] += 1

    @hookimpl(optionalhook=True)
    def tinytorch_register_backward(self, rules: Any) -> None:
        self.calls["tinytorch_register_backward"] += 1

    @hookimpl
    def tinytorch_describe_ops(self, samples: Any) -> None:
        self.calls["tinytorch_describe_ops"] += 1

    @hookimpl
    def tinytorch_register_checks(self, checks: Any) -> None:
        self.calls["tinytorch_register_checks"] += 1

    @hookimpl(optionalhook=True)
    def tinytorch_wrap_backward(self, op: Any, call: Any) -> None:
        self.calls["tinytorch_wrap_backward"] += 1


@pytest.fixture
def counter() -> Iterator[CountsEveryHook]:
    plugin = CountsEveryHook()
    plugins.register(plugin, name="counter")
    yield plugin
    plugins.unregister("counter")


def training_steps(steps: int = 3) -> None:
    """A two-layer network, by hand: forward, backward, update, and what a user looks at."""
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(8, 4)), generator.normal(size=(8, 1))
    weights = [Tensor(generator.normal(size=s), requires_grad=True) for s in ((4, 5), (5,), (5, 1))]
    losses = []
    for _ in range(steps):
        w1, b1, w2 = weights
        error = np.exp(-((x @ w1 + b1).clip(0, None))) @ w2 - y
        loss = (error * error).mean()
        loss.backward()
        for w in weights:
            w.data = w.data - 0.01 * w.grad
            w.zero_grad()
        losses.append(loss.item())
        repr(loss)
    assert losses[-1] < losses[0]


def ops_with_a_rule() -> int:
    """The recorded ops: they are the ones whose text makes a node."""
    return sum("_new(_Node)" in inspect.getsource(call) for call in Tensor._calls.values())


def test_each_hook_is_called_at_activation(counter: CountsEveryHook) -> None:
    # Once for each class that stands on a surface of its own: Tensor, and what is attached.
    surfaces = counter.calls["tinytorch_extend_tensor"]
    assert surfaces >= 1
    assert dict(counter.calls) == {
        "tinytorch_add_hookspecs": 1,
        "tinytorch_configure": 1,
        "tinytorch_register_ops": surfaces,
        "tinytorch_extend_tensor": surfaces,
        "tinytorch_register_backward": surfaces,
        "tinytorch_wrap_op": surfaces * len(Tensor._calls),
        "tinytorch_wrap_backward": surfaces * ops_with_a_rule(),
    }


def test_the_hooks_of_the_conformance_kit_are_called_by_nobody_else(
    counter: CountsEveryHook,
) -> None:
    assert not {"tinytorch_describe_ops", "tinytorch_register_checks"} & set(counter.calls)
    assert cases_of("counter", checks=["works_alone"])
    assert counter.calls["tinytorch_describe_ops"] == 1
    assert counter.calls["tinytorch_register_checks"] == 1


def test_no_hook_is_called_during_training(counter: CountsEveryHook) -> None:
    before = dict(counter.calls)
    training_steps()
    assert dict(counter.calls) == before


def called_during(work: Callable[[], None]) -> set[str]:
    """The files whose functions are called meanwhile."""
    files = set()

    def look(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            files.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        work()
    finally:
        sys.setprofile(before)
    return files


def test_neither_pluggy_nor_the_machinery_of_plugins_runs_during_training() -> None:
    files = called_during(training_steps)
    assert any(file.endswith("tensor.py") for file in files)
    pluggy_folder = str(pluggy.__file__).rpartition("/")[0]
    assert not [file for file in files if file.startswith(pluggy_folder)]
    machinery = ("plugins.py", "plan.py", "registry.py", "plugin.py", "hookspecs.py")
    machinery += ("discovery.py", "config.py")
    ours = [file for file in files if "tinytorch" in file]
    assert not [file for file in ours if file.rpartition("/")[2] in machinery]


def test_the_look_would_have_seen_it(counter: CountsEveryHook) -> None:
    def toggle() -> None:
        with plugins.disable("counter"):
            pass

    assert any(file.endswith("registry.py") for file in called_during(toggle))


def test_a_surface_that_was_computed_before_is_not_computed_again(counter: CountsEveryHook) -> None:
    with plugins.disable("autograd"):
        pass
    before = dict(counter.calls)
    with plugins.disable("autograd"):
        pass
    assert dict(counter.calls) == before
