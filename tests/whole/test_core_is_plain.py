"""The core contains nothing about gradients, except names in the data file hints.txt."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import tinytorch_core
from tinytorch_core import Tensor, plugins

CORE = Path(tinytorch_core.__file__).parent
ABOUT_GRADIENTS = re.compile("grad|backward", re.IGNORECASE)


def text(file: Path) -> str:
    # A norm of Fourier transforms has the name "backward".
    return file.read_text("utf-8").replace('"backward"', "")


def test_only_the_hints_mention_gradients() -> None:
    files = [f for f in CORE.rglob("*") if f.is_file() and f.suffix != ".pyc"]
    mentioning = {f.name for f in files if ABOUT_GRADIENTS.search(text(f))}
    assert {"tensor.py", "surface.py", "hints.txt"} <= {f.name for f in files}
    assert mentioning == {"hints.txt"}


def test_the_plain_tensor_has_no_names_about_gradients() -> None:
    with plugins.only():
        names = {*dir(Tensor), *dir(Tensor([1.0])), *Tensor._calls, *plugins.surface().keywords}
        assert not [name for name in names if ABOUT_GRADIENTS.search(name)]
        assert not hasattr(Tensor([1.0]), "grad")
        with pytest.raises(TypeError, match="The plugin 'autograd' provides it, which is off"):
            Tensor([2.0], requires_grad=True)


def test_the_core_imports_no_plugin() -> None:
    imports = re.compile(r"^\s*(?:from|import)\s+(tinytorch_\w+)", re.MULTILINE)
    named = {n for f in CORE.rglob("*.py") for n in imports.findall(f.read_text("utf-8"))}
    assert named == {"tinytorch_core"}


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x * 2 + 1,
        lambda x: x.reshape(2, 1) @ x.reshape(1, 2),
        lambda x: np.exp(x).sum(),
        lambda x: np.where(x > 1, x, 0),
        lambda x: x[1:],
    ],
)
def test_results_are_the_same_with_every_plugin_and_with_none(compute: object) -> None:
    x = Tensor([1.0, 2.0])
    with_all = compute(x)
    with plugins.only():
        plain = compute(x)
    np.testing.assert_array_equal(with_all.data, plain.data)
    assert with_all.dtype == plain.dtype == np.float32
