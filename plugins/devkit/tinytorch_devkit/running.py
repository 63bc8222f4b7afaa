"""Running checks: the cases of a plugin, and their results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tinytorch_core import PluginError, plugins
from tinytorch_core.extend import did_you_mean

from tinytorch_devkit import (
    any_array,
    input_checks,
    number_checks,
    plugin_checks,
    state_checks,
    usage_checks,
    value_checks,
)
from tinytorch_devkit.checks import Check, Checks
from tinytorch_devkit.description import Description
from tinytorch_devkit.failure import CheckFailure, UnknownCheckError, raised_at
from tinytorch_devkit.subject import Subject, without_numerical_warnings

_MODULES = (
    *(value_checks, number_checks, input_checks, any_array, state_checks),
    *(usage_checks, plugin_checks),
)


class Case:
    """One check of one op, or of a whole plugin. Call the case to run it.

    Attributes:
        plugin: the plugin.
        check: the check.
        op: the description of the op; None for a check of the plugin.
        number: the number of the description if the op has several, else 0.
        left_out: why the plugin's author has left the check out, or None.
    """

    def __init__(
        self, plugin: Subject, check: Check, op: Description | None = None, number: int = 0
    ) -> None:
        self.plugin = plugin
        self.check = check
        self.op = op
        self.number = number
        self.left_out = plugin.samples.reason(check.name, op.name if op else None)

    @property
    def subject(self) -> str:
        """The name of the op, or of the plugin."""
        if self.op is None:
            return f"plugin {self.plugin.name}"
        return f"{self.op.name}{self.number or ''}"

    def __call__(self) -> None:
        """Run the check. For an op, only its plugin and the provider of the check are on.

        Raises:
            CheckFailure: the plugin does not do what the check expects.
        """
        __tracebackhide__ = True
        where = f"{self.subject} fails {self.check.name}"
        try:
            with without_numerical_warnings():
                if self.op is None:
                    self.check.run(self.plugin)
                else:
                    with self.plugin.on(*filter(None, [self.check.provider])):
                        self.check.run(self.op)
        except CheckFailure as failure:
            located = CheckFailure(failure.expected, failure.found, failure.remedy, where)
            raise located from failure.__cause__
        except PluginError as error:
            raise CheckFailure("no error", error.reason, error.remedy, where) from error
        except Exception as error:
            raise _unexpected(error, where) from error

    def __repr__(self) -> str:
        return f"{self.subject.replace(' ', '-')}-{self.check.name}"


def _unexpected(error: Exception, where: str) -> CheckFailure:
    line = raised_at(error)
    return CheckFailure(
        "no error",
        f"{type(error).__name__}: {error}",
        f"it was raised in {line.file}:{line.number}, in {line.function}; the op, its rule and "
        "its reference must accept all inputs and parameters in the description",
        where,
    )


class Result(NamedTuple):
    """The outcome of one case: a failure, or None if it passed or was left out."""

    case: Case
    failure: CheckFailure | None

    @property
    def outcome(self) -> str:
        """`passed`, `failed` or `left out`."""
        if self.case.left_out is not None:
            return "left out"
        return "failed" if self.failure is not None else "passed"


def check_plugin(plugin: Any, *, checks: Sequence[str] | None = None) -> list[Result]:
    """Run all checks of a plugin, even if some fail.

    Args:
        plugin: a plugin's name, or an object with hooks, registered or not.
        checks: the names of the checks to run; all by default.

    Returns:
        A result for each case, in the order of the table.

    Raises:
        UnknownPluginError: no plugin has that name.
        PluginError: the plugin fails, or its descriptions are wrong.
        UnknownCheckError: no check has that name.
    """
    cases = cases_of(plugin, checks=checks)
    if not cases:
        return []
    with cases[0].plugin.stays_registered():
        return [_result(case) for case in cases]


def _result(case: Case) -> Result:
    if case.left_out is None:
        try:
            case()
        except CheckFailure as failure:
            return Result(case, failure)
    return Result(case, None)


def cases_of(plugin: Any, *, checks: Sequence[str] | None = None) -> list[Case]:
    """Return the cases that `check_plugin` runs."""
    table = table_of_checks()
    chosen = [check for check in table if checks is None or check.name in checks]
    known = [check.name for check in table]
    for name in checks or ():
        if name not in known:
            raise UnknownCheckError(f"no check is named {name!r}. {did_you_mean(name, known)}")
    subject = Subject(plugin)
    counts: dict[str, int] = {}
    cases = []
    for op in subject.descriptions:
        counts[op.name] = number = counts.get(op.name, 0) + 1
        cases += [
            Case(subject, check, op, number if number > 1 else 0)
            for check in chosen
            if check.of_op and check.applies(op)
        ]
    return cases + [Case(subject, check) for check in chosen if not check.of_op]


def table_of_checks() -> Checks:
    """Return the kit's own checks and those that the active plugins add."""
    checks = Checks()
    for module in _MODULES:
        module.add_to(checks)
    surface = plugins.surface()
    surface.call_hook("tinytorch_register_checks", lambda p: {"checks": checks.of(p.name)})
    return checks
