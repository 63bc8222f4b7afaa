"""TinyTorch never runs code from the working directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PROGRAM = "from tinytorch_core import Tensor, plugins; Tensor([1.0]); print(*plugins.active())"
PLUGIN = """
from tinytorch_core import hookimpl
@hookimpl
def tinytorch_register_ops(ops): pass
"""
TRAP = "open('trapped', 'w').close()\n" + PLUGIN


@pytest.fixture
def traps(site: Any) -> Any:
    """A working directory with everything that could be mistaken for a plugin."""
    site.install("honest", PLUGIN)
    work: Path = site.work
    for module in ("honest_module", "tinytorch_activations", "tinytorch_autograd", "trap"):
        (work / f"{module}.py").write_text(TRAP)
    (work / "tinytorch_losses").mkdir()
    (work / "tinytorch_losses" / "__init__.py").write_text(TRAP)
    for folder in ("trap-1.0.dist-info", "trap.egg-info"):
        (work / folder).mkdir()
        (work / folder / "entry_points.txt").write_text("[tinytorch]\ntrap = trap\n")
    (work / "setup.py").write_text(TRAP)
    (work / "conftest.py").write_text(TRAP)
    (work / "program.py").write_text(PROGRAM)
    return site


@pytest.mark.parametrize(
    "start",
    [("-c", PROGRAM), ("-m", "program"), ("program.py",), ("-m", "tinytorch_core", "plugins")],
)
def test_no_file_of_the_working_directory_is_run(start: tuple[str, ...], traps: Any) -> None:
    done = traps.start(*start)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("activations", "autograd", "honest", "losses"):
        assert name in done.stdout
    assert not (traps.work / "trapped").exists()


def test_a_configuration_that_names_code_is_an_error(traps: Any) -> None:
    (traps.work / "tinytorch.toml").write_text('[plugins]\nhonest = "trap:plugin"\n')
    done = traps.start("-c", PROGRAM)
    assert "plugins.honest must be true or false" in done.stderr
    (traps.work / "tinytorch.toml").write_text("[plugins]\ntrap = true\n")
    done = traps.start("-c", PROGRAM)
    assert "names the plugin 'trap', which is not installed" in done.stderr
    assert not (traps.work / "trapped").exists()


def test_a_module_of_the_working_directory_is_not_a_plugin(traps: Any) -> None:
    (traps.packages / "honest_module.py").unlink()
    done = traps.start("-W", "ignore", "-m", "tinytorch_core", "plugins")
    assert "ModuleNotFoundError: No module named 'honest_module' is installed" in done.stdout
    assert not (traps.work / "trapped").exists()
