"""Fails a run of all tests if a Raises section names an exception that no test raises.

The functions that each exception caught by `pytest.raises` passed through are noted, and compared
with the Raises sections of the packages below. `tests/conftest.py` registers this as a plugin.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
SECTION = re.compile(r"^Raises:\n((?: {4}.*\n|\n)*)", re.MULTILINE)
ENTRY = re.compile(r"^ {4}([A-Z]\w+(?:, [A-Z]\w+)*):", re.MULTILINE)

PACKAGES = ("activations", "layers", "learn", "losses", "modules", "training")
LINES = pytest.StashKey[list[str]]()

# The qualified name of a function or class, and the name of an exception.
Pair = tuple[str, str]
raised: set[Pair] = set()
original = pytest.raises


@contextmanager
def recording_raises(*expected: Any, **options: Any) -> Iterator[Any]:
    """Do the same as `pytest.raises`, and note where the exception was raised."""
    __tracebackhide__ = True
    with original(*expected, **options) as caught:
        yield caught
    names = set(functions(caught.value.__traceback__))
    raised.update((name, kind.__name__) for name in names for kind in type(caught.value).__mro__)


def functions(traceback: TracebackType | None) -> Iterator[str]:
    """Yield the functions of a traceback, and the classes of their objects."""
    while traceback is not None:
        frame = traceback.tb_frame
        name = frame.f_code.co_qualname
        yield from (name, name.removesuffix(".__init__").removesuffix(".__post_init__"))
        yield type(frame.f_locals.get("self")).__name__
        traceback = traceback.tb_next


def documented(file: Path) -> Iterator[Pair]:
    """Yield each function, class and method of a file with each exception that it documents."""

    def visit(parent: Any, prefix: str) -> Iterator[Pair]:
        for node in parent.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                name = prefix + node.name
                for section in SECTION.findall((ast.get_docstring(node) or "") + "\n"):
                    for entry in ENTRY.findall(section):
                        yield from ((name, kind) for kind in entry.split(", "))
                if isinstance(node, ast.ClassDef):
                    yield from visit(node, f"{name}.")

    return visit(ast.parse(file.read_text(encoding="utf-8")), "")


def untested() -> list[str]:
    """Return a line for each documented exception that no test raised."""
    files = [
        file for name in PACKAGES for file in sorted(PLUGINS.glob(f"{name}/tinytorch_*/**/*.py"))
    ]
    return [
        f"{file.relative_to(PLUGINS)}: {name} documents {kind}"
        for file in files
        for name, kind in sorted(set(documented(file)))
        if (name, kind) not in raised
    ]


def runs_everything(config: pytest.Config) -> bool:
    """Return whether the run was asked for all tests, and is not part of another one."""
    option = config.option
    selected = option.keyword or option.markexpr or option.deselect or option.collectonly
    # pyproject.toml leaves one folder out.
    selected = selected or len(option.ignore) > 1
    return (
        config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and not selected
        and not getattr(option, "lf", False)  # the option of a plugin that can be left out
        and not hasattr(config, "workerinput")
    )


def pytest_configure() -> None:
    pytest.raises = recording_raises  # type: ignore[assignment]


def pytest_unconfigure() -> None:
    pytest.raises = original


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a process of pytest-xdist has noted; it may have crashed and sent nothing."""
    raised.update(map(tuple, getattr(node, "workeroutput", {}).get("raised", [])))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["raised"] = sorted(raised)
    elif session.exitstatus == pytest.ExitCode.OK and runs_everything(config):
        config.stash[LINES] = lines = untested()
        if lines:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if lines := config.stash.get(LINES, []):
        terminalreporter.section("documented exceptions that no test raises", red=True)
        terminalreporter.write_line("\n".join(lines))
