"""A plugin that describes its ops works in environments with and without the devkit."""

from __future__ import annotations

from pathlib import Path

import pytest

import tinytorch_devkit

PLUGIN = """
from tinytorch_core import hookimpl

@hookimpl
def tinytorch_register_ops(ops):
    ops.add("cube", lambda x: x * x * x, method=True, doc="The third power.")

@hookimpl
def tinytorch_describe_ops(samples):
    samples.add("cube", lambda x: x**3)

@hookimpl
def tinytorch_register_checks(checks):
    def is_short(op):
        "The name of the op is short."
    checks.for_op(is_short)
"""

PROGRAM = """
import importlib.util, sys
sys.path[:0] = {path!r}
from tinytorch_core import Tensor, plugins

(status,) = plugins.status()
print(status.name, status.state, status.error)
print(Tensor([2.0]).cube().tolist())
print("tinytorch_devkit" in sys.modules, bool(importlib.util.find_spec("tinytorch_devkit")))
"""


@pytest.mark.parametrize("installed", [True, False], ids=["with devkit", "without devkit"])
def test_the_plugin_works_and_does_not_import_the_devkit(site, installed: bool) -> None:
    site.install("cube", PLUGIN)
    path = site.bare()
    if installed:
        package = Path(tinytorch_devkit.__file__).parent
        Path(path[0], package.name).symlink_to(package)
    path.append(str(site.packages))
    # Without site-packages, so that nothing else is installed.
    program = PROGRAM.format(path=path)
    done = site.start("-I", "-S", "-c", program)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["cube on None", "[8.0]", f"False {installed}"]


def test_with_the_devkit_its_hooks_are_called(site) -> None:
    site.install("cube", PLUGIN)
    done = site.run("""
        from tinytorch_devkit import check_plugin

        results = check_plugin("cube", checks=["agrees_with_reference", "is_short"])
        print([(result.case, result.outcome) for result in results])
    """)
    assert done.stderr == ""
    assert done.stdout == "[(cube-agrees_with_reference, 'passed'), (cube-is_short, 'passed')]\n"
