"""The table of checks. A check is a function that raises `CheckFailure`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from tinytorch_devkit.description import Description
from tinytorch_devkit.subject import Subject


class Check(NamedTuple):
    """One row of the table.

    Attributes:
        name: the name of its function.
        run: the function; it takes a `Description` or a `Subject`.
        summary: what a passing check guarantees, the first paragraph of the function's docstring.
        of_op: True for a check of one op, False for a check of a whole plugin.
        applies: whether the check fits an op with this description.
        provider: the plugin that adds the check and is on while it runs; None for the kit's own.
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
    """The checks in order; passed to `tinytorch_register_checks`."""

    def __init__(self, provider: str | None = None, parent: Checks | None = None) -> None:
        self.provider = provider
        self._checks: dict[str, Check] = {} if parent is None else parent._checks

    def of(self, provider: str) -> Checks:
        """Return this table as seen by one plugin, which becomes the provider of what it adds."""
        return Checks(provider, parent=self)

    def for_op(
        self,
        check: Callable[[Description], None],
        *,
        applies: Callable[[Description], bool] = _always,
    ) -> None:
        """Add a check that runs once for each op that a plugin describes.

        Args:
            check: a function that raises `CheckFailure`. The check has the function's name. The
                first paragraph of its docstring states what a passing check guarantees.
            applies: whether the check fits an op with this description.

        Raises:
            ValueError: the name is taken, or the function has no docstring.
        """
        self._add(check, True, applies)

    def for_plugin(self, check: Callable[[Subject], None]) -> None:
        """Add a check that runs once for each plugin; the arguments are those of `for_op`.

        The check turns the plugin on itself: `with plugin.on(): ...`.
        """
        self._add(check, False, _always)

    def _add(
        self, run: Callable[[Any], None], of_op: bool, applies: Callable[[Description], bool]
    ) -> None:
        name = run.__name__
        if name in self._checks:
            owner = self._checks[name].provider or "tinytorch-devkit"
            raise ValueError(f"a check {name!r} already exists, from {owner}; rename one of them")
        summary = " ".join((run.__doc__ or "").strip().partition("\n\n")[0].split())
        if not summary:
            raise ValueError(f"the check {name!r} needs a docstring that states what it checks")
        self._checks[name] = Check(name, run, summary, of_op, applies, self.provider)

    def __iter__(self) -> Iterator[Check]:
        return iter(self._checks.values())
