"""Hooks run when plugins change, and not while a network is trained."""

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
    """A plugin that counts the calls of each hook of the core, autograd and the devkit."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    @hookimpl
    def tinytorch_add_hookspecs(self, manager: Any) -> None:
        self.calls["tinytorch_add_hookspecs"] += 1

    @hookimpl
    def tinytorch_configure(self, config: Any) -> None:
        self.calls["tinytorch_configure"] += 1

    @hookimpl
    def tinytorch_activate(self) -> None:
        self.calls["tinytorch_activate"] += 1

    @hookimpl
    def tinytorch_deactivate(self) -> None:
        self.calls["tinytorch_deactivate"] += 1

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
    """Train a network of two layers by hand, and print the loss."""
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
    """Return the number of recorded ops, which are those whose text creates a node."""
    return sum("_new(_Node)" in inspect.getsource(call) for call in Tensor._calls.values())


def test_each_hook_is_called_when_the_plugin_is_activated(counter: CountsEveryHook) -> None:
    assert dict(counter.calls) == {
        "tinytorch_add_hookspecs": 1,
        "tinytorch_configure": 1,
        "tinytorch_activate": 1,
        "tinytorch_register_ops": 1,
        "tinytorch_extend_tensor": 1,
        "tinytorch_register_backward": 1,
        "tinytorch_wrap_op": len(Tensor._calls),
        "tinytorch_wrap_backward": ops_with_a_rule(),
    }


def test_only_the_devkit_calls_its_hooks(
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


def calls_during(work: Callable[[], Any]) -> list[str]:
    """Return the file of each Python function that `work` calls, in order."""
    files = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            files.append(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return files


def test_training_runs_neither_pluggy_nor_the_plugin_system() -> None:
    files = set(calls_during(training_steps))
    assert any(file.endswith("tensor.py") for file in files)
    pluggy_folder = str(pluggy.__file__).rpartition("/")[0]
    assert not [file for file in files if file.startswith(pluggy_folder)]
    plugin_system = ("plugins.py", "plan.py", "registry.py", "plugin.py", "hookspecs.py")
    plugin_system += ("discovery.py", "config.py")
    ours = [file for file in files if "tinytorch" in file]
    assert not [file for file in ours if file.rpartition("/")[2] in plugin_system]


def test_toggling_runs_the_plugin_system(counter: CountsEveryHook) -> None:
    # This shows that the test above would notice the plugin system.
    def toggle() -> None:
        with plugins.disable("counter"):
            pass

    assert any(file.endswith("registry.py") for file in calls_during(toggle))


@pytest.mark.parametrize("change", [plugins.disable, plugins.enable])
def test_switching_between_two_cached_surfaces_takes_few_calls(change: Any) -> None:
    for _ in range(2):
        plugins.disable("autograd")
        plugins.enable("autograd")
    if change is plugins.enable:
        plugins.disable("autograd")
    assert len(calls_during(lambda: change("autograd"))) - 1 <= 57


def test_a_surface_is_computed_once(counter: CountsEveryHook) -> None:
    with plugins.disable("autograd"):
        pass
    before = dict(counter.calls)
    with plugins.disable("autograd"):
        pass
    assert dict(counter.calls) == before
