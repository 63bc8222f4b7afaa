"""The docstrings of hooks, the examples on their page, hooks that plugins add, and the hints.

tests/whole/test_reference_pages.py checks that the page is complete.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tinytorch_core import PluginError, Tensor, hookimpl, hookspec, hookspecs, plugins
from tinytorch_core.hints import well_known, well_known_provider
from tinytorch_core.hook_manager import manager

HOOKS = {n: f for n, f in vars(hookspecs).items() if n.startswith("tinytorch_")}
PAGE = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text("utf-8")


@pytest.mark.parametrize("hook", HOOKS)
def test_every_docstring_states_when_the_hook_is_called_and_with_what_arguments(hook: str) -> None:
    doc = inspect.getdoc(HOOKS[hook])
    assert "Called" in doc
    for argument in inspect.signature(HOOKS[hook]).parameters:
        assert re.search(rf"^    {argument}: ", doc, re.MULTILINE), argument


def test_the_examples_of_the_page_run_twice_and_change_nothing(tmp_path: Path) -> None:
    program = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    look = "from tinytorch_core import plugins\nprint('active:', plugins.active())\n"
    # Twice, as when the cells of a notebook are run again.
    whole = f"{look}{program}\n{program}\n{look}"
    done = subprocess.run(
        [sys.executable, "-c", whole], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr == ""
    active = [line for line in done.stdout.splitlines() if line.startswith("active:")]
    assert len(active) == 2
    assert active[0] == active[1]


class Units:
    """A hook that a plugin adds."""

    @hookspec
    def tinytorch_register_quantities(self, quantities: list[str]) -> None:
        """Add physical quantities."""


class Extensible:
    @hookimpl
    def tinytorch_add_hookspecs(self, manager: Any) -> None:
        manager.add_hookspecs(Units)

    @hookimpl
    def tinytorch_extend_tensor(self, tensor: Any) -> None:
        tensor.surface.once(quantities_of)


def quantities_of(surface: Any) -> list[str]:
    found: list[str] = []
    surface.call_hook("tinytorch_register_quantities", lambda plugin: {"quantities": found})
    return found


@hookimpl(optionalhook=True)
def tinytorch_register_quantities(quantities: list[str]) -> None:
    quantities.append("length")


def test_a_plugin_can_add_hooks_that_others_implement() -> None:
    extensible = Extensible()
    implementing = SimpleNamespace(tinytorch_register_quantities=tinytorch_register_quantities)
    # The plugin that adds the hook may be registered before or after the other one.
    for first, second in ((extensible, implementing), (implementing, extensible)):
        plugins.register(first, name="a")
        plugins.register(second, name="b")
        assert plugins.surface().once(quantities_of) == ["length"]
        plugins.unregister("b")
        plugins.unregister("a")


class Answers:
    """Hooks that plugins add: one that returns a result, and one with a first result."""

    @hookspec
    def tinytorch_answer(self, question: str) -> Any:
        """Return an answer."""

    @hookspec(firstresult=True)
    def tinytorch_first_answer(self, question: str) -> Any:
        """Return an answer; the first one counts."""


def answering(answer: Any, hook: str, asked: list[Any], **options: Any) -> SimpleNamespace:
    """Return a plugin that answers in one of these hooks, and adds both."""

    @hookimpl
    def tinytorch_add_hookspecs(manager: Any) -> None:
        manager.add_hookspecs(Answers)

    @hookimpl(specname=hook, **options)
    def implementation(question: str) -> Any:
        asked.append(answer)
        return answer

    return SimpleNamespace(
        tinytorch_add_hookspecs=tinytorch_add_hookspecs, implementation=implementation
    )


@pytest.mark.parametrize(
    ("hook", "expected", "expected_asked"),
    [
        ("tinytorch_answer", [("d", 4), ("a", 0), ("c", 3)], [4, 0, None, 3]),
        ("tinytorch_first_answer", [("d", 4)], [4]),
    ],
)
def test_call_hook_returns_the_results_with_the_names_of_their_plugins(
    hook: str, expected: list[Any], expected_asked: list[Any]
) -> None:
    asked: list[Any] = []
    named = {"c": (3, {}), "d": (4, {"tryfirst": True}), "a": (0, {}), "b": (None, {})}
    with plugins.only():
        for name, (answer, options) in named.items():
            plugins.register(answering(answer, hook, asked, **options), name=name)
        results = plugins.surface().call_hook(hook, lambda plugin: {"question": plugin.name})
        for name in named:
            plugins.unregister(name)
    assert results == expected
    assert [(result.plugin, result.value) for result in results] == expected
    assert asked == expected_asked


def test_a_hook_that_no_plugin_answers_has_no_results() -> None:
    surface = plugins.surface()
    assert surface.call_hook("tinytorch_first_answer", lambda plugin: {}) == []
    assert surface.call_hook("tinytorch_nobody_adds_this", lambda plugin: {}) == []


@pytest.mark.parametrize("option", ["wrapper", "hookwrapper"])
@pytest.mark.parametrize("hook", ["tinytorch_answer", "tinytorch_configure"])
def test_a_wrapper_of_hooks_is_refused_with_the_reason(option: str, hook: str) -> None:
    message = f"it is marked {option}=True, to run around .* so that an error names its plugin"
    with pytest.raises(PluginError, match=f"plugin 'around' .* in implementation: {message}"):
        plugins.register(answering(1, hook, [], **{option: True}), name="around")
    assert "around" not in plugins.active()


def test_a_historic_hook_is_refused_with_the_reason() -> None:
    class Historic:
        @hookspec(historic=True)
        def tinytorch_past(self) -> None:
            """A hook whose calls pluggy repeats."""

    @hookimpl
    def tinytorch_add_hookspecs(manager: Any) -> None:
        manager.add_hookspecs(Historic)

    plugin = SimpleNamespace(tinytorch_add_hookspecs=tinytorch_add_hookspecs)
    message = "'tinytorch_past' is historic, so pluggy would repeat its calls each time a plugin is"
    with pytest.raises(PluginError, match=f"in tinytorch_add_hookspecs: ValueError: .*{message}"):
        plugins.register(plugin, name="past")
    assert not hasattr(manager.hook, "tinytorch_past")


def test_a_hook_that_exists_cannot_be_added_again() -> None:
    class Same:
        @hookspec
        def tinytorch_register_ops(self, other: Any) -> None:
            """A hook with a name of the core."""

    @hookimpl
    def tinytorch_add_hookspecs(manager: Any) -> None:
        manager.add_hookspecs(Same)

    plugin = SimpleNamespace(tinytorch_add_hookspecs=tinytorch_add_hookspecs)
    with pytest.raises(PluginError, match=r"tinytorch_add_hookspecs: ValueError: Hook .* already"):
        plugins.register(plugin, name="same")


@pytest.mark.parametrize("kind", ["attributes", "keywords"])
def test_hints_name_all_attributes_and_keywords_of_well_known_plugins(kind: str) -> None:
    hints = well_known(kind)
    distributions = {p.name: p.distribution for p in plugins.status()}
    assert hints
    for plugin in set(hints.values()):
        names = {name for name, provider in hints.items() if provider == plugin}
        with plugins.only():
            without = set(dir(Tensor))
        with plugins.only(plugin):
            offered = {n for n in dir(Tensor) if hasattr(Tensor, n) and not n.startswith("_")}
            added = {"attributes": offered - without, "keywords": set(plugins.surface().keywords)}
        assert names == added[kind]
        assert {well_known_provider(name) for name in names} == {distributions[plugin]}
