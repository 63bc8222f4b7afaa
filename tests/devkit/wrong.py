"""Plugins with one mistake each, and the failures that a check must report for them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

from tinytorch_core import hookimpl

from tinytorch_devkit import CheckFailure, cases_of


class Wrong(NamedTuple):
    """A plugin, the check that catches it, and text in the three parts of the failure."""

    check: str
    plugin: Any
    expected: str
    found: str
    remedy: str

    def __repr__(self) -> str:
        return f"{self.check}: {self.remedy}"

    def failure(self) -> CheckFailure:
        """Return the failure of the check."""
        (case,) = cases_of(self.plugin, checks=[self.check])
        try:
            case()
        except CheckFailure as failure:
            return failure
        raise AssertionError(f"{self.check} passes although the plugin is wrong")


def plugin(
    forward: Callable[..., Any],
    reference: Callable[..., Any] | None = None,
    *rules: Callable[..., Any] | None,
    op: dict[str, Any] | None = None,
    describe: Callable[[Any], None] | None = None,
    no_derivative: bool = False,
    **description: Any,
) -> Any:
    """Return a plugin with the op `wrong`.

    Args:
        forward: the forward function.
        reference: the reference; by default the forward function.
        rules: the functions of the backward rule; without them, the op has no rule.
        op: further arguments of `ops.add`.
        describe: a function that adds to the description.
        no_derivative: declare that the op is not differentiable.
        description: further arguments of `samples.add`.
    """

    @hookimpl
    def tinytorch_register_ops(ops: Any) -> None:
        ops.add("wrong", forward, **{"doc": "A wrong op.", **(op or {})})

    @hookimpl
    def tinytorch_describe_ops(samples: Any) -> None:
        samples.add("wrong", reference or forward, **description)
        if describe is not None:
            describe(samples)

    result = SimpleNamespace(
        tinytorch_register_ops=tinytorch_register_ops,
        tinytorch_describe_ops=tinytorch_describe_ops,
    )
    if rules or no_derivative:
        result.tinytorch_register_backward = _registering(rules)
    return result


def _registering(functions: tuple[Callable[..., Any] | None, ...]) -> Any:
    @hookimpl(optionalhook=True)
    def tinytorch_register_backward(rules: Any) -> None:
        if functions:
            rules.add("wrong", *functions)
        else:
            rules.no_derivative("wrong")

    return tinytorch_register_backward
