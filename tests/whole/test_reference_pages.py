"""The pages on hooks, the public API and the conformance kit are complete and match the code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tinytorch_core
from tinytorch_core import PLUGIN_API, extend, plugins
from tinytorch_core.hook_manager import manager
from tinytorch_core.validation import STATEMENTS

from tinytorch_devkit import Samples, fixtures, table_of_checks

ROOT = Path(__file__).parents[2]
HOOKS_PAGE = (ROOT / "docs" / "hooks.md").read_text("utf-8")
API_PAGE = (ROOT / "docs" / "public-api.md").read_text("utf-8")
KIT_PAGE = (ROOT / "docs" / "conformance.md").read_text("utf-8")
TESTS = [f for f in (ROOT / "tests").rglob("*.py") if f.name != Path(__file__).name]

CHECKS = list(table_of_checks())


def hooks() -> Iterator[tuple[str, Any]]:
    """Yield every hook that the core and the active plugins specify, with its specification."""
    for name, caller in vars(manager.hook).items():
        if not name.startswith("_") and caller.has_spec():
            yield name, caller.spec.function


HOOKS = dict(hooks())


def signature(function: Any) -> str:
    parameters = inspect.signature(function)
    kept = [p for name, p in parameters.parameters.items() if name != "self"]
    return _squeezed(f"def {function.__name__}{parameters.replace(parameters=kept)}")


def _squeezed(text: str) -> str:
    return re.sub(r"[\s'\"]", "", text)


def section(hook: str) -> str:
    found = re.findall(rf"^## {hook}\n(.*?)(?=^## |\Z)", HOOKS_PAGE, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"docs/hooks.md needs one section on {hook}"
    return found[0]


def test_the_hooks_of_the_core_and_of_autograd_are_found() -> None:
    assert {"tinytorch_register_ops", "tinytorch_register_backward"} <= set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_section_with_its_exact_signature(hook: str) -> None:
    (shown,) = re.findall(r"```py\n(.*?)```", section(hook), re.DOTALL)
    assert _squeezed(shown) == signature(HOOKS[hook])


@pytest.mark.parametrize("hook", HOOKS)
def test_every_section_explains_the_arguments_and_has_an_example(hook: str) -> None:
    text = section(hook)
    for argument in inspect.signature(HOOKS[hook]).parameters:
        assert argument == "self" or f"\n- `{argument}`: " in text
    assert any(
        f"def {hook}(" in program for program in re.findall(r"```python\n(.*?)```", text, re.S)
    )


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_implemented_in_a_test(hook: str) -> None:
    assert [f for f in TESTS if re.search(rf"def {hook}\(", f.read_text("utf-8"))]


def test_the_page_describes_no_other_hooks() -> None:
    sections = re.findall(r"^## (tinytorch_\w+)", HOOKS_PAGE, re.MULTILINE)
    rows = re.findall(r"^\| \[(tinytorch_\w+)\]\(#\1\)", HOOKS_PAGE, re.MULTILINE)
    assert set(sections) == set(rows) == set(HOOKS)
    assert sections == rows


def test_the_page_lists_what_a_plugin_may_state_about_itself() -> None:
    assert set(re.findall(r"^\| `(tinytorch_\w+) = ", HOOKS_PAGE, re.MULTILINE)) == set(STATEMENTS)


def test_every_name_that_a_plugin_can_import_has_a_row() -> None:
    part = HOOKS_PAGE.partition("\n## Names that a plugin can import\n")[2]
    rows = re.findall(r"^\| `(\w+)", part, re.MULTILINE)
    assert sorted(rows) == sorted(extend.__all__)


def test_the_arguments_in_these_rows_are_those_of_the_code() -> None:
    part = HOOKS_PAGE.partition("\n## Names that a plugin can import\n")[2]
    for name, shown in re.findall(r"^\| `(\w+)\((.*?)\)`", part, re.MULTILINE):
        parameters = inspect.signature(getattr(extend, name)).parameters.values()
        bare = [p.replace(annotation=p.empty) for p in parameters]
        assert shown == ", ".join(map(str, bare)), name


@pytest.mark.parametrize("name", ["Plugin", "SurfaceBuilder"])
def test_the_listed_attributes_exist(name: str) -> None:
    surface = plugins.surface()
    value = {"Plugin": surface.plugins[0], "SurfaceBuilder": surface}[name]
    part = API_PAGE.partition(f"\n`{name}`, which ")[2].partition("|\n\n")[0]
    rows = re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)
    attributes = [found for row in rows for found in re.findall(r"`(\w+)", row)]
    assert len(attributes) > 5
    assert [a for a in attributes if not hasattr(value, a)] == []


def test_every_public_name_exists_and_has_a_docstring() -> None:
    for module in (tinytorch_core, tinytorch_core.plugins, extend):
        values = {name: getattr(module, name) for name in module.__all__}
        assert [n for n, v in values.items() if n != "PLUGIN_API" and not v.__doc__] == []


def test_the_page_states_the_version_of_the_plugin_api() -> None:
    assert f"`tinytorch_core.PLUGIN_API` is an integer, now {PLUGIN_API}." in API_PAGE
    assert f"current version is {PLUGIN_API} |" in HOOKS_PAGE


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_has_a_row_with_its_summary(check: Any) -> None:
    assert f"| `{check.name}` | {check.summary} |\n" in KIT_PAGE


def test_the_page_lists_no_other_checks() -> None:
    part = KIT_PAGE.partition("## What is checked")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)`", part, re.MULTILINE)
    assert sorted(listed) == sorted(check.name for check in CHECKS)


def test_every_keyword_of_a_description_has_a_row() -> None:
    keywords = inspect.signature(Samples.add).parameters.values()
    expected = [p.name for p in keywords if p.kind is p.KEYWORD_ONLY]
    assert re.findall(r"^\| `(\w+)=", KIT_PAGE, re.MULTILINE) == expected


def test_every_fixture_has_a_row() -> None:
    source = inspect.getsource(fixtures)
    names = re.findall(r"^@pytest\.fixture\ndef (\w+)", source, re.MULTILINE)
    assert names == re.findall(
        r"^\| `(\w+)` \|", KIT_PAGE.partition("## Fixtures")[2], re.MULTILINE
    )
