"""If two plugins add the same name, the one to which it does not belong fails, in any order."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import NameTakenError, PluginError, Tensor, hookimpl, hookspec, plugins


def adds_a_rule(rules: Any) -> None:
    rules.add("exp", lambda grad: grad)


def declares_no_derivative(rules: Any) -> None:
    rules.no_derivative("tanh")


def adds_a_rule_of_a_plugin(rules: Any) -> None:
    rules.add("relu", lambda grad: grad)


def adds_an_op(ops: Any) -> None:
    ops.add("relu", np.negative)


def adds_a_method(ops: Any) -> None:
    ops.add("mine", np.negative, method="relu")


def adds_a_method_of_autograd(ops: Any) -> None:
    ops.add("mine", np.negative, method="backward")


def adds_a_numpy_function(ops: Any) -> None:
    ops.add("mine", np.exp2, numpy=np.exp2)


def adds_an_attribute(tensor: Any) -> None:
    tensor.add("grad", None)


def adds_a_keyword(tensor: Any) -> None:
    tensor.add_keyword("requires_grad", print, print, None)


HOOKS = {
    "rules": "tinytorch_register_backward",
    "ops": "tinytorch_register_ops",
    "tensor": "tinytorch_extend_tensor",
}
# What each function adds, and the plugin that keeps it.
COLLISIONS: dict[Callable[[Any], None], tuple[str, str]] = {
    adds_a_rule: ("the rule of 'exp'", "autograd"),
    declares_no_derivative: ("the rule of 'tanh'", "autograd"),
    adds_a_rule_of_a_plugin: ("the rule of 'relu'", "activations"),
    adds_an_op: ("op 'relu'", "activations"),
    adds_a_method: ("Tensor.relu", "activations"),
    adds_a_method_of_autograd: ("Tensor.backward", "autograd"),
    adds_a_numpy_function: ("np.exp2", "autograd"),
    adds_an_attribute: ("Tensor.grad", "autograd"),
    adds_a_keyword: ("the keyword 'requires_grad' of Tensor()", "autograd"),
}


def plugin(add: Callable[[Any], None], **order: bool) -> Any:
    """Return a plugin whose hook is `add`; the name of its argument tells which hook it is."""
    (hook,) = (HOOKS[name] for name in HOOKS if name in add.__code__.co_varnames)
    function = eval(
        f"lambda {add.__code__.co_varnames[0]}: add({add.__code__.co_varnames[0]})", {"add": add}
    )
    return SimpleNamespace(**{hook: hookimpl(optionalhook=True, **order)(function)})


@pytest.mark.parametrize("order", [{}, {"tryfirst": True}, {"trylast": True}], ids=str)
@pytest.mark.parametrize("name", ["aaa", "zzz"])
@pytest.mark.parametrize("add", COLLISIONS)
def test_the_owner_keeps_a_name(add: Any, name: str, order: Any) -> None:
    what, owner = COLLISIONS[add]
    before = plugins.active(), Tensor.__bases__
    with pytest.raises(PluginError) as caught:
        plugins.register(plugin(add, **order), name=name)
    assert (plugins.active(), Tensor.__bases__) == before
    error = caught.value
    assert error.plugin == name
    why = "provides the op" if add is adds_a_rule_of_a_plugin else "is part of TinyTorch"
    (version,) = (p.version for p in plugins.status() if p.name == owner)
    assert error.reason == (
        f"{what} is already provided by plugin {owner!r} (tinytorch-{owner} {version}), which {why}"
    )


@pytest.mark.parametrize("tryfirst", ["aaa", "zzz", ""])
def test_the_first_in_the_order_of_the_plugins_keeps_a_new_name(tryfirst: str) -> None:
    def add(ops: Any) -> None:
        ops.add("new_name", np.negative)

    first, second = (plugin(add, tryfirst=tryfirst == name) for name in ("aaa", "zzz"))
    plugins.register(first, name="aaa")
    try:
        with pytest.raises(PluginError, match=r"'aaa' .* comes first in the order") as caught:
            plugins.register(second, name="zzz")
        assert caught.value.plugin == "zzz"
        # It comes after a plugin that it needs, whatever their names are.
        first.tinytorch_needs = ("zzz",)
        plugins.unregister("aaa")
        plugins.register(second, name="zzz")
        with pytest.raises(PluginError, match=r"'zzz' .* comes first in the order") as caught:
            plugins.register(first, name="aaa")
        assert caught.value.plugin == "aaa"
    finally:
        for name in {"aaa", "zzz"}.intersection(plugins.active()):
            plugins.unregister(name)


class Specs:
    @hookspec
    def tinytorch_register_shades(self, colours: Any) -> None:
        """Add colours."""


class Colours:
    """A plugin whose own hook raises NameTakenError, called from within another hook."""

    @hookimpl
    def tinytorch_add_hookspecs(self, manager: Any) -> None:
        manager.add_hookspecs(Specs)

    @hookimpl
    def tinytorch_extend_tensor(self, tensor: Any) -> None:
        found: dict[str, str] = {}

        def adding(plugin: Any) -> dict[str, Any]:
            def add(name: str) -> None:
                if name in found:
                    raise NameTakenError(f"the colour {name!r}", found[name], remedy="rename it")
                found[name] = plugin.title

            return {"colours": add}

        tensor.surface.call_hook("tinytorch_register_shades", adding)


def test_a_hook_of_another_plugin_can_apply_the_same_rule() -> None:
    @hookimpl(optionalhook=True)
    def tinytorch_register_shades(colours: Any) -> None:
        colours("red")

    first, second = (
        SimpleNamespace(tinytorch_register_shades=tinytorch_register_shades, number=number)
        for number in range(2)
    )
    plugins.register(Colours(), name="zzz-colours")
    plugins.register(second, name="second")
    try:
        with pytest.raises(PluginError) as caught:
            plugins.register(first, name="third")
        assert str(caught.value) == (
            "plugin 'third' (registered from code) in tinytorch_register_shades: the colour 'red' "
            "is already provided by plugin 'second' (registered from code), which comes first in "
            "the order of the plugins. Rename it, or disable the plugin: plugins.disable('third')."
        )
    finally:
        plugins.unregister("second")
        plugins.unregister("zzz-colours")


def test_a_plugin_may_take_another_name_if_one_is_taken() -> None:
    def add(ops: Any) -> None:
        with pytest.raises(NameTakenError) as caught:
            ops.add("exp", np.negative)
        taken = caught.value
        assert (taken.what, taken.provider) == ("op 'exp'", "tinytorch-core")
        ops.add("another_exp", np.negative)

    plugins.register(plugin(add), name="flexible")
    try:
        assert "another_exp" in plugins.surface().ops
    finally:
        plugins.unregister("flexible")


INTRUDER = """
from tinytorch_core import hookimpl
@hookimpl(optionalhook=True, tryfirst={tryfirst})
def tinytorch_register_backward(rules): rules.add("exp", lambda grad: grad)
"""
OP_INTRUDER = """
from tinytorch_core import hookimpl
import numpy as np
@hookimpl(tryfirst=True)
def tinytorch_register_ops(ops): ops.add("relu", np.negative, method=True)
"""


def test_no_installed_plugin_can_disable_another(site: Any) -> None:
    site.install("aaa", INTRUDER.format(tryfirst=False))
    site.install("aab", INTRUDER.format(tryfirst=True))
    site.install("zzz", INTRUDER.format(tryfirst=True))
    site.install("aac", OP_INTRUDER)
    done = site.run(
        """
        from tinytorch_core import Tensor, plugins
        x = Tensor([1.0], requires_grad=True)
        (x.exp() * 2).relu().sum().backward()
        print(x.grad)
        for status in plugins.status():
            print(status.name, status.state)
        """
    )
    states = dict(line.split() for line in done.stdout.splitlines()[1:])
    assert done.stdout.startswith("[5.436")
    assert {name for name, state in states.items() if state == "failed"} == {
        "aaa",
        "aab",
        "aac",
        "zzz",
    }
    assert done.stderr.count("PluginWarning") == 4
    assert "the rule of 'exp' is already provided by plugin 'autograd'" in done.stderr
    # The location of each error is in its own module.
    listing = site.plugins().stdout
    for name in ("aaa", "aab", "aac", "zzz"):
        assert f"  at {site.packages}/{name}_module.py:" in listing


@pytest.mark.parametrize("other", ["aaa-dist", "tinytorch-aaa", "zzz-dist"])
def test_the_remedy_for_a_name_that_two_distributions_claim(other: str, site: Any) -> None:
    """Ours stays installed: the remedy is to uninstall the other one."""
    site.install("autograd", "", distribution=other, module="another_autograd")
    done = site.plugins()
    assert f"Uninstall all but one: pip uninstall {other}." in done.stdout
    (site.packages / f"{other.replace('-', '_')}-1.0.dist-info" / "entry_points.txt").write_text(
        "[tinytorch.commands]\ncheck = x\n"
    )
    done = site.start("-m", "tinytorch_core", "check", "x")
    assert done.stderr.endswith(f"pip uninstall {other}\n")
