"""Shared by the tests of the core: two surfaces, and folders with installed plugins."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy
import pluggy
import pytest

import tinytorch_core
from tinytorch_core import plugins


@pytest.fixture(scope="module", params=["no plugin", "every plugin"])
def each_surface(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test on the plain Tensor, and again with every installed plugin."""
    everything = [p.name for p in plugins.status() if p.distribution != "registered from code"]
    with plugins.only(*everything if request.param == "every plugin" else ()):
        yield


# Python imports this module when it starts. Only `sleep` advances the clock that times imports, so
# that no test depends on the speed of the machine.
CLOCK = """
import time

now = 0.0

def sleep(seconds):
    global now
    now += seconds

time.sleep = sleep
time.perf_counter = lambda: now
"""


class Site:
    """A folder of installed distributions. It runs programs that import from there."""

    def __init__(self, folder: Path) -> None:
        self.packages = folder / "site"
        self.work = folder / "work"
        self.packages.mkdir()
        self.work.mkdir()
        (self.packages / "sitecustomize.py").write_text(CLOCK)

    def install(
        self,
        name: str,
        code: str = "",
        *,
        distribution: str | None = None,
        module: str | None = None,
        value: str | None = None,
        attributes: Sequence[str] = (),
        requires: Sequence[str] = (),
    ) -> None:
        """Write the files that pip installs for a plugin of one module: the module and metadata."""
        distribution = distribution or f"{name}-dist"
        module = module or f"{name}_module"
        (self.packages / f"{module}.py").write_text(textwrap.dedent(code), encoding="utf-8")
        metadata = self.packages / f"{distribution.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
            + "".join(f"Requires-Dist: {required}\n" for required in requires)
            + "\nName: not this one\n"
        )
        announced = "".join(f"{attribute} = {name}\n" for attribute in attributes)
        (metadata / "entry_points.txt").write_text(
            f"[tinytorch]\n{name} = {value or module}\n[tinytorch.attributes]\n{announced}"
        )

    def replace_pip(self) -> None:
        """Make `pip check` report nothing at once, for tests of what `doctor` does besides it."""
        (self.packages / "pip.py").write_text("print('No broken requirements found.')")

    def bare(self) -> list[str]:
        """Return import paths with NumPy, pluggy and the core, but without plugins."""
        bare = self.packages.parent / "bare"
        bare.mkdir()
        for package in (numpy, pluggy, tinytorch_core):
            home = Path(str(package.__file__)).parent
            (bare / home.name).symlink_to(home)
        libraries = Path(numpy.__file__).parents[1] / "numpy.libs"
        if libraries.exists():
            (bare / "numpy.libs").symlink_to(libraries)
        return [str(bare)]

    def run(self, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the working directory, which is empty at first."""
        return self.start("-c", textwrap.dedent(code), **variables)

    def plugins(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `tinytorch plugins`."""
        return self.start("-m", "tinytorch_core", "plugins", **variables)

    def start(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments and environment variables."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TINYTORCH_")}
        kept.pop("PYTHONWARNINGS", None)
        path = [str(self.packages), *filter(None, [kept.get("PYTHONPATH")])]
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            encoding=variables.get("PYTHONIOENCODING"),
            cwd=self.work,
            env={**kept, "PYTHONPATH": os.pathsep.join(path), **variables},
        )


@pytest.fixture(scope="session")
def make_site(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Site]:
    return lambda: Site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def site(make_site: Callable[[], Site]) -> Site:
    return make_site()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Show functions by their names in test ids."""
    name = getattr(val, "__name__", None)
    return name if callable(val) and name != "<lambda>" else None
