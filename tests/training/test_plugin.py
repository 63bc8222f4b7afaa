"""The training plugin at the start of a program, and switched off."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tinytorch_core import Tensor, plugins

OPS = {"sgd_update", "adam_update", "rmsprop_update"}


def modules(program: str, chosen: str = "all") -> set[str]:
    """The modules that a program has imported at its end."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{program}\nimport sys; print(*sys.modules)"],
        env=os.environ | {"TINYTORCH_PLUGINS": chosen, "TINYTORCH_STRICT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stdout.split())


def test_the_start_of_a_program_is_not_slowed_by_what_few_need() -> None:
    loaded = modules("import tinytorch_core")
    assert "tinytorch_training.plugin" in loaded
    assert not loaded & {"tqdm", "matplotlib", "safetensors", "json"}


def test_with_autograd_off_it_is_not_imported() -> None:
    loaded = modules("import tinytorch_training", "no:autograd")
    assert "tinytorch_training" in loaded
    assert "tinytorch_autograd" not in loaded


@pytest.mark.parametrize("first", ["tinytorch_training", "tinytorch_training.plugin"])
def test_it_may_be_the_first_import(first: str) -> None:
    assert "tinytorch_autograd" in modules(f"import {first}")


def test_it_brings_ops_and_no_methods() -> None:
    assert set(Tensor._calls) >= OPS
    assert not [name for name in OPS if hasattr(Tensor, name)]
    with plugins.disable("training"):
        assert not OPS & set(Tensor._calls)


def test_its_readme_shows_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    readme = Path(__file__).parents[2] / "plugins" / "training" / "README.md"
    (program,) = re.findall(r"```python\n(.*?)```", readme.read_text("utf-8"), flags=re.DOTALL)
    exec(program, {})
    assert f"# {capsys.readouterr().out.strip()}\n" in program
