"""Switching plugins off leaves nothing behind, in whatever order, failures and threads included."""

from __future__ import annotations

import gc
import inspect
import linecache
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch_core import PluginError, PluginWarning, Tensor, hookimpl, plugins, registry

from tinytorch_activations import relu, softmax
from tinytorch_layers import Linear

INSTALLED = [p.name for p in plugins.status() if p.distribution != "registered from code"]


def surface(cls: type = Tensor) -> dict[str, Any]:
    """All that Tensor has, as it lies in the classes."""
    return {name: inspect.getattr_static(cls, name) for name in dir(cls)}


class FailsInItsThirdHook:
    """Configured, has registered an op, and raises when it extends Tensor."""

    @hookimpl
    def tinytorch_configure(self, config: Any) -> None:
        pass

    @hookimpl
    def tinytorch_register_ops(self, ops: Any) -> None:
        ops.add("leftover", lambda x: x, method=True, numpy=np.sinc)

    @hookimpl
    def tinytorch_extend_tensor(self, tensor: Any) -> None:
        tensor.add("other_leftover", 1)
        tensor.add_keyword("leftover", lambda t, v: None, lambda t: None, None)
        raise RuntimeError("half-way")


class Doubles:
    """A plugin that works, and changes what multiplication does."""

    @hookimpl
    def tinytorch_extend_tensor(self, tensor: Any) -> None:
        tensor.add("doubles", True)

    @hookimpl
    def tinytorch_wrap_op(self, op: Any, call: Callable[..., Any]) -> Callable[..., Any] | None:
        if op.name != "mul":
            return None
        return lambda x, y: call(call(x, y), 2)


def fail() -> None:
    with pytest.raises(PluginError, match="half-way"):
        plugins.register(FailsInItsThirdHook(), name="failing")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Every test here leaves Tensor as it found it."""
    identity, before, active = id(Tensor), surface(), plugins.active()
    yield
    assert id(Tensor) == identity
    assert plugins.active() == active
    assert surface() == before


def test_the_installed_plugins_are_those_we_mean() -> None:
    assert "autograd" in INSTALLED


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("others", ["with the others off", "with the others on"])
def test_enabling_and_disabling_leaves_nothing_behind(name: str, others: str) -> None:
    rest = [n for n in INSTALLED if n != name] if others == "with the others on" else []
    with plugins.only(*rest):
        before = surface()
        plugins.enable(name)
        between = surface()
        assert between != before
        plugins.disable(name)
        assert surface() == before
        plugins.enable(name)
        assert surface() == between


@settings(max_examples=20)
@given(st.permutations(INSTALLED))
def test_every_order_of_toggling_comes_to_the_same(order: list[str]) -> None:
    with plugins.only():
        plain = surface()
        seen = {frozenset[str](): plain}
        for name in order:
            plugins.enable(name)
            fail()
            seen[frozenset(plugins.active())] = surface()
        assert seen[frozenset(INSTALLED)] != plain
        for name in (*order[1:], order[0]):
            plugins.disable(name)
            fail()
            active = frozenset(plugins.active())
            assert surface() == seen.setdefault(active, surface())
        assert surface() == plain
        for subset, expected in seen.items():
            with plugins.only(*subset):
                assert surface() == expected


def test_a_failed_activation_changes_nothing() -> None:
    before = surface()
    fail()
    assert surface() == before
    assert not [name for name in dir(Tensor) if "leftover" in name]
    assert np.sinc(Tensor([0.0])).item() == 1


def test_tensors_survive_the_change() -> None:
    x = Tensor([1.0, 2.0])
    x.note = "mine"
    with plugins.only():
        y = x * 2
        z = Tensor([5.0])
    with plugins.only("autograd"):
        for old in (x, y, z):
            assert old.requires_grad is False
            assert old.grad is None
            assert old.is_leaf
        z.requires_grad = True
        ((x + y) * z).sum().backward()
        np.testing.assert_array_equal(z.grad, [9.0])
    with plugins.only():
        assert repr(z + 1) == "Tensor([6.])"
        assert not hasattr(z, "grad")
        copied = pickle.loads(pickle.dumps(z))
    assert x.note == "mine"
    assert repr(copied) == "Tensor([5.])"
    assert type(x) is Tensor


def test_subclasses_survive_the_change() -> None:
    class Mine(Tensor):
        pass

    x = Mine([1.0])
    with plugins.only():
        assert not hasattr(Mine, "backward")
        assert isinstance(x * 2, Tensor)
    with plugins.only("autograd"):
        assert hasattr(Mine, "backward")
        assert Mine([1.0], requires_grad=True).requires_grad


# By property.


def _extends(attribute: str, *needs: str) -> SimpleNamespace:
    @hookimpl
    def tinytorch_extend_tensor(tensor: Any) -> None:
        tensor.add(attribute, None)

    return SimpleNamespace(tinytorch_extend_tensor=tinytorch_extend_tensor, tinytorch_needs=needs)


MINE = {
    "doubles": Doubles(),
    "needs-it": _extends("needs_doubles", "doubles"),
    "first": _extends("claimed_by_two"),
    "second": _extends("claimed_by_two"),
}
NAMES = st.sampled_from([*INSTALLED, *MINE])
SWITCHES = ["enable", "disable", "only", "disabled"]
ACTION = st.deferred(
    lambda: st.one_of(
        st.tuples(st.sampled_from([*SWITCHES, "attach"]), NAMES),
        st.tuples(st.just("disabled")),
        st.tuples(st.just("register"), st.sampled_from([*MINE, "failing"])),
        st.tuples(st.just("unregister"), st.sampled_from(list(MINE))),
        st.tuples(st.sampled_from(SWITCHES), NAMES, st.lists(ACTION, max_size=4)),
    )
)
SEEN: dict[Any, dict[str, Any]] = {}


class Toggled:
    """Tensor and a subclass, whose plugins come and go; checked after every step."""

    def __init__(self) -> None:
        self.subclass = type("Mine", (Tensor,), {})
        self.attached: set[str] = set()
        self.forgotten: list[str] = []

    def now(self) -> tuple[Any, ...]:
        attached = registry.attached.get(self.subclass)
        return plugins.active(), registry.overrides, attached, surface(), surface(self.subclass)

    def take(self, actions: list[Any]) -> None:
        for action in actions:
            before = self.now()
            try:
                self.step(*action)
            except (PluginError, ValueError, LookupError):
                assert self.now() == before
            self.check()

    def step(self, action: str, name: str = "", inside: list[Any] | None = None) -> None:
        if inside is not None:
            self.block(lambda: getattr(plugins, action)(name), inside)
        elif action == "register":
            plugins.register(FailsInItsThirdHook() if name == "failing" else MINE[name], name=name)
        elif action == "attach":
            plugins.attach(self.subclass, name)
            self.attached.add(name)
        else:
            getattr(plugins, action)(*filter(None, [name]))
            if action == "unregister":
                self.attached.discard(name)
                self.forgotten.append(name)

    def block(self, change: Callable[[], Any], inside: list[Any]) -> None:
        before, begin = {*plugins.active()}, len(self.forgotten)
        entered = change().__enter__()
        self.check()
        self.take(inside)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", PluginWarning)
            entered.__exit__(None, None, None)
        # What needs a plugin that was forgotten in the block, say, cannot be on again.
        left_out = {str(warning.message).split("'")[1] for warning in told}
        assert {*plugins.active()} == before - {*self.forgotten[begin:]} - left_out
        if left_out:
            self.start_anew()

    def start_anew(self) -> None:
        registry.attached.pop(self.subclass, None)
        self.subclass, self.attached = type("Mine", (Tensor,), {}), set()

    def check(self) -> None:
        active = plugins.active()
        for cls, on in ((Tensor, {*active}), (self.subclass, {*active, *self.attached})):
            # What was forgotten and comes back is computed anew: other objects, same names.
            names = {k: type(v) for k, v in surface(cls).items()}
            assert names == SEEN.setdefault((cls is Tensor, active, frozenset(on)), names)
            assert (cls([3.0]) * 2).item() == (12 if "doubles" in on else 6)


@contextmanager
def everything_forgotten() -> Iterator[Toggled]:
    with plugins.only():
        plain, toggled = surface(), Toggled()
        try:
            yield toggled
        finally:
            toggled.start_anew()
            plugins.only()
            assert surface() == plain
            for status in reversed(plugins.status()):
                if status.name in MINE:
                    plugins.unregister(status.name)


@settings(max_examples=60)
@given(st.lists(ACTION, max_size=8))
def test_the_surface_depends_on_nothing_but_the_active_plugins(actions: list[Any]) -> None:
    with everything_forgotten() as toggled:
        toggled.take(actions)


# Threads.


@contextmanager
def toggling(change: Callable[[], None], times: int = 150) -> Iterator[threading.Event]:
    """A second thread that toggles while the body computes; switching as often as Python can."""
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


def halves() -> None:
    with plugins.disable("doubles"):
        pass


def test_an_op_is_the_old_one_or_the_new_one_in_another_thread() -> None:
    x = Tensor([3.0])
    plugins.register(Doubles(), name="doubles")
    try:
        seen = set()
        with toggling(halves) as done:
            while not done.is_set():
                seen.add((x * 2).item())
        assert seen <= {6.0, 12.0}
    finally:
        plugins.unregister("doubles")


def test_all_of_a_surface_comes_and_goes_at_once() -> None:
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
        with toggling(halves) as done:
            while not done.is_set():
                # One look at the class, as one operation is one look at the class.
                (now,) = Tensor.__bases__
                assert names & set(vars(now)) in (names, set())
                assert ("op_p" in now._calls) == ("op_p" in vars(now))
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
def test_computing_while_autograd_comes_and_goes(compute: Callable[[Any, Any], Any]) -> None:
    def toggle() -> None:
        with plugins.disable("autograd"):
            pass

    x, y = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    expected = compute(x, y)
    with toggling(toggle) as done:
        while not done.is_set():
            assert compute(x, y) == expected


@pytest.mark.parametrize("toggled", ["activations", "layers"])
def test_an_op_whose_own_plugin_comes_and_goes_computes_or_says_why_not(toggled: str) -> None:
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


def test_a_plugin_that_is_forgotten_leaves_no_code_behind() -> None:
    def register_and_use() -> int:
        @hookimpl
        def tinytorch_register_ops(ops: Any) -> None:
            ops.add("shifted", lambda x: x + 1, method=True)

        plugins.register(SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops), name="new")
        Tensor([1.0]).shifted()  # type: ignore[attr-defined]
        plugins.unregister("new")
        gc.collect()
        return sum(name.startswith("tinytorch-") for name in linecache.cache)

    register_and_use()  # what it computes for the plugins without the new one is kept
    assert register_and_use() == register_and_use()
