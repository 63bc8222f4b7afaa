"""`resolve` computes the plan from the overrides, the configuration and the plugins, purely."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from tinytorch_core import UnmetNeedError
from tinytorch_core.config import Choice, Config, Decision
from tinytorch_core.errors import PluginError
from tinytorch_core.overrides import Overrides, Restore
from tinytorch_core.plan import Plan, resolve
from tinytorch_core.plugin import Plugin


def known(**needs: tuple[str, ...]) -> dict[str, Plugin]:
    """Return plugins by name, each with the names of those that it needs."""
    return {
        name: Plugin(name, target=SimpleNamespace(tinytorch_needs=names))
        for name, names in needs.items()
    }


def overrides(*choices: Choice) -> Overrides:
    return Overrides(tuple((Restore("", lambda _: None).change, choice) for choice in choices))


def active(plan: Plan) -> list[str]:
    return [plugin.name for plugin in plan.active]


def reasons(plan: Plan) -> dict[str, str]:
    return {name: error.reason for name, error in plan.errors.items()}


ABC = {"a": (), "b": (), "c": ()}
FILE = Choice("file", {"a": False}, None, {"a": {"size": 1, "sign": "-"}})
VARIABLE = Choice("variable", {"a": True}, None, {"a": {"size": 2}})
CYCLE = "plugins need or use each other in a cycle"
CODE = Choice("code", {"a": False}, None, {"a": {"size": 3}})


def test_equal_arguments_give_equal_plans_and_stay_unchanged() -> None:
    plugins = known(a=(), b=("a",), c=("off",), off=())
    code, config = overrides(Choice("code", {"off": False})), Config((VARIABLE, FILE))
    first, second = resolve(code, config, plugins), resolve(code, config, plugins)
    assert first._replace(errors={}) == second._replace(errors={})
    assert reasons(first) == reasons(second) == {"c": "it needs the plugin 'off', which is off, "
                                                 "set by code"}  # fmt: skip
    assert code[0][1] == Choice("code", {"off": False})
    assert config == Config((VARIABLE, FILE))
    assert list(plugins) == ["a", "b", "c", "off"]
    assert all(plugin.failure is None for plugin in plugins.values())


def test_a_plan_does_not_change_when_a_plugin_is_registered_later() -> None:
    plugins = known(**ABC)
    plan = resolve(Overrides(), Config(), plugins)
    plugins |= known(d=())
    assert (list(plan.decisions), active(plan)) == (["a", "b", "c"], ["a", "b", "c"])


@pytest.mark.parametrize(
    ("code", "config", "decision", "settings"),
    [
        ([], [], Decision(True, "installed"), None),
        ([], [FILE], Decision(False, "file", ("plugins", "a")), {"size": 1, "sign": "-"}),
        ([], [VARIABLE, FILE], Decision(True, "variable", ("plugins", "a")),
         {"size": 2, "sign": "-"}),
        ([CODE], [VARIABLE, FILE], Decision(False, "code", ("plugins", "a")),
         {"size": 3, "sign": "-"}),
        ([CODE, VARIABLE], [], Decision(True, "variable", ("plugins", "a")), {"size": 2}),
        ([Choice("only", {"b": True}, False)], [VARIABLE], Decision(False, "only", ("autoload",)),
         {"size": 2}),
    ],
    ids=["default", "file", "variable", "code", "later code", "others"],
)  # fmt: skip
def test_code_takes_precedence_over_the_variable_and_that_over_files(
    code: list[Choice],
    config: list[Choice],
    decision: Decision,
    settings: Mapping[str, Any] | None,
) -> None:
    plan = resolve(overrides(*code), Config(tuple(config)), known(**ABC))
    assert plan.decisions["a"] == decision
    assert plan.settings.get("a") == settings
    assert ("a" in active(plan)) == decision.on


def test_a_plugin_that_needs_one_of_a_cycle_is_left_out_with_the_reason() -> None:
    plan = resolve(Overrides(), Config(), known(a=("b",), b=("a",), c=("a",), d=()))
    assert active(plan) == ["d"]
    found = reasons(plan)
    assert sorted(found) == ["a", "b", "c"]
    (in_cycle,) = [name for name, reason in found.items() if reason.startswith(CYCLE)]
    (other,) = {"a", "b"} - {in_cycle}
    assert f"needs the plugin {in_cycle!r}, which failed: {CYCLE}" in found[other]
    assert found["c"].startswith("it needs the plugin 'a', which failed: ")


def test_only_one_plugin_of_a_cycle_of_uses_is_left_out() -> None:
    plugins = known(a=(), b=(), c=("a",))
    plugins["a"].uses, plugins["b"].uses = ("b",), ("a",)
    plan = resolve(Overrides(), Config(), plugins)
    (left_out,) = [name for name, reason in reasons(plan).items() if reason.startswith(CYCLE)]
    assert set(active(plan)) == {"a": {"b"}, "b": {"a", "c"}}[left_out]


def test_an_unmet_need_leaves_out_all_plugins_that_depend_on_it() -> None:
    plan = resolve(Overrides(), Config(), known(a=("b",), b=("c",), c=("absent",), d=()))
    assert active(plan) == ["d"]
    assert all(isinstance(error, UnmetNeedError) for error in plan.errors.values())
    assert "needs the plugin 'absent', which is not installed" in str(plan.errors["c"])
    assert "needs the plugin 'c', which failed: it needs the plugin 'absent'" in str(
        plan.errors["b"]
    )
    assert plan.errors["a"].remedy.endswith("or disable 'a' as well.")


def test_a_plugin_that_failed_is_an_error_only_while_it_is_enabled() -> None:
    plugins = known(**ABC)
    plugins["b"].failure = plugins["b"].error("out of order", remedy="Repair it.")
    plan = resolve(Overrides(), Config(), plugins)
    assert (active(plan), reasons(plan)) == (["a", "c"], {"b": "out of order"})
    assert plan.why_off("b") == ("failed: out of order", "Repair it")
    plan = resolve(overrides(Choice("code", {"b": False})), Config(), plugins)
    assert (active(plan), reasons(plan)) == (["a", "c"], {})
    assert plan.why_off("b") == ("is off, set by code", "Enable it: plugins.enable('b')")


def test_a_plugin_that_is_being_imported_is_neither_active_nor_an_error() -> None:
    plugins = known(a=(), b=("a",))
    plan = resolve(Overrides(), Config(), plugins, without=[plugins["a"]])
    assert (active(plan), list(plan.errors)) == ([], ["b"])
    assert isinstance(plan.errors["b"], PluginError)
    assert "which has not been started" in plan.errors["b"].reason
    assert plan.why_off("a") == ("has not been started", "Import tinytorch_core first")


def test_why_off_is_none_for_an_active_plugin_and_names_the_distribution_of_an_absent_one() -> None:
    plan = resolve(Overrides(), Config(), known(**ABC))
    assert plan.why_off("a") is None
    assert plan.why_off("layers") == (
        "is not installed",
        "Install it: pip install tinytorch-layers",
    )
