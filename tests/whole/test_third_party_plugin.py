"""A third-party plugin, installed with pip as its README describes, works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "examples" / "plugins" / "tinytorch-swish"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the plugin with pip into a folder, and return the folder."""
    folder = tmp_path_factory.mktemp("third_party")
    # A copy, because building writes files next to the source.
    copy = shutil.copytree(SOURCE, folder / "source")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    install = ["install", "--no-deps", "--target", folder / "site", copy]
    subprocess.run([*pip, *install], check=True)
    return folder


def run(installed: Path, *arguments: str, plugins: str = "all") -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TINYTORCH_")}
    path = [str(installed / "site"), *filter(None, [environment.get("PYTHONPATH")])]
    environment |= {"PYTHONPATH": os.pathsep.join(path), "TINYTORCH_PLUGINS": plugins}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=installed,
        env={**environment, "TINYTORCH_STRICT": "1"},
        capture_output=True,
        text=True,
    )


DERIVATIVES = """
import numpy as np
from tinytorch_core import Tensor
from tinytorch_autograd import grad

points = np.array([-3.0, -0.5, 0.0, 1.0, 4.0])
x = Tensor(points, requires_grad=True)

def swish(a):
    return a / (1 + np.exp(-a))

def numerically(f, a, h=1e-4):
    return (f(a + h) - f(a - h)) / (2 * h)

np.testing.assert_allclose(x.swish().data, swish(points))
first = grad(x.swish().sum(), x, create_graph=True)
np.testing.assert_allclose(first.data, numerically(swish, points), atol=1e-7)
second = grad(first.sum(), x, create_graph=True)
np.testing.assert_allclose(
    second.data, numerically(lambda a: numerically(swish, a), points), atol=1e-6
)
x.swish().sum().backward()
np.testing.assert_allclose(x.grad, first.data)

single = Tensor([1.0], requires_grad=True)
single.swish().backward()
assert single.grad.dtype == single.swish().dtype == np.float32
"""


def test_first_and_second_derivatives(installed: Path) -> None:
    done = run(installed, "-c", DERIVATIVES)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_lists_it(installed: Path) -> None:
    done = run(installed, "-m", "tinytorch_core", "plugins")
    rows = [line.split()[:5] for line in done.stdout.splitlines()]
    assert ["swish", "tinytorch-swish", "1.0", "on", "TINYTORCH_PLUGINS"] in rows
    assert (done.returncode, done.stderr) == (0, "")


def test_it_passes_the_conformance_kit(installed: Path) -> None:
    done = run(installed, "-m", "tinytorch_core", "check", "swish")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "  checks by the devkit, autograd and compile"


def test_its_op_works_without_autograd(installed: Path) -> None:
    code = """
import sys
from tinytorch_core import Tensor
assert repr(Tensor([0.0, 1.0]).swish()) == "Tensor([0.       , 0.7310586])"
assert not hasattr(Tensor, "backward")
assert "tinytorch_autograd" not in sys.modules
"""
    done = run(installed, "-c", code, plugins="swish")
    assert (done.returncode, done.stderr) == (0, "")


def test_its_module_may_be_imported_before_the_core(installed: Path) -> None:
    code = """
import tinytorch_swish
from tinytorch_core import Tensor, plugins
x = Tensor([0.0], requires_grad=True)
x.swish().backward()
assert x.grad == 0.5
assert "swish" in plugins.active()
"""
    done = run(installed, "-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_in_its_readme_runs(installed: Path) -> None:
    readme = (SOURCE / "README.md").read_text("utf-8")
    (program,) = [part.partition("```")[0] for part in readme.split("```python\n")[1:]]
    done = run(installed, "-c", program)
    assert done.stderr == ""
    # s + x s (1 - s), with s = 1 / (1 + exp(-x)); the last digit depends on the processor's tanh.
    found = [float(number) for number in done.stdout.strip("[]\n ").split()]
    assert found == pytest.approx([0.927670512, 1.090784249], rel=2e-7)
