"""Plugins and data files are found in folders, zip files and frozen programs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipapp
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from tinytorch_core import __version__

INSTALLED = ("tinytorch-core", "tinytorch-autograd", "tinytorch-activations", "tinytorch-devkit")

PROGRAM = """
import importlib.metadata, importlib.resources
from tinytorch_core import Tensor, cli, plugins

x = Tensor([-1.0, 2.0], requires_grad=True)
x.relu().sum().backward()
print(*plugins.active(), x.grad, importlib.metadata.version("tinytorch-autograd"))
print(plugins.find("autograd").origin)
for name in ("clone", "sigmoid"):
    try:
        with plugins.disabled():
            getattr(x, name)
    except AttributeError as error:
        print(str(error).partition(", set")[0])
assert (importlib.resources.files("tinytorch_autograd") / "py.typed").is_file()
assert cli.main(["new-plugin", "mish"]) == 0
"""
EXPECTED = f"""\
autograd activations [0. 1.] {__version__}
tinytorch-autograd {__version__}
'Tensor' object has no attribute 'clone'. In place of PyTorch's clone, use x.copy().
'Tensor' object has no attribute 'sigmoid'. The plugin 'activations' provides it, which is off
wrote tinytorch-mish/. Next:
"""

# A program that was frozen into one file: its modules, data files and metadata are in memory.
FROZEN = """
import importlib.abc, importlib.metadata, importlib.util, sys, zipfile
from importlib.resources.abc import TraversableResources

archive = zipfile.ZipFile(sys.argv[1])
files = {name: archive.read(name) for name in archive.namelist()}
top = list(zipfile.Path(archive).iterdir())

class Frozen(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        module = name.replace(".", "/")
        package = f"{module}/__init__.py" in files
        if package or f"{module}.py" in files:
            return importlib.util.spec_from_loader(name, self, origin="frozen", is_package=package)

    def exec_module(self, module):
        name = module.__name__.replace(".", "/")
        package = hasattr(module, "__path__")
        text = files[f"{name}/__init__.py" if package else f"{name}.py"]
        exec(compile(text, module.__name__, "exec"), vars(module))

    def get_resource_reader(self, name):
        return Resources(name)

    def find_distributions(self, context):
        return [Distribution(each) for each in top if each.name.endswith(".dist-info")]

class Resources(TraversableResources):
    def __init__(self, package):
        self.package = package

    def files(self):
        return zipfile.Path(archive, self.package.replace(".", "/") + "/")

class Distribution(importlib.metadata.Distribution):
    def __init__(self, folder):
        self.folder = folder

    def read_text(self, name):
        file = self.folder / name
        return file.read_text("utf-8") if file.is_file() else None

    def locate_file(self, path):
        raise NotImplementedError

sys.meta_path.insert(0, Frozen())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `pip install --target` writes it, without NumPy and pluggy."""
    target = tmp_path_factory.mktemp("target")
    for name in INSTALLED:
        package = name.replace("-", "_")
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(Path(spec.origin).parent, target / package, ignore=ignored)
        installed = distribution(name)
        metadata = target / f"{package}-{installed.version}.dist-info"
        metadata.mkdir()
        for file in ("METADATA", "entry_points.txt"):
            (metadata / file).write_text(installed.read_text(file) or "", "utf-8")
        (metadata / "RECORD").write_text(f"{package}/__init__.py,,\n")
    return target


@pytest.fixture(scope="module")
def archive(folder: Path) -> Path:
    name = shutil.make_archive(str(folder), "zip", folder)
    return Path(name)


@pytest.fixture
def run(site: Any) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python with NumPy and pluggy, but without any other installed distribution."""
    (bare,) = site.bare()
    (Path(bare) / "tinytorch_core").unlink()

    def run(
        *arguments: object, path: object = "", cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TINYTORCH_")}
        return subprocess.run(
            [sys.executable, "-S", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd or site.work,
            env={**kept, "PYTHONPATH": os.pathsep.join(filter(None, [str(path), bare]))},
        )

    return run


def assert_works(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(EXPECTED)


@pytest.fixture
def place(folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder, into which a test may write."""
    return shutil.copytree(folder, tmp_path / "place")


@pytest.mark.parametrize(
    "start", ["in the folder", "program in the folder", "module", "PYTHONPATH", "both", "sys.path"]
)
def test_a_folder(start: str, run: Any, place: Path, site: Any) -> None:
    program = (place if "in the folder" in start else site.work) / "program.py"
    program.write_text(PROGRAM)
    (place / "run_it.py").write_text(PROGRAM)
    added = site.work / "adds_the_folder.py"
    added.write_text(f"import sys\nsys.path.insert(0, {str(place)!r})\n{PROGRAM}")
    done = {
        "in the folder": lambda: run("-c", PROGRAM, cwd=place),
        "program in the folder": lambda: run(program),
        "module": lambda: run("-m", "run_it", cwd=place),
        "PYTHONPATH": lambda: run(program, path=place),
        "both": lambda: run("-c", PROGRAM, path=place, cwd=place),
        "sys.path": lambda: run(added),
    }[start]()
    assert_works(done)


@pytest.mark.parametrize("start", ["PYTHONPATH", "sys.path", "zipapp"])
def test_a_zip_file(start: str, run: Any, archive: Path, place: Path, tmp_path: Path) -> None:
    if start == "PYTHONPATH":
        done = run("-c", PROGRAM, path=archive)
    elif start == "sys.path":
        done = run("-c", f"import sys\nsys.path.insert(0, {str(archive)!r})\n{PROGRAM}")
    else:
        (place / "__main__.py").write_text(PROGRAM)
        zipapp.create_archive(place, tmp_path / "app.pyz")
        done = run(tmp_path / "app.pyz")
    assert_works(done)


def test_a_frozen_program(run: Any, archive: Path) -> None:
    assert_works(run("-c", FROZEN + PROGRAM, archive))


def test_a_frozen_program_may_leave_out_the_data_files(run: Any, archive: Path) -> None:
    program = FROZEN + "files = {n: f for n, f in files.items() if not n.endswith('.txt')}\n"
    program = program.replace("Resources(name)", "None") + (
        "from tinytorch_core import Tensor, plugins\n"
        "print(*plugins.active())\n"
        "print(hasattr(Tensor([1.0]), 'no_such_name'))\n"
    )
    done = run("-c", program, archive)
    assert (done.stdout, done.stderr) == ("autograd activations\nFalse\n", "")
