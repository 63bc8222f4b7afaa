"""Registering and toggling plugins, the order of wrappers, and conflicts."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pluggy
import pytest

from tinytorch_core import (
    PluginError,
    PluginWarning,
    Tensor,
    UnknownPluginError,
    hookimpl,
    plugins,
    registry,
)


def attribute(name: str, value: Any = True) -> SimpleNamespace:
    """Return a plugin that adds one attribute."""

    @hookimpl
    def tinytorch_extend_tensor(tensor: Any) -> None:
        tensor.add(name, value)

    return SimpleNamespace(tinytorch_extend_tensor=tinytorch_extend_tensor)


def wrapper(word: str, log: list[str], **order: Any) -> SimpleNamespace:
    """Return a plugin that logs a word before and after each multiplication."""

    @hookimpl(**order)
    def tinytorch_wrap_op(op: Any, call: Callable[..., Any]) -> Callable[..., Any] | None:
        if op.name != "mul":
            return None

        def logged(*args: Any) -> Any:
            log.append(word)
            result = call(*args)
            log.append(f"/{word}")
            return result

        return logged

    return SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op)


def op_plugin(name: str, **options: Any) -> SimpleNamespace:
    """Return a plugin with one op, which returns its input."""

    @hookimpl
    def tinytorch_register_ops(ops: Any) -> None:
        ops.add(name, lambda x: x, **options)

    return SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops)


@pytest.fixture
def registered() -> Iterator[Callable[..., None]]:
    """Return a function that registers a plugin until the end of the test."""
    names = []

    def register(plugin: Any, name: str) -> None:
        plugins.register(plugin, name=name)
        names.append(name)

    yield register
    for name in reversed(names):  # a plugin before those that it needs
        plugins.unregister(name)


@pytest.fixture
def abc(registered: Any) -> None:
    for name in "abc":
        registered(attribute(name), name)


def active_letters() -> str:
    """Return which of the plugins a, b and c are active, and check that Tensor agrees."""
    on = "".join(name for name in "abc" if hasattr(Tensor, name))
    assert on == "".join(name for name in plugins.active() if name in "abc")
    return on


# Registering.


def test_a_registered_plugin_is_active_until_it_is_unregistered() -> None:
    before = plugins.active()
    plugins.register(attribute("fresh"), name="fresh")
    assert Tensor.fresh is True
    assert "fresh" in plugins.active()
    (status,) = [p for p in plugins.status() if p.name == "fresh"]
    assert (status.distribution, status.version, status.state) == (
        "registered from code",
        "-",
        "on",
    )
    assert re.fullmatch(r"code \(.*test_plugins\.py:\d+\)", status.decided_by)
    plugins.unregister("fresh")
    assert not hasattr(Tensor, "fresh")
    assert plugins.active() == before


def test_a_module_can_be_registered(registered: Any) -> None:
    module = ModuleType("module")
    vars(module).update(vars(attribute("from_module")))
    registered(module, "module")
    assert Tensor.from_module


def test_a_name_that_is_taken_is_refused(abc: None) -> None:
    with pytest.raises(ValueError, match="a plugin 'a' exists already, from registered from code"):
        plugins.register(attribute("other"), name="a")
    assert not hasattr(Tensor, "other")


def test_an_object_that_is_registered_already_is_refused(registered: Any) -> None:
    plugin = attribute("once")
    registered(plugin, "first")
    with pytest.raises(ValueError, match="registered already, as 'first'"):
        plugins.register(plugin, name="second")


@dataclass
class Named:
    """A plugin whose instances compare equal."""

    letter: str = "x"

    @hookimpl
    def tinytorch_configure(self, config: Any) -> None:
        pass

    @hookimpl
    def tinytorch_wrap_op(self, op: Any, call: Callable[..., Any]) -> Callable[..., Any] | None:
        if op.name != "mul":
            return None
        return lambda x, y: call(call(x, y), y)


def test_a_plugin_that_equals_another_one_is_refused(registered: Any) -> None:
    registered(Named(), "one")
    with pytest.raises(PluginError, match=r"two.*already registered"):
        plugins.register(Named(), name="two")
    assert repr(Tensor([1.0]) * 2) == "Tensor([4.])"


def test_a_plugin_can_be_registered_again() -> None:
    plugin = attribute("again")
    for _ in range(3):
        plugins.register(plugin, name="again")
        assert Tensor.again
        plugins.unregister("again")
        assert not hasattr(Tensor, "again")


def test_after_a_failure_another_plugin_can_take_the_name() -> None:
    @hookimpl
    def tinytorch_extend_tensor(tensor: Any) -> None:
        raise RuntimeError("not finished")

    with pytest.raises(PluginError, match="not finished"):
        plugins.register(
            SimpleNamespace(tinytorch_extend_tensor=tinytorch_extend_tensor), name="new"
        )
    assert "new" not in [p.name for p in plugins.status()]
    plugins.register(attribute("finished"), name="new")
    assert Tensor.finished
    plugins.unregister("new")


def test_unregister_refuses_unknown_and_installed_plugins() -> None:
    with pytest.raises(
        UnknownPluginError, match=r"no plugin 'autogard' .*Did you mean 'autograd'\?"
    ):
        plugins.unregister("autogard")
    with pytest.raises(ValueError, match=r"is installed; use plugins.disable\('autograd'\)"):
        plugins.unregister("autograd")


@pytest.mark.parametrize("name", [3, None])
def test_a_plugin_name_that_is_not_a_string_is_refused(name: Any) -> None:
    with pytest.raises(TypeError, match=f"named by a string, not by {name}"):
        plugins.disable(name)


# Enabling and disabling.


def test_enable_and_disable(abc: None) -> None:
    assert active_letters() == "abc"
    plugins.disable("b")
    assert active_letters() == "ac"
    plugins.disable("a", "b")
    assert active_letters() == "c"
    plugins.enable("b", "a")
    assert active_letters() == "abc"
    plugins.enable("a")
    assert active_letters() == "abc"


def test_a_with_block_restores_the_plugins(abc: None) -> None:
    with plugins.disable("a"):
        assert active_letters() == "bc"
        with plugins.only("a", "b"):
            assert active_letters() == "ab"
            with plugins.disable("a", "b"), plugins.enable("c"):
                assert active_letters() == "c"
            assert active_letters() == "ab"
        assert active_letters() == "bc"
    assert active_letters() == "abc"


def test_only_disables_all_other_plugins(abc: None) -> None:
    everything = plugins.active()
    with plugins.only("b"):
        assert plugins.active() == ("b",)
    with plugins.only():
        assert plugins.active() == ()
        assert not hasattr(Tensor, "a")
    assert plugins.active() == everything


def test_a_with_block_that_raises_restores_the_plugins(abc: None) -> None:
    with pytest.raises(KeyError), plugins.disable("a"):
        raise KeyError
    assert active_letters() == "abc"


def test_a_plugin_unregistered_inside_a_block_stays_unregistered(registered: Any) -> None:
    plugins.register(attribute("a"), name="a")
    with plugins.disable("a"):
        plugins.unregister("a")
    assert active_letters() == ""


def test_a_plugin_registered_inside_a_block_stays_active() -> None:
    with plugins.only():
        plugins.register(attribute("a"), name="a")
        assert active_letters() == "a"
    assert active_letters() == "a"
    plugins.unregister("a")


@pytest.mark.parametrize("change", [plugins.enable, plugins.disable, plugins.only])
def test_an_unknown_name_changes_nothing(change: Any, abc: None) -> None:
    everything = plugins.active()
    with pytest.raises(
        UnknownPluginError, match=r"no plugin 'autogard'.*Did you mean 'autograd'\?"
    ):
        change("a", "autogard")
    with pytest.raises(LookupError):
        change("")
    assert plugins.active() == everything


def test_status_shows_the_line_that_disabled_a_plugin(
    abc: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    line = sys._getframe().f_lineno + 1
    with plugins.disable("a"):
        shown = {p.name: (p.state, p.decided_by) for p in plugins.status()}
    state, by = shown["a"]
    assert state == "off"
    assert by == f"code (test_plugins.py:{line})"
    assert shown["autograd"] == ("on", "installed")


# Order.


@pytest.mark.parametrize("order", ["abc", "cab", "bca"])
def test_wrappers_run_in_the_order_of_plugin_names(order: str, registered: Any) -> None:
    log: list[str] = []
    for name in order:
        registered(wrapper(name, log), name)
    Tensor([1.0]) * 2
    assert log == ["c", "b", "a", "/a", "/b", "/c"]


def test_enabling_again_does_not_change_the_order(registered: Any) -> None:
    log: list[str] = []
    for name in "abc":
        registered(wrapper(name, log), name)
    plugins.disable("a")
    plugins.enable("a")
    Tensor([1.0]) * 2
    assert log[:3] == ["c", "b", "a"]


def test_a_tryfirst_wrapper_is_innermost_and_a_trylast_wrapper_outermost(registered: Any) -> None:
    log: list[str] = []
    registered(wrapper("a", log, trylast=True), "a")
    registered(wrapper("b", log), "b")
    registered(wrapper("c", log, tryfirst=True), "c")
    Tensor([1.0]) * 2
    assert log[:3] == ["a", "b", "c"]


@pytest.mark.parametrize("names", ["abcde", "edcba", "cebda"])
def test_stages_are_nested_whatever_the_names_of_the_plugins(names: str, registered: Any) -> None:
    log: list[str] = []
    words = {
        "outermost": {"stage": "outside", "trylast": True},
        "outside": {},
        "recording": {"stage": "recording"},
        "inside": {"stage": "inside"},
        "innermost": {"stage": "inside", "tryfirst": True},
    }
    for (word, order), name in zip(words.items(), names, strict=True):
        registered(wrapper(word, log, **order), name)
    Tensor([1.0]) * 2
    assert log[:5] == list(words)
    surface = plugins.surface()
    wrappers = zip(surface.wrappers["mul"], surface.stages["mul"], strict=True)
    stages = ["outside", "outside", "recording", "inside", "inside"]
    assert set(wrappers) >= set(zip(names, stages, strict=True))


def test_a_stage_decides_before_the_plugins_that_are_used(registered: Any) -> None:
    log: list[str] = []
    outside, inside = wrapper("outside", log), wrapper("inside", log, stage="inside")
    inside.tinytorch_uses = ("a",)
    registered(outside, "a")
    registered(inside, "b")
    Tensor([1.0]) * 2
    assert log[:2] == ["outside", "inside"]


def test_methods_and_functions_of_another_name_have_stages(registered: Any) -> None:
    log: list[str] = []

    class Both:
        @hookimpl(stage="inside")
        def tinytorch_wrap_op(self, op: Any, call: Any) -> Any:
            return wrapper("inside", log).tinytorch_wrap_op(op, call)

        @hookimpl(specname="tinytorch_wrap_op", stage="outside", optionalhook=True)
        def another(self, op: Any, call: Any) -> Any:
            return wrapper("outside", log).tinytorch_wrap_op(op, call)

    registered(Both(), "a")
    registered(wrapper("between", log, stage="recording"), "b")
    Tensor([1.0]) * 2
    assert log[:3] == ["outside", "between", "inside"]


def test_an_unknown_stage_is_an_error_that_lists_the_stages() -> None:
    message = "stage is 'inner'; choose 'inside', 'recording' or 'outside'"
    with pytest.raises(ValueError, match=message):
        hookimpl(stage="inner")  # type: ignore[call-overload]


def test_a_stage_of_a_hook_that_does_not_wrap_ops_is_refused() -> None:
    plugin = op_plugin("thing")
    plugin.tinytorch_register_ops = hookimpl(stage="inside")(plugin.tinytorch_register_ops)
    message = "in tinytorch_register_ops: it is marked with stage='inside', which only tiny"
    with pytest.raises(PluginError, match=message):
        plugins.register(plugin, name="mine")
    assert "thing" not in plugins.surface().ops


def test_a_hook_marked_by_pluggys_own_marker_runs_outside(registered: Any) -> None:
    log: list[str] = []
    plugin = wrapper("outside", log)
    plugin.tinytorch_wrap_op = pluggy.HookimplMarker("tinytorch")(plugin.tinytorch_wrap_op)
    registered(plugin, "a")
    registered(wrapper("inside", log, stage="inside"), "b")
    Tensor([1.0]) * 2
    assert log[:2] == ["outside", "inside"]


def test_reflected_operators_and_numpy_functions_run_the_wrapped_op(registered: Any) -> None:
    log: list[str] = []
    registered(wrapper("a", log), "a")
    for multiply in (
        lambda x: x * 2,
        lambda x: 2 * x,
        lambda x: np.ones(1) * x,
        lambda x: np.multiply(2, x),
    ):
        multiply(Tensor([1.0]))
        assert log == ["a", "/a"]
        log.clear()


def test_a_wrapper_that_is_not_callable_is_refused() -> None:
    @hookimpl
    def tinytorch_wrap_op(op: Any, call: Any) -> Any:
        return 42

    with pytest.raises(PluginError, match=r"returned 42 for the op '\w+', which is not callable"):
        plugins.register(SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op), name="answer")


# Conflicts.


def check_conflict(first: Any, second: Any, *words: str) -> None:
    """Check that the second plugin is refused, the error names both, and nothing changes."""
    plugins.register(first, name="first")
    try:
        before = (plugins.active(), Tensor.__bases__, plugins.status())
        with pytest.raises(PluginError) as caught:
            plugins.register(second, name="second")
        assert (plugins.active(), Tensor.__bases__, plugins.status()) == before
    finally:
        plugins.unregister("first")
    message = str(caught.value)
    assert caught.value.plugin == "second"
    for word in ("plugin 'second' (registered from code)", "plugin 'first' (registered", *words):
        assert word in message, message


def test_two_ops_of_the_same_name_conflict() -> None:
    check_conflict(
        op_plugin("thing"), op_plugin("thing"), "op 'thing' is already", "tinytorch_register_ops"
    )


def test_two_methods_of_the_same_name_conflict() -> None:
    check_conflict(
        op_plugin("one", method="thing"),
        op_plugin("two", method="thing"),
        "Tensor.thing is already provided by plugin 'first'",
        "tinytorch_register_ops",
    )


def test_an_attribute_conflicts_with_a_method_of_the_same_name() -> None:
    check_conflict(
        op_plugin("thing", method=True),
        attribute("thing"),
        "Tensor.thing",
        "tinytorch_extend_tensor",
    )


def test_two_attributes_of_the_same_name_conflict() -> None:
    check_conflict(attribute("thing"), attribute("thing", False), "Tensor.thing is already")


def keyword(name: str) -> SimpleNamespace:
    @hookimpl
    def tinytorch_extend_tensor(tensor: Any) -> None:
        tensor.add_keyword(name, lambda t, v: None, lambda t: None, None)

    return SimpleNamespace(tinytorch_extend_tensor=tinytorch_extend_tensor)


def test_two_keywords_of_the_same_name_conflict() -> None:
    check_conflict(keyword("thing"), keyword("thing"), "keyword 'thing' of Tensor() is already")


def test_two_ops_for_the_same_numpy_function_conflict() -> None:
    check_conflict(
        op_plugin("one", numpy=np.cbrt),
        op_plugin("two", numpy=np.cbrt),
        "np.cbrt is already provided by plugin 'first'",
        "Leave the NumPy function out",
    )


@pytest.mark.parametrize(
    "plugin",
    [
        op_plugin("mul"),
        op_plugin("mine", method="sum"),
        op_plugin("mine", method="reshape"),
        op_plugin("mine", method="__add__"),
        op_plugin("mine", operator=True, method="mine", reflected="__radd__"),
        op_plugin("mine", numpy=np.exp),
        *map(attribute, ["shape", "data", "_data", "exp", "__init__", "__hash__", "__dict__"]),
        *map(attribute, ["_calls", "_surface", "__getattr__", "__slots__"]),
        keyword("dtype"),
        keyword("data"),
    ],
)
def test_names_of_the_plain_tensor_are_refused(plugin: Any) -> None:
    before = (plugins.active(), Tensor.__bases__)
    with pytest.raises(PluginError, match=r"plain Tensor|tinytorch-core"):
        plugins.register(plugin, name="mine")
    assert (plugins.active(), Tensor.__bases__) == before


def test_enabling_a_plugin_that_conflicts_changes_nothing(registered: Any) -> None:
    registered(attribute("thing"), "first")
    plugins.disable("first")
    registered(attribute("thing"), "second")
    before = (plugins.active(), Tensor.__bases__)
    with pytest.raises(PluginError, match=r"Tensor.thing is already provided by"):
        plugins.enable("first")
    assert (plugins.active(), Tensor.__bases__) == before
    with plugins.disable("second"), plugins.enable("first"):
        assert "first" in plugins.active()
    assert (plugins.active(), Tensor.__bases__) == before


# Subclasses of Tensor.


@pytest.mark.parametrize("mixin_first", [True, False])
def test_a_subclass_has_what_tensor_has_next_to_its_mixins(abc: None, mixin_first: bool) -> None:
    class Surface:
        """A mixin with the name that the computed class has."""

        def from_mixin(self) -> str:
            return "mixin"

        def exp(self) -> str:
            return "the mixin's"

    class Mine(*((Surface, Tensor) if mixin_first else (Tensor, Surface))):  # type: ignore[misc]
        pass

    x = Mine([1.0])
    for letters in ("abc", "bc", "abc"):
        plugins.only(*letters)
        assert x.from_mixin() == "mixin"
        assert (x.exp() == "the mixin's") is mixin_first
        assert "".join(n for n in "abc" if hasattr(x, n)) == active_letters() == letters
    assert type(x * 2) is type(Tensor([1.0]) * x) is Tensor
    assert not hasattr(plugins, "attach")


# The lifecycle.


class Lifecycle:
    """A plugin that logs when it is activated and deactivated, or raises an error."""

    def __init__(self, name: str, log: list[str], needs: tuple[str, ...] = ()) -> None:
        self.name, self.log, self.tinytorch_needs = name, log, needs
        self.fails_in: str | None = None
        self.also: Callable[[], Any] | None = None

    @hookimpl
    def tinytorch_configure(self, config: Any) -> None:
        pass

    @hookimpl
    def tinytorch_activate(self) -> None:
        self.note("on", self.name in plugins.active())

    @hookimpl
    def tinytorch_deactivate(self) -> None:
        self.note("off", self.name not in plugins.active())

    def note(self, what: str, surface_is_in_force: bool) -> None:
        assert surface_is_in_force
        self.log.append(f"{self.name} {what}")
        if self.also is not None:
            self.also()
        if self.fails_in == what:
            raise RuntimeError("out of order")


@pytest.fixture
def lifecycles(registered: Any) -> list[Any]:
    """Register `first`, which needs `second`, and return both plugins and their log."""
    log: list[str] = []
    second, first = Lifecycle("second", log), Lifecycle("first", log, ("second",))
    registered(second, "second")
    registered(first, "first")
    assert log == ["second on", "first on"]
    log.clear()
    return [first, second, log]


def test_plugins_are_told_when_they_become_active_and_inactive(lifecycles: Any) -> None:
    _, _, log = lifecycles
    with plugins.disable("first", "second"):
        assert log == ["first off", "second off"]
        log.clear()
    assert log == ["second on", "first on"]
    log.clear()
    plugins.enable("first")
    plugins.configure("first", size=1)
    assert log == []
    plugins.unregister("first")
    assert log == ["first off"]
    plugins.register(Lifecycle("first", log), name="first")
    assert log == ["first off", "first on"]


def test_if_activation_fails_nothing_changes(lifecycles: Any) -> None:
    first, _, log = lifecycles
    plugins.disable("first", "second")
    before = state()
    first.fails_in = "on"
    log.clear()
    with pytest.raises(
        PluginError, match=r"'first' .* in tinytorch_activate: RuntimeError: out of order"
    ):
        plugins.enable("first", "second")
    assert state() == before
    assert log == ["second on", "first on", "second off"]
    first.fails_in = None
    plugins.enable("first", "second")
    assert log[3:] == ["second on", "first on"]


def test_a_failed_activation_activates_again_what_was_deactivated(lifecycles: Any) -> None:
    _, second, log = lifecycles
    third = Lifecycle("third", log)
    plugins.register(third, name="third")
    plugins.disable("third")
    before = state()
    log.clear()
    third.fails_in = "on"
    with pytest.raises(PluginError, match=r"'third' .*out of order"):
        plugins.only("third")
    assert state() == before
    assert log == ["first off", "second off", "third on", "second on", "first on"]
    # An error on the way back is reported, and the plugin stays on.
    second.fails_in = "on"
    with (
        pytest.warns(PluginWarning, match=r"'second' .*out of order.* is on"),
        pytest.raises(PluginError, match=r"'third' .*out of order"),
    ):
        plugins.only("third")
    assert state() == before
    second.fails_in = None
    plugins.unregister("third")


def test_a_plugin_that_fails_when_it_is_deactivated_is_off(lifecycles: Any) -> None:
    first, _, log = lifecycles
    first.fails_in = "off"
    with pytest.warns(PluginWarning, match=r"'first' .* in tinytorch_deactivate.* is off"):
        plugins.disable("first", "second")
    assert log == ["first off", "second off"]
    assert not {"first", "second"} & {*plugins.active()}
    first.fails_in = None


def test_a_plugin_that_cannot_be_activated_at_the_end_of_a_block_is_left_out(
    lifecycles: Any,
) -> None:
    first, _, log = lifecycles
    block = plugins.disable("first", "second").__enter__()
    first.fails_in = "on"
    log.clear()
    with pytest.warns(PluginWarning, match=r"'first' .*out of order.* left out"):
        block.__exit__(None, None, None)
    assert log == ["second on", "first on"]
    assert "second" in plugins.active()
    assert "first" not in plugins.active()
    first.fails_in = None
    plugins.enable("first")


def test_a_lifecycle_hook_may_toggle_plugins(lifecycles: Any) -> None:
    first, _, log = lifecycles
    third = Lifecycle("third", log)
    plugins.register(third, name="third")
    plugins.disable("first")
    log.clear()
    first.also = lambda: plugins.disable("third")
    plugins.enable("first")
    assert log == ["first on", "third off"]
    assert "first" in plugins.active()
    first.also = None
    plugins.unregister("third")


def test_an_interrupt_in_a_lifecycle_hook_changes_nothing(lifecycles: Any) -> None:
    first, _, log = lifecycles

    def interrupt() -> None:
        first.also = None
        raise KeyboardInterrupt

    before = state()
    first.also = interrupt
    with pytest.raises(KeyboardInterrupt):
        plugins.disable("first", "second")
    assert state() == before
    assert log == ["first off", "first on"]


# Settings.


class Configured:
    """A plugin that records its settings, and raises an error if `fails` is set."""

    def __init__(self, needs: tuple[str, ...] = ()) -> None:
        self.tinytorch_needs = needs
        self.given: list[dict[str, Any]] = []
        self.fails = False

    @hookimpl
    def tinytorch_configure(self, config: Any) -> None:
        if config.get("size", 0) < 0:
            raise ValueError("size must not be negative")
        self.given.append(dict(config))

    @hookimpl
    def tinytorch_extend_tensor(self, tensor: Any) -> None:
        if self.fails:
            raise RuntimeError("out of order")


def state() -> tuple[Any, ...]:
    return plugins.active(), Tensor.__bases__, plugins.status(), registry.overrides, registry.plan


def test_a_failed_change_restores_the_settings_of_other_plugins(registered: Any) -> None:
    first, second = Configured(), Configured()
    registered(first, "first")
    registered(second, "second")
    plugins.configure("first", size=1)
    before = state()
    second.fails = True
    # `first` is configured with the new setting before `second` fails.
    with pytest.raises(PluginError, match=r"'second' .*out of order"):
        plugins.configure("first", size=2)
    second.fails = False
    assert first.given == [{}, {"size": 1}, {"size": 2}, {"size": 1}]
    assert second.given == [{}]
    assert state() == before


def test_a_refused_setting_changes_no_setting(registered: Any) -> None:
    first, second = Configured(), Configured()
    registered(first, "first")
    registered(second, "second")
    before = state()
    with pytest.raises(PluginError, match="size must not be negative"):
        plugins.configure("second", size=-1)
    assert (first.given, second.given) == ([{}], [{}])
    assert state() == before


def test_a_plugin_that_cannot_be_enabled_changes_no_setting(registered: Any) -> None:
    first, second = Configured(), Configured()
    registered(first, "first")
    registered(second, "second")
    plugins.disable("first", "second")
    registered(Configured(), "third")  # a cached surface would not run the hook that fails
    before = state()
    second.fails = True
    with pytest.raises(PluginError, match=r"'second' .*out of order"):
        plugins.enable("first", "second")
    assert state() == before
    second.fails = False
    plugins.enable("first", "second")
    # Configured when registered, in the failed attempt, and now, because it was never active.
    assert first.given == second.given == [{}, {}, {}]
