"""The conformance kit in the hands of a plugin's author: descriptions, cases, results."""

from __future__ import annotations

from typing import Any

import pytest

from tinytorch_core import hookimpl, plugins
from tinytorch_core.testing import CheckFailure, check_plugin


class Cubes:
    """A plugin as it should be."""

    @hookimpl
    def tinytorch_register_ops(self, ops: Any) -> None:
        ops.add("cube", lambda x: x * x * x, method=True, doc="The third power.")

    @hookimpl
    def tinytorch_describe_ops(self, samples: Any) -> None:
        samples.add("cube", lambda x: x**3)


class Loud:
    """A plugin that adds a check."""

    @hookimpl
    def tinytorch_register_checks(self, checks: Any) -> None:
        checks.for_op(is_loud)


def is_loud(op: Any) -> None:
    """The name of the op is written in capitals."""
    assert "loud" in plugins.active()
    if not op.name.isupper():
        raise CheckFailure(op.name.upper(), op.name, "press shift")


@pytest.fixture
def loud():
    plugins.register(Loud(), name="loud")
    yield
    plugins.unregister("loud")


def test_a_right_plugin_passes_every_check() -> None:
    with plugins.only():
        results = check_plugin(Cubes())
    assert {r.case.subject for r in results} == {"cube", "plugin Cubes"}
    assert not [str(r.failure) for r in results if r.failure]


def test_checks_of_active_plugins_are_part_of_it(loud: None) -> None:
    before = plugins.active()
    (result,) = check_plugin(Cubes(), checks=["is_loud"])
    assert str(result.failure).splitlines() == [
        "cube fails is_loud",
        "  expected: CUBE",
        "  found:    cube",
        "  to mend:  press shift",
    ]
    assert plugins.active() == before
