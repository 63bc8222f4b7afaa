"""The program in the devkit's README prints what the README shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tinytorch_devkit

README = Path(tinytorch_devkit.__file__).parents[1] / "README.md"


def test_the_program_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    exec(compile(program, README.name, "exec"), {})
    expected = re.findall(r"print\(.*\)  # (.*)", program)
    assert expected
    assert capsys.readouterr().out.splitlines() == expected
