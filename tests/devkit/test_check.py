"""`tinytorch check`, as a user runs it on installed plugins."""

from __future__ import annotations

import re

import pytest

HOOKS = """
from tinytorch_core import hookimpl

@hookimpl
def tinytorch_register_ops(ops):
    ops.add("{name}", lambda x: {formula}, method=True, doc="A formula.")

@hookimpl
def tinytorch_describe_ops(samples):
    samples.add("{name}", lambda x: {reference})
    samples.leave_out("has_a_rule", "not derived yet", "{name}")
"""


def code(name: str = "cube", formula: str = "x * x * x", reference: str = "x**3") -> str:
    return HOOKS.format(name=name, formula=formula, reference=reference)


def test_a_correct_plugin_passes(site) -> None:
    site.install("cube", code())
    done = site.start("-m", "tinytorch_core", "check", "cube")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "plugin 'cube' (cube-dist 1.0)"
    assert re.fullmatch(r"  cube +\d\d passed, 1 left out", lines[1])
    assert re.fullmatch(r"  plugin cube +5 passed", lines[2])
    assert lines[3:] == [
        "  has_a_rule left out for cube: not derived yet",
        "  checks by the devkit, autograd and compile",
    ]


def test_a_wrong_plugin_fails_and_is_reported_before_a_correct_one(site) -> None:
    site.install("cube", code())
    site.install("wrong", code("wrong", reference="x**2"))
    done = site.start("-m", "tinytorch_core", "check", "wrong", "cube")
    assert (done.returncode, done.stderr) == (1, "")
    assert "\nwrong fails agrees_with_reference\n  expected: " in done.stdout
    assert done.stdout.index("wrong fails") < done.stdout.index("plugin 'cube'")


def test_an_error_that_several_checks_meet_is_reported_once(site) -> None:
    site.install("wrong", code("wrong", formula="x * missing"))
    chosen = ("--only", "keeps_dtypes", "--only", "takes_empty_inputs")
    done = site.start("-m", "tinytorch_core", "check", "wrong", *chosen)
    assert done.returncode == 1
    assert "wrong  2 failed" in done.stdout
    assert done.stdout.count("NameError: name 'missing' is not defined") == 1
    assert "\n  also in:  wrong: takes_empty_inputs\n" in done.stdout


def test_verbose_lists_each_check_and_the_reasons_for_left_out_checks(site) -> None:
    site.install("cube", code())
    done = site.start("-m", "tinytorch_core", "check", "-v", "cube")
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert ["cube-keeps_dtypes", "passed"] in lines
    assert ["cube-has_a_rule", "left out: not derived yet"] in lines
    assert ["plugin-cube-works_alone", "passed"] in lines


def test_only_selects_checks(site) -> None:
    site.install("wrong", code("wrong", reference="x**2"))
    only = ("--only", "keeps_dtypes", "--only", "is_documented")
    done = site.start("-m", "tinytorch_core", "check", "wrong", "-v", *only)
    assert done.returncode == 1
    assert re.findall(r"^  wrong-(\w+)", done.stdout, re.MULTILINE) == [
        "keeps_dtypes",
        "is_documented",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cubes"], "no plugin 'cubes' is installed or registered. Did you mean 'cube'?"),
        (["cube", "--only", "dtypes"], "no check is named 'dtypes'."),
    ],
)
def test_unknown_names_are_errors(site, arguments: list[str], message: str) -> None:
    site.install("cube", code())
    done = site.start("-m", "tinytorch_core", "check", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tinytorch check: {message}")


def test_a_plugin_that_is_off_can_be_checked_while_another_fails(site) -> None:
    site.install("cube", code())
    site.install("broken", "raise RuntimeError('broken')")
    check = ("-W", "ignore", "-m", "tinytorch_core", "check", "cube")
    done = site.start(*check, TINYTORCH_PLUGINS="no:cube,no:autograd,all")
    assert done.returncode == 0, done.stdout
    assert "checks by the devkit and compile\n" in done.stdout


def test_a_plugin_that_fails_to_import_is_an_error(site) -> None:
    site.install("broken", "raise RuntimeError('broken')")
    done = site.start("-W", "ignore", "-m", "tinytorch_core", "check", "broken")
    assert (done.returncode, done.stdout) == (2, "")
    assert "importing broken_module raised RuntimeError: broken" in done.stderr


def test_wrong_descriptions_are_an_error_that_names_the_hook(site) -> None:
    site.install("cube", code().replace('samples.add("cube"', 'samples.add("cubes"'))
    done = site.start("-m", "tinytorch_core", "check", "cube")
    assert done.returncode == 2
    message = "in tinytorch_describe_ops: ValueError: no op is named 'cubes'. Did you mean 'cube'?"
    assert message in done.stderr


@pytest.mark.parametrize(
    ("preamble", "expected", "found"),
    [
        (
            "import tinytorch_autograd",
            r"cube to work where these are not installed: .*tinytorch_autograd.*",
            r".*No module named 'tinytorch_autograd'.*",
        ),
        (
            "import numpy as np\nnp.tanh = abs",
            r"cube to work where these are not installed: .*",
            r"its import changed numpy.tanh.*",
        ),
        (
            "from tinytorch_core import Tensor\nTensor.mine = 1",
            r"cube to work where these are not installed: .*",
            r"its import changed Tensor.mine.*",
        ),
        (
            "import numpy as np\nnp.set_printoptions(precision=3)",
            r"np.get_printoptions\(\) to be the same after the plugin was on",
            r"another value",
        ),
    ],
)
def test_a_plugin_that_does_not_work_alone_fails(
    site, preamble: str, expected: str, found: str
) -> None:
    site.install("cube", f"{preamble}\n{code()}")
    done = site.start("-m", "tinytorch_core", "check", "cube", "--only", "works_alone")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert "plugin cube fails works_alone" in lines
    assert re.search(rf"^  expected: {expected}$", done.stdout, re.MULTILINE)
    assert re.search(rf"^  found:    {found}$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("requirement", "status"),
    [
        ("base.dist>=1", 0),
        ("extended-dist ; python_version > '3'", 0),
        ("other-dist", 1),
        ("base-dist ; extra == 'more'", 1),
    ],
)
def test_a_plugin_may_import_its_requirements(site, requirement: str, status: int) -> None:
    site.install("base", code("square", "x * x", "x**2"))
    site.install("extended", "", requires=["base-dist"])
    site.install("cube", f"import base_module\n{code()}", requires=[requirement])
    done = site.start("-m", "tinytorch_core", "check", "cube", "--only", "works_alone")
    assert done.returncode == status, done.stdout
