"""Toggling plugins: disabling one removes all that it added, in any order."""

from __future__ import annotations

import gc
import itertools
import linecache
import os
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch_core import (
    PluginError,
    PluginWarning,
    Tensor,
    hookimpl,
    hookspec,
    plugins,
    registry,
)
from tinytorch_core.extend import SurfaceBuilder
from tinytorch_core.plan import resolve

from tinytorch_autograd import Function

from .toggling import Doubles, surface

pytestmark = pytest.mark.usefixtures("unchanged_tensor")

INSTALLED = [p.name for p in plugins.status() if p.distribution != "registered from code"]


class FailsInItsThirdHook:
    """A plugin that adds an op and then raises when it extends Tensor."""

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


def check_failing_plugin() -> None:
    with pytest.raises(PluginError, match="half-way"):
        plugins.register(FailsInItsThirdHook(), name="failing")


def test_autograd_is_among_the_installed_plugins() -> None:
    assert "autograd" in INSTALLED


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("others", ["with the others off", "with the others on"])
def test_disabling_restores_the_surface(name: str, others: str) -> None:
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


@settings(max_examples=10)
@given(st.permutations(INSTALLED))
def test_the_surface_does_not_depend_on_the_order_of_toggling(order: list[str]) -> None:
    with plugins.only():
        plain = surface()
        seen = {frozenset[str](): plain}
        for name in order:
            plugins.enable(name)
            check_failing_plugin()
            seen[frozenset(plugins.active())] = surface()
        assert seen[frozenset(INSTALLED)] != plain
        for name in (*order[1:], order[0]):
            plugins.disable(name)
            check_failing_plugin()
            active = frozenset(plugins.active())
            assert surface() == seen.setdefault(active, surface())
        assert surface() == plain
        for subset, expected in seen.items():
            with plugins.only(*subset):
                assert surface() == expected


def test_a_failed_activation_changes_nothing() -> None:
    before = surface()
    check_failing_plugin()
    assert surface() == before
    assert not [name for name in dir(Tensor) if "leftover" in name]
    assert np.sinc(Tensor([0.0])).item() == 1


def test_tensors_stay_usable_when_plugins_change() -> None:
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


def test_subclasses_follow_when_plugins_change() -> None:
    class Mine(Tensor):
        pass

    x = Mine([1.0])
    with plugins.only():
        assert not hasattr(Mine, "backward")
        assert isinstance(x * 2, Tensor)
    with plugins.only("autograd"):
        assert hasattr(Mine, "backward")
        assert Mine([1.0], requires_grad=True).requires_grad


# Random actions.


def _extends(attribute: str, *needs: str) -> SimpleNamespace:
    @hookimpl
    def tinytorch_extend_tensor(tensor: Any) -> None:
        tensor.add(attribute, None)

    return SimpleNamespace(tinytorch_extend_tensor=tinytorch_extend_tensor, tinytorch_needs=needs)


REGISTERED = {
    "doubles": Doubles(),
    "needs-it": _extends("needs_doubles", "doubles"),
    "first": _extends("claimed_by_two"),
    "second": _extends("claimed_by_two"),
}
NAMES = st.sampled_from([*INSTALLED, *REGISTERED])
SWITCHES = ["enable", "disable", "only", "disabled"]
ACTION = st.deferred(
    lambda: st.one_of(
        st.tuples(st.sampled_from(SWITCHES), NAMES),
        st.tuples(st.just("disabled")),
        st.tuples(st.just("register"), st.sampled_from([*REGISTERED, "failing"])),
        st.tuples(st.just("unregister"), st.sampled_from(list(REGISTERED))),
        st.tuples(st.sampled_from(SWITCHES), NAMES, st.lists(ACTION, max_size=4)),
    )
)
SEEN: dict[Any, Any] = {}


class Toggled:
    """Runs actions on the plugins, and checks Tensor and a subclass after each."""

    def __init__(self) -> None:
        self.subclass = type("Mine", (Tensor,), {})
        self.unregistered: list[str] = []

    def state(self) -> tuple[Any, ...]:
        return plugins.active(), registry.overrides, surface(), surface(self.subclass)

    def run_all(self, actions: list[Any]) -> None:
        for action in actions:
            before = self.state()
            try:
                self.step(*action)
            except (PluginError, ValueError, LookupError):
                assert self.state() == before
            self.check()

    def step(self, action: str, name: str = "", inside: list[Any] | None = None) -> None:
        if inside is not None:
            self.block(lambda: getattr(plugins, action)(name), inside)
        elif action == "register":
            plugins.register(
                FailsInItsThirdHook() if name == "failing" else REGISTERED[name], name=name
            )
        else:
            getattr(plugins, action)(*filter(None, [name]))
            if action == "unregister":
                self.unregistered.append(name)

    def block(self, change: Callable[[], Any], inside: list[Any]) -> None:
        before, begin = {*plugins.active()}, len(self.unregistered)
        entered = change().__enter__()
        self.check()
        self.run_all(inside)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", PluginWarning)
            entered.__exit__(None, None, None)
        # A plugin stays off if one that it needs was unregistered in the block, for example.
        left_out = {str(warning.message).split("'")[1] for warning in caught}
        assert {*plugins.active()} == before - {*self.unregistered[begin:]} - left_out

    def check(self) -> None:
        active = plugins.active()
        for cls in (Tensor, self.subclass):
            # A plugin that is registered again gives other objects under the same names.
            names = {k: type(v) for k, v in surface(cls).items()}
            assert names == SEEN.setdefault((cls is Tensor, active), names)
            assert (cls([3.0]) * 2).item() == (12 if "doubles" in active else 6)


@contextmanager
def isolated() -> Iterator[Toggled]:
    with plugins.only():
        plain, toggled = surface(), Toggled()
        try:
            yield toggled
        finally:
            plugins.only()
            assert surface() == plain
            for status in reversed(plugins.status()):
                if status.name in REGISTERED:
                    plugins.unregister(status.name)


@settings(max_examples=40)
@given(st.lists(ACTION, max_size=8))
def test_the_surface_depends_only_on_the_active_plugins(actions: list[Any]) -> None:
    with isolated() as toggled:
        toggled.run_all(actions)


# What a plugin collects with a hook of its own, and the lifecycle.


class Collection:
    """A hook that a plugin adds."""

    @hookspec
    def tinytorch_register_colours(self, colours: list[str]) -> None:
        """Add colours."""


def colours_of(surface: Any) -> tuple[str, ...]:
    found: list[str] = []
    surface.call_hook("tinytorch_register_colours", lambda plugin: {"colours": found})
    return tuple(found)


class Collects:
    @hookimpl
    def tinytorch_add_hookspecs(self, manager: Any) -> None:
        manager.add_hookspecs(Collection)

    @hookimpl
    def tinytorch_extend_tensor(self, tensor: Any) -> None:
        tensor.surface.once(colours_of)


class Colour:
    """A plugin that registers its name as a colour, and is running while it is active."""

    strict = True  # the hooks are called in turn

    def __init__(self, name: str) -> None:
        self.name, self.running = name, False

    @hookimpl(optionalhook=True)
    def tinytorch_register_colours(self, colours: list[str]) -> None:
        colours.append(self.name)

    @hookimpl
    def tinytorch_activate(self) -> None:
        assert not (self.strict and self.running)
        self.running = True

    @hookimpl
    def tinytorch_deactivate(self) -> None:
        assert self.running or not self.strict
        self.running = False


COLOURS = {name: Colour(name) for name in ("amber", "blue", "cyan")}
COLOUR_ACTION = st.deferred(
    lambda: st.tuples(
        st.sampled_from(SWITCHES),
        st.sampled_from([*COLOURS, "collects"]),
        st.none() | st.lists(COLOUR_ACTION, max_size=4),
    )
)


@settings(max_examples=30)
@given(st.lists(COLOUR_ACTION, max_size=10))
def test_what_plugins_collect_and_start_follows_every_order_of_toggling(actions: Any) -> None:
    def check() -> None:
        on = tuple(name for name in COLOURS if name in plugins.active())
        assert plugins.surface().once(colours_of) == on
        assert tuple(name for name, plugin in COLOURS.items() if plugin.running) == on

    def run(actions: Any) -> None:
        for action, name, inside in actions:
            change = getattr(plugins, action)(name)
            check()
            if inside is not None:
                with change:
                    run(inside)
                check()

    with plugins.only():
        for name, plugin in {**COLOURS, "collects": Collects()}.items():
            plugins.register(plugin, name=name)
        try:
            run(actions)
        finally:
            for name in (*COLOURS, "collects"):
                plugins.unregister(name)
        assert not any(plugin.running for plugin in COLOURS.values())


class Scaled:
    """A plugin whose op, rule and attribute are new for each value of a setting."""

    @hookimpl
    def tinytorch_configure(self, config: Any) -> None:
        self.factor = config.get("factor", 1)

    @hookimpl
    def tinytorch_register_ops(self, ops: Any) -> None:
        factor = self.factor
        ops.add("scaled", lambda x: x * factor, method=True)

    @hookimpl(optionalhook=True)
    def tinytorch_register_backward(self, rules: Any) -> None:
        factor = self.factor
        rules.add("scaled", lambda grad: grad * factor)

    @hookimpl
    def tinytorch_wrap_op(self, op: Any, call: Any, surface: Any) -> Any:
        # A wrapper that refers to the surface: nothing may keep the wrapper.
        return lambda *args, **kwargs: surface and call(*args, **kwargs)

    @hookimpl
    def tinytorch_extend_tensor(self, tensor: Any) -> None:
        tensor.add(f"has_factor_{self.factor % 2}", True)


def test_surfaces_of_many_settings_do_not_accumulate() -> None:
    def use(factor: int) -> None:
        plugins.configure("scaled", factor=factor)
        x = Tensor([2.0], requires_grad=True)
        (np.tanh(x.scaled()) + np.cumsum(x)).sum().backward()  # type: ignore[attr-defined]
        x.scaled().sum().backward()  # type: ignore[attr-defined]
        assert x.scaled().item() == 2 * factor  # type: ignore[attr-defined]

    def counts(factors: range) -> tuple[int, int, int]:
        for factor in factors:
            use(factor)
        gc.collect()
        objects = gc.get_objects()
        # Not `isinstance`, which runs code of objects of other libraries.
        builders = sum(type(x) is SurfaceBuilder for x in objects)
        nodes = sum(issubclass(type(x), type) and issubclass(x, Function) for x in objects)
        return builders, nodes, len(linecache.cache)

    with plugins.only("autograd"):
        plugins.register(Scaled(), name="scaled")
        try:
            many = registry.MOST_SURFACES + 4
            held_by_others, _, _ = counts(range(0))
            builders, nodes, sources = counts(range(many))
            assert builders <= held_by_others + registry.MOST_SURFACES + 2
            # Once more as many: what is counted now is what every further toggle leaves.
            again = counts(range(many, 2 * many))
            assert again[0] <= builders
            assert again[1] <= nodes
            assert again[2] <= sources
        finally:
            plugins.unregister("scaled")


def test_an_attribute_of_a_forgotten_surface_is_still_explained() -> None:
    plugins.register(Scaled(), name="scaled")
    try:
        for factor in range(registry.MOST_SURFACES + 3):
            plugins.configure("scaled", factor=factor)
        plugins.disable("scaled")
        for name in ("has_factor_0", "has_factor_1"):
            # In Python 3.11, with plugins that wrap ops, only well-known names are explained.
            with plugins.only(), pytest.raises(AttributeError, match=r"'scaled' provides it"):
                getattr(Tensor([1.0]), name)
    finally:
        plugins.unregister("scaled")


def test_unregistering_a_plugin_frees_its_generated_code() -> None:
    def register_and_use() -> int:
        @hookimpl
        def tinytorch_register_ops(ops: Any) -> None:
            ops.add("shifted", lambda x: x + 1, method=True)

        plugins.register(SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops), name="new")
        Tensor([1.0]).shifted()  # type: ignore[attr-defined]
        plugins.unregister("new")
        gc.collect()
        return sum(name.startswith("tinytorch-") for name in linecache.cache)

    register_and_use()  # the first time fills caches that stay
    assert register_and_use() == register_and_use()


# Interrupts and forks.


def interrupted_at(line: int, function: Callable[[], Any]) -> bool:
    """Run a function, raise KeyboardInterrupt at its nth line in the core; return whether it did.

    Of the core, the modules that change something count. Lines with `with` do not: Python shows
    them again before it leaves the block, where no signal interrupts, and a lock would stay locked.
    """
    files = tuple(f"tinytorch_core/{n}.py" for n in ("registry", "plugins", "plugin", "overrides"))
    lines = itertools.count()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.replace(os.sep, "/").endswith(files):
            return None
        if event == "line":
            text = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
            if not text.lstrip().startswith("with ") and next(lines) == line:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def is_free() -> bool:
    """Return whether another thread can lock the registry."""
    free = threading.Event()

    def lock() -> None:
        with registry.lock:
            free.set()

    thread = threading.Thread(target=lock, daemon=True)
    thread.start()
    return free.wait(10)


def check_consistent() -> None:
    assert is_free()
    plan = resolve(registry.overrides, registry.config, registry.known)
    assert plugins.active() == tuple(p.name for p in plan.active)
    assert plugins.active() == tuple(p.name for p in plugins.surface().plugins)
    assert tuple(name for name, plugin in COLOURS.items() if plugin.running) == tuple(
        name for name in COLOURS if name in plugins.active()
    )


def toggle_in_a_block() -> None:
    with plugins.disable("amber"):
        plugins.enable("cyan")


INTERRUPTED: dict[str, Callable[[], Any]] = {
    "disable": lambda: plugins.disable("amber"),
    "a block": toggle_in_a_block,
    "configure": lambda: plugins.configure("doubles", size=1),
    "a surface that is not in the cache": lambda: plugins.only("amber", "cyan"),
    "register": lambda: plugins.register(COLOURS["blue"], name="blue"),
    "unregister": lambda: plugins.unregister("cyan"),
}


@pytest.mark.parametrize("what", INTERRUPTED)
def test_an_interrupt_leaves_plugins_settings_and_tensor_consistent(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Colour, "strict", False)
    completed = False
    for line in range(0, 2000, 29):  # not all lines, to save time
        with plugins.only():
            before = registry.overrides
            for name, plugin in (("doubles", Doubles()), ("amber", COLOURS["amber"])):
                plugins.register(plugin, name=name)
            plugins.register(COLOURS["cyan"], name="cyan")
            plugins.disable("cyan")
            try:
                interrupted = interrupted_at(line, INTERRUPTED[what])
                check_consistent()
                assert gc.isenabled()
                # All functions work afterwards.
                with plugins.disable("amber"):
                    plugins.enable("amber")
                plugins.disable("doubles")
                check_consistent()
                assert (Tensor([3.0]) * 2).item() == 6
            finally:
                registry.activate(before)
                for status in plugins.status():
                    if status.distribution == "registered from code":
                        plugins.unregister(status.name)
            check_consistent()
        if not interrupted:
            completed = line > 0
            break
    assert completed
