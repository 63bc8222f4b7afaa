"""install and uninstall provide the course's modules, and never in place of other ones."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tinytorch_core
from tinytorch_core import PluginError, plugins

import tinytorch_course

CORE = [
    "tensor",
    "activations",
    "layers",
    "losses",
    "autograd",
    "optimizers",
    "training",
    "dataloader",
    "spatial",
    "tokenization",
    "embeddings",
    "attention",
    "transformer",
]
PATHS = [
    "tinytorch",
    "tinytorch.nn",
    "tinytorch.data.loader",
    "tinytorch.text.embeddings",
    "tinytorch.text.tokenization",
    "tinytorch.models.transformer",
    *(f"tinytorch.core.{name}" for name in CORE),
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.usefixtures("course")
def test_a_path_has_its_names(path: str) -> None:
    module = importlib.import_module(path)
    assert module.__all__
    assert set(module.__all__) <= set(vars(module))


@pytest.mark.usefixtures("course")
def test_one_class_has_one_identity() -> None:
    import tinytorch
    from tinytorch.core.spatial import Conv2d, MaxPool2D, MaxPool2d
    from tinytorch.models.transformer import GPT
    from tinytorch.nn import Linear

    assert tinytorch.Conv2d is Conv2d
    assert tinytorch.Linear is Linear
    assert tinytorch.core.transformer.GPT is GPT
    assert MaxPool2D is MaxPool2d


def test_installing_twice_is_the_same_as_once() -> None:
    with tinytorch_course.install():
        with tinytorch_course.install():
            assert tinytorch_course.is_installed()
        assert importlib.import_module("tinytorch").Tensor
    assert not tinytorch_course.is_installed()


def test_nothing_is_left_after_a_block() -> None:
    finders, active = list(sys.meta_path), plugins.active()
    with tinytorch_course.install():
        importlib.import_module("tinytorch.core.tensor")
        assert "course" in plugins.active()
        assert hasattr(tinytorch_core.Tensor(1.0), "_grad_fn")
    assert sys.meta_path == finders
    assert plugins.active() == active
    assert not any(name.partition(".")[0] == "tinytorch" for name in sys.modules)
    assert not hasattr(tinytorch_core.Tensor(1.0), "_grad_fn")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("tinytorch")
    tinytorch_course.uninstall()  # does nothing


def test_the_tensor_of_the_core_does_not_change_without_install() -> None:
    x = tinytorch_core.Tensor(np.ones(2))
    assert x.dtype == np.float64
    assert (tinytorch_core.Tensor([1.0]) * np.ones(1)).dtype == np.float64


def write(folder: Path, kind: str) -> None:
    """Write a module, a package, or a folder without __init__.py named tinytorch."""
    files = {"module": "tinytorch.py", "package": "tinytorch/__init__.py", "folder": "tinytorch/a"}
    file = folder / files[kind]
    file.parent.mkdir(exist_ok=True)
    file.write_text("Tensor = 'another one'\n")


@pytest.mark.parametrize("kind", ["module", "package", "folder"])
def test_another_tinytorch_is_an_error(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, kind)
    monkeypatch.syspath_prepend(str(tmp_path))
    finders, active = list(sys.meta_path), plugins.active()
    with pytest.raises(ImportError, match="never replaces") as caught:
        tinytorch_course.install()
    assert str(tmp_path) in str(caught.value)
    assert "uninstall that package, or rename or move" in str(caught.value)
    assert sys.meta_path == finders
    assert plugins.active() == active


def test_another_tinytorch_that_is_imported_already_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tinytorch", ModuleType("tinytorch"))
    with pytest.raises(ImportError, match="a module that the program has created"):
        tinytorch_course.install()


@pytest.mark.usefixtures("course")
def test_another_tinytorch_that_appears_later_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "package")
    monkeypatch.syspath_prepend(str(tmp_path))
    other = importlib.import_module("tinytorch")
    assert other.Tensor == "another one"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("tinytorch.core")
    tinytorch_course.uninstall()
    assert sys.modules.pop("tinytorch") is other


def test_a_disabled_plugin_is_named() -> None:
    finders = list(sys.meta_path)
    with plugins.disable("losses"), pytest.raises(PluginError, match="losses"):
        tinytorch_course.install()
    assert sys.meta_path == finders
    assert not tinytorch_course.is_installed()


def command(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tinytorch_course", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


def test_the_command_runs_a_program_with_its_arguments(tmp_path: Path) -> None:
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "helper.py").write_text("from tinytorch import Tensor\nx = Tensor([1, 2])\n")
    (folder / "program.py").write_text(
        "import sys\nfrom helper import x\nif __name__ == '__main__': print(sys.argv[1:], x)\n"
    )
    done = command("programs/program.py", "--epochs", 3, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "['--epochs', '3'] Tensor([1., 2.])\n"


def test_the_command_does_not_replace_a_file_next_to_the_program(tmp_path: Path) -> None:
    write(tmp_path, "module")
    (tmp_path / "program.py").write_text("print('not reached')\n")
    done = command("program.py", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"imports {tmp_path}" in done.stderr.replace("`import tinytorch` ", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "usage:"), (["-m", "x"], "usage:"), (["missing.py"], "missing.py is not a file")],
)
def test_the_command_explains_its_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from tinytorch_course.__main__ import main

    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_the_command_has_a_help(capsys: pytest.CaptureFixture[str]) -> None:
    from tinytorch_course.__main__ import main

    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "program.py" in capsys.readouterr().out
