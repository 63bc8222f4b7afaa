"""The table of checks.

A check is a function that raises `CheckFailure`; its name and its docstring are what people read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from tinytorch_devkit.samples import Description
from tinytorch_devkit.subject import Subject


class Check(NamedTuple):
    """One row of the table.

    Attributes:
        name: the name of its function.
        run: the function; it takes a `Description` or a `Subject`.
        summary: what holds if it passes, the first paragraph of the function's docstring.
        of_op: it looks at one op; otherwise at the plugin as a whole.
        applies: whether it can be asked of an op described so.
        provider: the plugin that adds the check and is on while it runs; None for the core's own.
    """

    name: str
    run: Callable[[Any], None]
    summary: str
    of_op: bool
    applies: Callable[[Description], bool]
    provider: str | None


def _always(described: Description) -> bool:
    return True


class Checks(Iterable[Check]):
    """The checks, by name and in order; handed to `tinytorch_register_checks`."""

    def __init__(self, provider: str | None = None, parent: Checks | None = None) -> None:
        self.provider = provider
        self._checks: dict[str, Check] = {} if parent is None else parent._checks

    def of(self, provider: str) -> Checks:
        """This table, as one plugin adds to it."""
        return Checks(provider, parent=self)

    def for_op(
        self,
        check: Callable[[Description], None],
        *,
        applies: Callable[[Description], bool] = _always,
    ) -> None:
        """Adds a check that runs once for each op that a plugin describes.

        Args:
            check: raises `CheckFailure`. Its name is the check's; the first paragraph of its
                docstring says in one sentence what holds if it passes.
            applies: whether the check can be asked of an op that is described so.

        Raises:
            ValueError: the name is taken, or there is no docstring.
        """
        self._add(check, True, applies)

    def for_plugin(self, check: Callable[[Subject], None]) -> None:
        """Adds a check that runs once for a plugin, as `for_op` does for an op.

        It switches the plugin on and off itself: `with plugin.on(): ...`.
        """
        self._add(check, False, _always)

    def _add(
        self, run: Callable[[Any], None], of_op: bool, applies: Callable[[Description], bool]
    ) -> None:
        name = run.__name__
        if name in self._checks:
            owner = self._checks[name].provider or "tinytorch-core"
            raise ValueError(f"a check {name!r} is there already, from {owner}; rename one of them")
        summary = " ".join((run.__doc__ or "").strip().partition("\n\n")[0].split())
        if not summary:
            raise ValueError(f"the check {name!r} needs a docstring that says what it checks")
        self._checks[name] = Check(name, run, summary, of_op, applies, self.provider)

    def __iter__(self) -> Iterator[Check]:
        return iter(self._checks.values())
