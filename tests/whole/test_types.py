"""The types of a typical program: mypy and pyright accept it and report its mistakes."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
import types
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytorch_core
from tinytorch_core.cli import main

PROGRAMS = Path(__file__).with_name("typed")
SOURCES = Path(tinytorch_core.__file__).parents[1]
PACKAGES = [SOURCES, *sorted(path.parent for path in SOURCES.glob("plugins/*/pyproject.toml"))]


def is_of(value: Any, kind: Any) -> bool:
    """Return whether a value has a type, as far as a value shows it."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return True
    if origin is types.UnionType:
        return any(is_of(value, each) for each in arguments)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return len(value) == len(arguments) and all(map(is_of, value, arguments))
    if origin in (tuple, list):
        return type(value) is origin and all(is_of(item, arguments[0]) for item in value)
    if origin is dict:
        return all(is_of(k, arguments[0]) and is_of(v, arguments[1]) for k, v in value.items())
    return isinstance(value, origin or (kind or types.NoneType))


def test_the_types_that_the_checkers_infer_are_those_of_the_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked = []

    def check(value: Any, kind: Any) -> Any:
        assert is_of(value, kind), f"{type(value)} is not {kind}"
        checked.append(kind)
        return value

    monkeypatch.setattr(typing, "assert_type", check)
    runpy.run_path(str(PROGRAMS / "program.py"), run_name="__main__")
    assert len(checked) > 100


def test_a_wrong_statement_about_a_type_would_be_noticed() -> None:
    x = tinytorch_core.Tensor([1.0])
    assert is_of((x, 1), tuple[tinytorch_core.Tensor, int])
    assert not is_of((x.data, 1), tuple[tinytorch_core.Tensor, int])
    assert not is_of([x.data], list[tinytorch_core.Tensor])
    assert not is_of(x, np.ndarray[Any, Any] | None)
    assert not is_of({"w": 1.0}, dict[str, tinytorch_core.Tensor])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the programs and the stubs that the command writes for the active plugins."""
    folder = tmp_path_factory.mktemp("project")
    assert main(["stubs", "--output", str(folder / "typings")]) == 0
    for program in PROGRAMS.glob("*.py"):
        (folder / program.name).write_text(program.read_text("utf-8"), "utf-8")
    return folder


def mypy(folder: Path) -> str:
    return subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent"),
            *("--exclude=typings", f"--cache-dir={folder / 'cache'}", "."),
        ],
        cwd=folder,
        env={**os.environ, "MYPYPATH": os.pathsep.join(map(str, [folder / "typings", *PACKAGES]))},
        capture_output=True,
        text=True,
    ).stdout


def pyright(folder: Path) -> str:
    settings = {"typeCheckingMode": "strict", "extraPaths": list(map(str, PACKAGES))}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    # Without the variable, it looks for a newer version on the index.
    return subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable],
        cwd=folder,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.peers("pyright", "mypy")
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_the_checkers_accept_the_program_and_report_each_mistake(
    checker: Any, folder: Path
) -> None:
    output = checker(folder)
    found = re.findall(r"^(.*?\w+\.pyi?):(\d+).*?\berror\b", output, re.MULTILINE)
    lines = [(Path(file.strip()).name, int(number)) for file, number in found]
    text = (PROGRAMS / "mistakes.py").read_text("utf-8")
    expected = [i for i, line in enumerate(text.splitlines(), 1) if "  # error" in line]
    assert sorted(set(lines)) == [("mistakes.py", number) for number in expected], output
