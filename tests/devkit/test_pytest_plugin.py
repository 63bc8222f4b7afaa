"""The pytest fixtures of the devkit, in separate pytest processes like those of plugin authors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = '''
from types import SimpleNamespace

import pytest

from tinytorch_core import Tensor, hookimpl, plugins


def test_clean_core(clean_core):
    assert clean_core is Tensor
    assert plugins.active() == ()
    assert not hasattr(Tensor, "backward")


def test_the_plugins_are_restored_after_clean_core():
    assert "autograd" in plugins.active()


@hookimpl
def tinytorch_register_ops(ops):
    ops.add("thrice", lambda x: 3 * x, method=True)


def test_only_plugins(only_plugins):
    only_plugins("losses")
    assert plugins.active() == ("losses",)
    only_plugins("autograd", SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops))
    assert plugins.active() == ("SimpleNamespace", "autograd")
    assert Tensor([2.0]).thrice().tolist() == [6]


def test_the_plugins_are_restored_after_only_plugins():
    assert "activations" in plugins.active()
    assert "SimpleNamespace" not in [p.name for p in plugins.status()]


def test_run_with_plugins(run_with_plugins):
    program = """
        from tinytorch_core import plugins
        print(*plugins.active())
    """
    assert run_with_plugins(program) == "\\n"
    assert run_with_plugins(program, "losses", "autograd") == "autograd losses\\n"


def test_run_with_plugins_fails_with_the_program(run_with_plugins):
    with pytest.raises(pytest.fail.Exception, match="(?s)with losses.*ZeroDivisionError"):
        run_with_plugins("1 / 0", "losses")
'''


def run_pytest(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TINYTORCH_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    # Hypothesis, which these tests do not use, takes long to import.
    command += ["-p", "no:hypothesispytest"]
    return subprocess.run(
        [*command, *options], cwd=folder, env=kept | variables, capture_output=True, text=True
    )


def test_each_fixture_works_and_restores_the_plugins(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(PROGRAM)
    done = run_pytest(tmp_path)
    assert "6 passed" in done.stdout, done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize("options", [(), ("-p", "no:tinytorch")], ids=["on", "off"])
def test_a_pytest_run_that_uses_no_fixture_imports_neither_the_core_nor_numpy(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    expected = "tinytorch_devkit tinytorch_devkit.fixtures" if not options else ""
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_other():\n"
        "    loaded = [m for m in sys.modules if m == 'numpy' or 'tinytorch' in m]\n"
        f"    assert sorted(m for m in loaded if 'editable' not in m) == {expected.split()}\n"
    )
    # Other plugins of this environment may import NumPy.
    alone = options or ("-p", "tinytorch")
    done = run_pytest(tmp_path, *alone, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert "1 passed" in done.stdout, done.stdout


def test_the_fixtures_can_be_turned_off(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_mine(clean_core):\n    pass\n")
    done = run_pytest(tmp_path, "-p", "no:tinytorch")
    assert "fixture 'clean_core' not found" in done.stdout


def test_pytest_does_not_warn_when_the_devkit_was_imported_before_it(tmp_path: Path) -> None:
    # The files of an installed wheel. pytest rewrites those of wheels with a pytest plugin.
    metadata = tmp_path / "site" / "wheel-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Name: wheel\nVersion: 1.0\n")
    (metadata / "RECORD").write_text(
        "tinytorch_devkit/__init__.py,,\ntinytorch_devkit/fixtures.py,,\n"
    )
    (metadata / "entry_points.txt").write_text("[pytest11]\nwheel = tinytorch_devkit.fixtures\n")
    (tmp_path / "test_mine.py").write_text("def test_mine():\n    pass\n")
    program = (
        f"import sys; sys.path.append({str(metadata.parent)!r})\n"
        "import tinytorch_devkit.fixtures, pytest\n"
        "sys.exit(pytest.main(['-q', '-W', 'error', '-p', 'no:cacheprovider', '-p', 'no:wheel']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
