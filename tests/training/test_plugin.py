"""The training plugin: what it imports at start-up, and what it adds."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tinytorch_core import Tensor, plugins

OPS = {"sgd_update", "adam_update", "rmsprop_update"}


def modules(program: str, selection: str = "all") -> set[str]:
    """Return the names of the modules that a program has imported."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{program}\nimport sys; print(*sys.modules)"],
        env=os.environ | {"TINYTORCH_PLUGINS": selection, "TINYTORCH_STRICT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stdout.split())


def test_start_up_imports_no_optional_dependencies() -> None:
    loaded = modules("import tinytorch_core")
    assert "tinytorch_training.plugin" in loaded
    assert not loaded & {"tqdm", "matplotlib", "safetensors", "json"}


def test_disabled_autograd_is_not_imported() -> None:
    loaded = modules("import tinytorch_training", "no:autograd")
    assert "tinytorch_training" in loaded
    assert "tinytorch_autograd" not in loaded


@pytest.mark.parametrize("first", ["tinytorch_training", "tinytorch_training.plugin"])
def test_training_can_be_imported_first(first: str) -> None:
    assert "tinytorch_autograd" in modules(f"import {first}")


def test_plugin_adds_ops_but_no_methods() -> None:
    assert set(Tensor._calls) >= OPS
    assert not [name for name in OPS if hasattr(Tensor, name)]
    with plugins.disable("training"):
        assert not OPS & set(Tensor._calls)
