"""docs/architecture.md lists every module of the core, and the functions that its programs run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from . import trace_calls
from .layers import PAGE, ROOT, layers, modules
from .trace_calls import Section, sections

Calls = dict[str, list[list[str]]]

every_trace = pytest.mark.parametrize(
    "trace", [s for s in sections() if s.steps], ids=lambda s: s.title
)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """Return the functions that each program calls, each with its module."""
    done = subprocess.run(
        [sys.executable, trace_calls.__file__],
        cwd=tmp_path_factory.mktemp("empty"),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    observed: Calls = json.loads(done.stdout)
    return observed


def module_of(path: str) -> str:
    return re.sub(r"^.*?(?=tinytorch_)", "", path).removesuffix(".py").replace("/", ".")


def test_four_traces_are_found() -> None:
    assert [(s.title, len(s.steps) > 0) for s in sections()] == [
        ("What three statements run", False),
        ("The first `x * y`", True),
        ("Every later `x * y`", True),
        ("`loss.backward()`", True),
        ('`plugins.disable("losses")`', True),
    ]


@every_trace
def test_the_listed_functions_run_in_this_order(trace: Section, calls: Calls) -> None:
    observed = [tuple(call) for call in calls[trace.title]]
    listed = [(module_of(path), name) for path, names in trace.steps for name in names]
    assert [call for call in observed if call in listed] == listed


@every_trace
def test_every_file_that_runs_is_listed(trace: Section, calls: Calls) -> None:
    listed = {module_of(path) for path, _ in trace.steps}
    assert {module for module, _ in calls[trace.title]} == listed


@every_trace
def test_a_trace_lists_at_most_six_files_which_exist(trace: Section) -> None:
    files = {path for path, _ in trace.steps if path}
    assert len(files) <= 6
    assert [path for path in files if not Path(ROOT / path).is_file()] == []


def test_the_table_describes_every_module_of_the_core_in_the_order_of_the_layers() -> None:
    rows = re.findall(r"^\| `(\S+)` \| ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    listed = [name for layer in layers("tinytorch_core") for name in layer]
    assert ["tinytorch_core" if r == "__init__" else f"tinytorch_core.{r}" for r in rows] == listed
    assert sorted(listed) == sorted(modules("tinytorch_core"))
