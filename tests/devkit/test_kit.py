"""The conformance kit as plugin authors use it: cases, results and left-out checks."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tinytorch_core import PluginError, Tensor, UnknownPluginError, hookimpl, plugins

from tinytorch_devkit import (
    CheckFailure,
    Checks,
    UnknownCheckError,
    call,
    cases_of,
    check_plugin,
    difference,
    parametrize_with_checks,
)


class Cubes:
    """A correct plugin."""

    @hookimpl
    def tinytorch_register_ops(self, ops: Any) -> None:
        ops.add("cube", lambda x: x * x * x, method=True, doc="The third power.")

    @hookimpl
    def tinytorch_describe_ops(self, samples: Any) -> None:
        samples.add("cube", lambda x: x**3)
        samples.add("cube", lambda x: x**3, shapes=[(4,)])
        samples.leave_out("has_a_rule", "forward only", "cube")
        samples.leave_out("works_alone", "not needed")


class Loud:
    """A plugin that adds a check of ops, and one of plugins."""

    @hookimpl
    def tinytorch_register_checks(self, checks: Any) -> None:
        checks.for_op(is_loud, applies=lambda op: op.elementwise)
        checks.for_plugin(is_on_here)


def is_loud(op: Any) -> None:
    """The name of the op is written in capitals.

    Only the provider of this check and the plugin under test are on.
    """
    assert set(plugins.active()) == {"Cubes", "loud"}
    if not op.name.isupper():
        raise CheckFailure(op.name.upper(), op.name, "press\nshift")


def is_on_here(plugin: Any) -> None:
    """The plugin can be enabled."""
    with plugin.on("loud"):
        assert plugin.name in plugins.active()
        assert plugin.ops == ("cube",)


@pytest.fixture
def loud():
    plugins.register(Loud(), name="loud")
    yield
    plugins.unregister("loud")


def test_a_correct_plugin_passes_every_check() -> None:
    before, bases = plugins.active(), Tensor.__bases__
    results = check_plugin(Cubes())
    assert {r.case.subject for r in results} == {"cube", "cube2", "plugin Cubes"}
    assert not [str(r.failure) for r in results if r.failure]
    assert (plugins.active(), Tensor.__bases__) == (before, bases)


def test_active_plugins_add_checks(loud: None) -> None:
    before = plugins.active()
    (result, seen) = check_plugin(Cubes(), checks=["is_loud", "is_on_here"])
    assert (result.outcome, seen.outcome) == ("failed", "passed")
    assert result.case.check.summary == "The name of the op is written in capitals."
    assert str(result.failure).splitlines() == [
        "cube fails is_loud",
        "  expected: CUBE",
        "  found:    cube",
        "  to fix:   press",
        "            shift",
    ]
    assert plugins.active() == before


def test_plugins_that_are_off_add_no_checks() -> None:
    with pytest.raises(UnknownCheckError, match="no check is named 'is_loud'"):
        cases_of(Cubes(), checks=["is_loud"])


def test_left_out_checks_have_a_reason() -> None:
    left_out = {repr(c): c.left_out for c in cases_of(Cubes()) if c.left_out}
    expected = {"cube-has_a_rule": "forward only", "cube2-has_a_rule": "forward only"}
    assert left_out == {**expected, "plugin-Cubes-works_alone": "not needed"}


def test_a_check_can_be_left_out_for_all_ops() -> None:
    class Without(Cubes):
        @hookimpl
        def tinytorch_describe_ops(self, samples: Any) -> None:
            samples.add("cube", lambda x: x**4)
            samples.leave_out("agrees_with_reference", "it is another power")

    (result,) = check_plugin(Without(), checks=["agrees_with_reference"])
    assert result.outcome == "left out"


def test_a_reference_may_write_to_its_inputs() -> None:
    class Writing(Cubes):
        @hookimpl
        def tinytorch_describe_ops(self, samples: Any) -> None:
            samples.add("cube", _in_place)

    assert check_plugin(Writing(), checks=["agrees_with_reference"])[0].failure is None


def _in_place(x: Any) -> Any:
    x **= 3
    return x


def test_an_in_place_op_may_write_to_its_first_input_and_to_buffers() -> None:
    class Steps(Cubes):
        @hookimpl
        def tinytorch_register_ops(self, ops: Any) -> None:
            ops.add("step", _step, inputs=("x",), in_place=True)

        @hookimpl
        def tinytorch_describe_ops(self, samples: Any) -> None:
            calls = [call(np.ones(s), buffer=np.ones(s)) for s in ((2, 3), (3,), ())]
            samples.add("step", lambda x, buffer: x + 2 * buffer, calls=calls)

    results = check_plugin(Steps())
    assert "takes_any_memory_layout" in {r.case.check.name for r in results}
    assert not [str(r.failure) for r in results if r.failure]


def _step(x: Any, buffer: Any) -> Any:
    """Doubles the buffer and adds it."""
    buffer *= 2
    x += buffer
    return x


@pytest.mark.parametrize(
    ("found", "expected", "differs"),
    [
        (np.array([1.0, np.nan]), [1.0, np.nan], None),
        (np.array([1.0, np.nan]), [np.nan, np.nan], ("nan at [0]", "1.0")),
        (2.0, 2.5, ("2.5", "2.0")),
        (1e12, 1e12 + 1, None),
        (0.0, 1e-12, None),
        ((1.0, 2.0), (1.0, 2.0), None),
        ((1.0, 2.0), (1.0, 3.0), ("3.0", "2.0")),
        ((1.0,), (1.0, 2.0), ("2 results", "1")),
        (np.ones((2, 1)), np.ones(2), ("the shape (2,)", "the shape (2, 1)")),
    ],
)
def test_difference_describes_how_results_differ(found: Any, expected: Any, differs: Any) -> None:
    assert difference(found, expected, 1e-9) == differs


def test_pytest_cases_have_names_and_left_out_checks_are_skipped() -> None:
    mark = parametrize_with_checks(Cubes(), "activations").mark
    (name, cases) = mark.args
    ids = {case.id: case.marks for case in cases}
    assert name == "check"
    assert {"cube-keeps_dtypes", "relu-keeps_dtypes", "plugin-activations-works_alone"} <= set(ids)
    assert len(ids) == len(cases)
    (skip,) = ids["cube-has_a_rule"]
    assert skip.name == "skip"
    assert skip.kwargs == {"reason": "forward only"}


def test_a_registered_object_is_checked_under_its_name() -> None:
    cubes = Cubes()
    plugins.register(cubes, name="mine")
    try:
        assert {r.case.plugin.name for r in check_plugin(cubes)} == {"mine"}
        assert "mine" in plugins.active()
    finally:
        plugins.unregister("mine")


def test_the_plugins_that_a_plugin_needs_are_on_too() -> None:
    class Dependent(Cubes):
        tinytorch_needs = ("losses",)

    (result,) = check_plugin(Dependent(), checks=["leaves_other_ops_alone"])
    assert result.failure is None


def test_the_failure_of_an_op_that_raises_has_the_location() -> None:
    class Raising(Cubes):
        @hookimpl
        def tinytorch_register_ops(self, ops: Any) -> None:
            ops.add("cube", lambda x: 1 / 0)

    result = check_plugin(Raising(), checks=["keeps_dtypes"])[0]
    assert result.failure.expected == "no error"
    assert result.failure.found == "ZeroDivisionError: division by zero"
    assert f"it was raised in {__file__}:" in result.failure.remedy
    assert isinstance(result.failure.__cause__, ZeroDivisionError)


def test_the_location_of_an_error_is_in_the_plugin_and_not_in_what_it_calls() -> None:
    class Converting(Cubes):
        @hookimpl
        def tinytorch_register_ops(self, ops: Any) -> None:
            ops.add("cube", lambda x: x * x * np.asarray(x, dtype=float, copy=False))

    for check in ("keeps_dtypes", "takes_any_array"):
        failure = check_plugin(Converting(), checks=[check])[0].failure
        assert f"{__file__}:" in failure.found + failure.remedy


def test_the_active_plugins_are_restored_after_a_failure(loud: None) -> None:
    before = plugins.active()
    case = cases_of(Cubes(), checks=["is_loud"])[0]
    for _ in range(2):
        with pytest.raises(CheckFailure):
            case()
        assert plugins.active() == before


def test_an_object_is_registered_once_for_all_checks() -> None:
    runs = 0

    class Counts(Cubes):
        @hookimpl
        def tinytorch_register_ops(self, ops: Any) -> None:
            nonlocal runs
            runs += 1
            super().tinytorch_register_ops(ops)

    before = plugins.status()
    results = check_plugin(Counts())
    assert not [str(result.failure) for result in results if result.failure is not None]
    # The surface is computed again only with other plugins that are on.
    assert runs < len(results) / 3
    assert plugins.status() == before


def test_unknown_names_are_errors_with_a_suggestion() -> None:
    with pytest.raises(UnknownPluginError, match=r"no plugin 'loses'.* Did you mean 'losses'"):
        cases_of("loses")
    with pytest.raises(UnknownCheckError, match="Did you mean 'keeps_dtypes'"):
        cases_of("losses", checks=["keeps_dtype"])


def test_a_plugin_that_fails_is_an_error_not_a_failure() -> None:
    class Broken(Cubes):
        @hookimpl
        def tinytorch_describe_ops(self, samples: Any) -> None:
            raise RuntimeError("broken")

    with pytest.raises(PluginError, match="in tinytorch_describe_ops: RuntimeError: broken"):
        check_plugin(Broken())


def _check() -> Any:
    def is_loud(op: Any) -> None:
        pass

    return is_loud


def test_a_check_needs_a_unique_name_and_a_docstring() -> None:
    checks = Checks()
    checks.of("loud").for_op(is_loud)
    with pytest.raises(ValueError, match="a check 'is_loud' already exists, from loud"):
        checks.for_plugin(is_loud)
    with pytest.raises(ValueError, match="'is_loud' needs a docstring"):
        Checks().for_op(_check())


def test_programs_without_checks_do_not_import_the_devkit() -> None:
    program = (
        "import sys; from tinytorch_core import Tensor; Tensor(1.0).relu()\n"
        "print([m for m in sys.modules if m.startswith('tinytorch_devkit')"
        " or m.startswith('tinytorch') and m.endswith('.samples')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
