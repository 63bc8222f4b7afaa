"""The larger plugins in examples/ pass their own tests when installed with pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"
# Those with comparisons with PyTorch among their tests.
COMPARED = ("amp", "special")


def run_its_tests(name: str, folder: Path, *options: str) -> None:
    """Install the plugin into `folder` and run its tests against the installed package."""
    source = folder / "source"
    shutil.copytree(EXAMPLES / f"tinytorch-{name}", source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    install = ["install", "--no-build-isolation", "--no-deps", "--target", folder / "site", source]
    # pip would install setuptools again for each build. The packages that setuptools contains come
    # first, because it refuses an older `packaging`.
    contained = Path(find_spec("setuptools").origin).with_name("_vendor")
    subprocess.run([*pip, *install], check=True, env={**os.environ, "PYTHONPATH": str(contained)})
    # Otherwise Python would import the package from the source folder.
    package = f"tinytorch_{name}"
    for copied in (package, "build"):
        shutil.rmtree(source / copied, ignore_errors=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TINYTORCH", "PYTEST"))}
    path = [str(folder / "site"), *filter(None, [environment.get("PYTHONPATH")])]
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--doctest-modules"]
    # Hypothesis, which these tests do not use, takes long to import.
    tests += ["-p", "no:hypothesispytest"]
    done = subprocess.run(
        [sys.executable, *tests, "tests", "--pyargs", package, *options],
        cwd=source,
        env={**environment, "PYTHONPATH": os.pathsep.join(path), "TINYTORCH_STRICT": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr


@pytest.mark.parametrize("name", ["amp", "named", "profiler", "special"])
def test_the_plugin_passes_its_own_tests(name: str, tmp_path: Path) -> None:
    run_its_tests(name, tmp_path, *(["-m", "not peers"] if name in COMPARED else []))


@pytest.mark.peers
@pytest.mark.parametrize("name", COMPARED)
def test_the_plugin_agrees_with_pytorch(name: str, tmp_path: Path) -> None:
    run_its_tests(name, tmp_path, "-m", "peers")
