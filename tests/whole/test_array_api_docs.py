"""SciPy's functions do with Tensors what docs/array-api.md says."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "array-api.md"
DIFFERENTIABLE, OTHERS = "differentiable", "values only, or differentiable in some arguments"

VERSION = tuple(map(int, importlib.metadata.version("scipy").split(".")[:2]))
pytestmark = pytest.mark.skipif(VERSION < (1, 17), reason="SciPy 1.17 supports more functions")


def listed(title: str) -> set[str]:
    """Return the functions in a table of the page, without `scipy.`."""
    _, _, rows = PAGE.read_text("utf-8").partition(f"| module | {title} |\n|---|---|\n")
    found = set()
    for module, names in re.findall(r"\| `scipy\.([\w.]+)` \| (.*) \|", rows.partition("\n\n")[0]):
        prefix = "" if module == "spatial.transform" else f"{module}."
        found |= {prefix + name for name in re.findall(r"`([\w.]+)`", names)}
    return found


def outcomes(*names: str) -> dict[str, dict[str, str]]:
    """Return the functions by what becomes of them, of which `names` selects some."""
    program = Path(__file__).with_name("scipy_functions.py")
    command = [sys.executable, program, *names]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_some_functions() -> None:
    names = ["special.logsumexp", "stats.zscore", "signal.hilbert", "Rotation.inv", "fft.rfft"]
    assert outcomes(*names) == {"differentiable": dict.fromkeys(names, "")}
    assert set(names) <= listed(DIFFERENTIABLE)


# Together with the comparisons with other frameworks, because it takes some seconds.
@pytest.mark.peers("array_api_strict")
def test_the_tables_list_what_all_functions_do() -> None:
    found = outcomes()
    assert set(found.pop("differentiable")) == listed(DIFFERENTIABLE)
    assert {name for names in found.values() for name in names} == listed(OTHERS)
    # No gradient is lost silently.
    assert {reason for names in found.values() for reason in names.values()} <= {
        "InPlaceError",
        "LostGradientError",
        "ModifiedError",
        "NoRuleError",
        "NotImplementedError",
    }
