"""Switching plugins on and off, the order in which they act, and what happens when two collide."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import (
    PluginError,
    Tensor,
    UnknownPluginError,
    hookimpl,
    plugins,
    registry,
)


def attribute(name: str, value: Any = True) -> SimpleNamespace:
    """A plugin that adds one attribute."""

    @hookimpl
    def tinytorch_extend_tensor(tensor: Any) -> None:
        tensor.add(name, value)

    return SimpleNamespace(tinytorch_extend_tensor=tinytorch_extend_tensor)


def wrapper(word: str, log: list[str], **order: bool) -> SimpleNamespace:
    """A plugin that writes a word before and after each multiplication."""

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


def brings(name: str, **options: Any) -> SimpleNamespace:
    """A plugin with one op, which returns its input."""

    @hookimpl
    def tinytorch_register_ops(ops: Any) -> None:
        ops.add(name, lambda x: x, **options)

    return SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops)


@pytest.fixture
def registered() -> Iterator[Callable[..., None]]:
    """Registers plugins that are forgotten after the test."""
    names = []

    def register(plugin: Any, name: str) -> None:
        plugins.register(plugin, name=name)
        names.append(name)

    yield register
    for name in names:
        plugins.unregister(name)


@pytest.fixture
def abc(registered: Any) -> None:
    for name in "abc":
        registered(attribute(name), name)


def letters() -> str:
    """Which of the plugins a, b and c are on, by what Tensor has."""
    on = "".join(name for name in "abc" if hasattr(Tensor, name))
    assert on == "".join(name for name in plugins.active() if name in "abc")
    return on


# Registering.


def test_a_registered_plugin_is_on_until_it_is_unregistered() -> None:
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


def test_a_module_is_a_plugin_too(registered: Any) -> None:
    from types import ModuleType

    module = ModuleType("module")
    vars(module).update(vars(attribute("from_module")))
    registered(module, "module")
    assert Tensor.from_module


def test_a_name_is_given_once(abc: None) -> None:
    with pytest.raises(ValueError, match="a plugin 'a' exists already, from registered from code"):
        plugins.register(attribute("other"), name="a")
    assert not hasattr(Tensor, "other")


def test_an_object_is_registered_once(registered: Any) -> None:
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


def test_equal_plugins_are_told_apart(registered: Any) -> None:
    registered(Named(), "one")
    with pytest.raises(PluginError, match=r"two.*already registered"):
        plugins.register(Named(), name="two")
    assert repr(Tensor([1.0]) * 2) == "Tensor([4.])"


def test_a_plugin_may_be_registered_again() -> None:
    plugin = attribute("again")
    for _ in range(3):
        plugins.register(plugin, name="again")
        assert Tensor.again
        plugins.unregister("again")
        assert not hasattr(Tensor, "again")


def test_a_mended_plugin_may_be_registered_under_the_same_name() -> None:
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


def test_only_what_was_registered_can_be_unregistered() -> None:
    with pytest.raises(
        UnknownPluginError, match=r"no plugin 'autogard' .*Did you mean 'autograd'\?"
    ):
        plugins.unregister("autogard")
    with pytest.raises(ValueError, match=r"is installed; use plugins.disable\('autograd'\)"):
        plugins.unregister("autograd")


# On and off.


def test_enable_and_disable(abc: None) -> None:
    assert letters() == "abc"
    plugins.disable("b")
    assert letters() == "ac"
    plugins.disable("a", "b")
    assert letters() == "c"
    plugins.enable("b", "a")
    assert letters() == "abc"
    plugins.enable("a")
    assert letters() == "abc"


def test_a_with_block_ends_the_change(abc: None) -> None:
    with plugins.disable("a"):
        assert letters() == "bc"
        with plugins.only("a", "b"):
            assert letters() == "ab"
            with plugins.disable("a", "b"), plugins.enable("c"):
                assert letters() == "c"
            assert letters() == "ab"
        assert letters() == "bc"
    assert letters() == "abc"


def test_only_turns_everything_else_off(abc: None) -> None:
    everything = plugins.active()
    with plugins.only("b"):
        assert plugins.active() == ("b",)
    with plugins.only():
        assert plugins.active() == ()
        assert not hasattr(Tensor, "a")
    assert plugins.active() == everything


def test_a_with_block_that_raises_ends_the_change_too(abc: None) -> None:
    with pytest.raises(KeyError), plugins.disable("a"):
        raise KeyError
    assert letters() == "abc"


def test_a_plugin_that_is_unregistered_inside_the_block(registered: Any) -> None:
    plugins.register(attribute("a"), name="a")
    with plugins.disable("a"):
        plugins.unregister("a")
    assert letters() == ""


def test_a_plugin_that_is_registered_inside_the_block() -> None:
    with plugins.only():
        plugins.register(attribute("a"), name="a")
        assert letters() == "a"
    assert letters() == "a"
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


def test_decisions_in_code_are_shown(abc: None) -> None:
    line = sys._getframe().f_lineno + 1
    with plugins.disable("a"):
        decided = {p.name: (p.state, p.decided_by) for p in plugins.status()}
    state, by = decided["a"]
    assert state == "off"
    assert by == f"code (tests/core/test_plugins.py:{line})"
    assert decided["autograd"] == ("on", "installed")


# Order.


@pytest.mark.parametrize("order", ["abc", "cab", "bca"])
def test_wrappers_lie_in_the_order_of_their_names(order: str, registered: Any) -> None:
    log: list[str] = []
    for name in order:
        registered(wrapper(name, log), name)
    Tensor([1.0]) * 2
    assert log == ["c", "b", "a", "/a", "/b", "/c"]


def test_registering_again_does_not_change_the_order(registered: Any) -> None:
    log: list[str] = []
    for name in "abc":
        registered(wrapper(name, log), name)
    plugins.disable("a")
    plugins.enable("a")
    Tensor([1.0]) * 2
    assert log[:3] == ["c", "b", "a"]


def test_tryfirst_lies_innermost_and_trylast_outermost(registered: Any) -> None:
    log: list[str] = []
    registered(wrapper("a", log, trylast=True), "a")
    registered(wrapper("b", log), "b")
    registered(wrapper("c", log, tryfirst=True), "c")
    Tensor([1.0]) * 2
    assert log[:3] == ["a", "b", "c"]


def test_reflected_operators_and_numpy_run_what_is_wrapped(registered: Any) -> None:
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


def test_a_wrapper_returns_none_or_a_callable() -> None:
    @hookimpl
    def tinytorch_wrap_op(op: Any, call: Any) -> Any:
        return 42

    with pytest.raises(PluginError, match=r"returned 42 for the op '\w+', which is not callable"):
        plugins.register(SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op), name="answer")


# Collisions.


def conflict(first: Any, second: Any, *words: str) -> None:
    """Of two plugins the second is refused, in words that name both, and nothing changes."""
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


def test_two_ops_of_one_name() -> None:
    conflict(brings("thing"), brings("thing"), "op 'thing' is already", "tinytorch_register_ops")


def test_two_methods_of_one_name() -> None:
    conflict(
        brings("one", method="thing"),
        brings("two", method="thing"),
        "op 'two' cannot be a method: Tensor.thing is already",
        "tinytorch_register_ops",
    )


def test_an_attribute_named_like_a_method() -> None:
    conflict(
        brings("thing", method=True), attribute("thing"), "Tensor.thing", "tinytorch_extend_tensor"
    )


def test_two_attributes_of_one_name() -> None:
    conflict(attribute("thing"), attribute("thing", False), "Tensor.thing is already")


def keyword(name: str) -> SimpleNamespace:
    @hookimpl
    def tinytorch_extend_tensor(tensor: Any) -> None:
        tensor.add_keyword(name, lambda t, v: None, lambda t: None, None)

    return SimpleNamespace(tinytorch_extend_tensor=tinytorch_extend_tensor)


def test_two_keywords_of_one_name() -> None:
    conflict(keyword("thing"), keyword("thing"), "keyword 'thing' of Tensor() is already")


def test_two_ops_for_one_numpy_function() -> None:
    conflict(
        brings("one", numpy=np.cbrt),
        brings("two", numpy=np.cbrt),
        "'two' cannot implement np.cbrt",
        "'one'",
    )


@pytest.mark.parametrize(
    "plugin",
    [
        brings("mul"),
        brings("mine", method="sum"),
        brings("mine", method="reshape"),
        brings("mine", method="__add__"),
        brings("mine", operator=True, method="mine", reflected="__radd__"),
        brings("mine", numpy=np.exp),
        *map(attribute, ["shape", "data", "_data", "exp", "__init__", "__hash__", "__dict__"]),
        *map(attribute, ["_calls", "_keywords", "__getattr__", "__slots__"]),
        keyword("dtype"),
        keyword("data"),
    ],
)
def test_what_the_plain_tensor_has_cannot_be_taken(plugin: Any) -> None:
    before = (plugins.active(), Tensor.__bases__)
    with pytest.raises(PluginError, match=r"plain Tensor|tinytorch-core"):
        plugins.register(plugin, name="mine")
    assert (plugins.active(), Tensor.__bases__) == before


def test_enabling_a_plugin_that_collides_changes_nothing(registered: Any) -> None:
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


# One subclass.


def test_a_plugin_for_one_subclass(abc: None) -> None:
    class Mine(Tensor):
        pass

    plugins.disable("a")
    plugins.attach(Mine, "a")
    assert Mine.a
    assert letters() == "bc"
    assert type(Mine([1.0]) * 2) is Mine
    assert type(Tensor([1.0]) * Mine([2.0])) is Mine
    plugins.disable("b")
    assert not hasattr(Mine, "b")
    assert Mine.a
    plugins.enable("a", "b")
    assert letters() == "abc"


def test_attach_refuses_what_it_cannot_extend(abc: None) -> None:
    with pytest.raises(TypeError, match=r"to extend Tensor itself use plugins.enable"):
        plugins.attach(Tensor, "a")
    with pytest.raises(TypeError, match="not a subclass of Tensor"):
        plugins.attach(int, "a")  # type: ignore[arg-type]

    class Mine(Tensor):
        pass

    with pytest.raises(UnknownPluginError):
        plugins.attach(Mine, "nope")
    assert type(Mine([1.0])) is Mine


def test_an_attachment_that_fails_leaves_the_earlier_ones(registered: Any) -> None:
    class Mine(Tensor):
        pass

    for name in ("first", "second"):
        registered(attribute("thing"), name)
        plugins.disable(name)
    plugins.attach(Mine, "first")
    with pytest.raises(PluginError, match=r"Tensor.thing is already provided by"):
        plugins.attach(Mine, "second")
    plugins.enable("first")
    assert "first" in plugins.active()
    plugins.disable("first")
    assert hasattr(Mine, "thing")


@pytest.mark.parametrize("mixin_first", [True, False])
def test_a_mixin_of_an_attached_class_stays_whatever_its_name(abc: None, mixin_first: bool) -> None:
    class Surface:
        """A mixin with the name that computed surfaces have."""

        def from_mixin(self) -> str:
            return "mixin"

        def exp(self) -> str:
            return "the mixin's"

    class Mine(*((Surface, Tensor) if mixin_first else (Tensor, Surface))):  # type: ignore[misc]
        pass

    for name in ("a", "b"):
        plugins.attach(Mine, name)
    x = Mine([1.0])
    assert x.from_mixin() == "mixin"
    assert (x.exp() == "the mixin's") is mixin_first
    assert Surface in Mine.__bases__
    assert type(x * 2) is Mine
    assert Surface not in Tensor.__mro__


# Settings.


class Configured:
    """A plugin that notes its settings, and can be told to fail."""

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


def test_a_failed_change_gives_other_plugins_their_settings_back(registered: Any) -> None:
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
    before = state()
    second.fails = True
    with pytest.raises(PluginError, match=r"'second' .*out of order"):
        plugins.enable("first", "second")
    assert state() == before
    second.fails = False
    plugins.enable("first", "second")
    # Configured when registered, in the failed attempt, and now, because it was never active.
    assert first.given == second.given == [{}, {}, {}]


def test_a_plugin_is_configured_once_for_all_classes(registered: Any) -> None:
    class Mine(Tensor):
        pass

    class Other(Tensor):
        pass

    plugin = Configured()
    registered(plugin, "first")
    plugins.disable("first")
    for cls in (Mine, Other):
        plugins.attach(cls, "first")
    registered(attribute("a"), "a")
    with plugins.disable("a"), plugins.enable("first"):
        pass
    # When it was registered, and when it was attached after it was disabled.
    assert plugin.given == [{}, {}]
    plugin.fails = True
    with pytest.raises(PluginError, match="out of order"):
        plugins.configure("first", size=2)
    plugin.fails = False
    assert plugin.given == [{}, {}, {"size": 2}, {}]
