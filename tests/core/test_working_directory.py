"""TinyTorch never runs code from the working directory."""

from __future__ import annotations

import os
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


def test_no_file_next_to_the_program_is_run(traps: Any, tmp_path: Path) -> None:
    """The program is in another folder than the working directory."""
    traps.work = tmp_path
    program = traps.packages.parent / "work" / "program.py"
    for start in (program, "-c"):
        code = f"import runpy; runpy.run_path({str(program)!r}, run_name='__mp_main__')"
        done = traps.start(str(start), *([code] if start == "-c" else []))
        assert (done.returncode, done.stderr) == (0, "")
        for name in ("activations", "autograd", "honest", "losses"):
            assert name in done.stdout
        assert "trap" not in done.stdout
        assert not (program.parent / "trapped").exists()
        assert not (tmp_path / "trapped").exists()
        # As in a process of multiprocessing, whose path is that of the program.
        traps.packages = f"{program.parent}:{traps.packages}"


@pytest.mark.parametrize(
    ("trap", "text", "started"),
    [
        ("honest_module.py", TRAP, "-c"),
        ("honest_module.py", "x = 1\n", "-m"),
        ("honest_module.py", f"{PROGRAM}\n{TRAP}", "program.py"),
        ("honest_module/__init__.py", TRAP, "program.py"),
        ("honest_module/__init__.py", "x = 1\n", "-c"),
        ("honest_module/__init__.py", f"{PROGRAM}\n{TRAP}", "-m"),
    ],
)
def test_a_file_that_the_program_imported_does_not_become_a_plugin(
    trap: str, text: str, started: str, traps: Any
) -> None:
    (traps.work / "honest_module.py").unlink()
    file = traps.work / trap
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    program = f"import honest_module\n{PROGRAM}"
    (traps.work / "program.py").write_text(program)
    start = [started, *{"-c": [program], "-m": ["program"]}.get(started, [])]
    done = traps.start(*start)
    assert done.returncode == 0
    assert "honest" not in done.stdout.splitlines()[-1].split()
    installed = traps.packages / "honest_module.py"
    assert (
        f"{file} was imported as 'honest_module', in place of the installed {installed}; "
        f"rename {file}"
    ) in done.stderr
    done = traps.start(*start, TINYTORCH_PLUGINS="no:honest")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_in_the_folder_of_an_editable_install_may_import_the_plugin(site: Any) -> None:
    site.install("honest", PLUGIN)
    (site.packages / "honest_module.py").rename(site.work / "honest_module.py")
    (site.work / "program.py").write_text(f"import honest_module\n{PROGRAM}")
    # pip lists the folder of an editable install in a .pth file, and so in sys.path.
    done = site.start("program.py", PYTHONPATH=f"{site.packages}{os.pathsep}{site.work}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "honest" in done.stdout


def test_plugins_that_are_installed_in_the_working_directory_are_found(traps: Any) -> None:
    """An installer writes a RECORD, and the metadata of a source tree has none."""
    for folder in ("trap-1.0.dist-info", "trap.egg-info"):
        (traps.work / folder / "RECORD").write_text("trap.py,,\n")
    done = traps.start("program.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert "trap" in done.stdout
    assert (traps.work / "trapped").exists()
    # The other files are not run, although they are in the same folder.
    (traps.work / "trap.py").write_text(PLUGIN)
    (traps.work / "trapped").unlink()
    done = traps.start("program.py")
    assert {"honest", "trap"} <= set(done.stdout.split())
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
