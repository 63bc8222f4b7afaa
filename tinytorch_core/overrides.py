"""The settings about plugins that are made in code, each of which can be undone.

`with plugins.disable("losses"):` adds an override. On exit it removes the override together with
all that were made inside the block by the same thread or asyncio task. Other overrides stay, so
blocks of different threads and tasks may overlap in any way.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Collection

from tinytorch_core.concurrency import current_thread_or_task
from tinytorch_core.config import Choice


class Change:
    """A change of plugins, by which a choice is found again.

    Attributes:
        restore: a weak reference to what undoes it. Without that, the change is for good.
        block: the block around the change, of the same thread or asyncio task, or None.
        owner: the thread or task that has entered the change as a block, or None.
    """

    restore: weakref.ref[Restore]
    block: Change | None = None
    owner: object = None


class Restore:
    """Undoes a change of plugins when its `with` block ends; without `with`, the change stays."""

    def __init__(self, what: str, undo: Callable[[Change], None]) -> None:
        self._what = what
        self._undo = undo
        self.change = Change()
        self.change.restore = weakref.ref(self)

    def __enter__(self) -> Restore:
        self.change.owner = current_thread_or_task()
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            self._undo(self.change)
        except Exception:
            raise
        except BaseException:  # an interrupt; the block has ended all the same
            self._undo(self.change)
            raise

    def __repr__(self) -> str:
        return f"<{self._what}; a `with` block undoes it on exit>"


class Overrides(tuple[tuple[Change, Choice], ...]):
    """The choices made in code, the latest last, each with its change."""

    __slots__ = ()

    def names(self, name: str) -> bool:
        """Return whether a choice names the plugin, rather than all others."""
        return any(name in choice.plugins for _, choice in self)

    def adding(self, change: Change, choice: Choice) -> Overrides:
        """Return a copy with `choice` added and superseded choices dropped."""
        blocks = [other for other, _ in self if other.owner is not None]
        if blocks:
            me = current_thread_or_task()
            change.block = next((other for other in reversed(blocks) if other.owner is me), None)
        return Overrides((*self._in_force(), (change, choice)))

    def without(self, change: Change) -> Overrides:
        """Return a copy without one choice and those made in its block."""
        return Overrides(
            (other, choice)
            for other, choice in self
            if other is not change and (other.block is not change or other.owner is not None)
        )

    def forgetting(self, name: str) -> Overrides:
        """Return a copy without any choice about one plugin."""
        settings = {(name, key) for _, c in self for key in c.tables.get(name, ())}
        return Overrides((r, _reduced(c, {name}, settings)) for r, c in self)

    def _in_force(self) -> list[tuple[Change, Choice]]:
        # A choice that is not a block, and cannot become one, lasts until the block around it ends,
        # or forever. A later one about the same plugins replaces it if it lasts as long; otherwise
        # the overrides of a long program would grow without end.
        kept: list[tuple[Change, Choice]] = []
        # By block what the later choices in it are about: plugins, settings, all other plugins.
        later: dict[Change | None, tuple[set[str], set[tuple[str, str]], bool]] = {}
        for change, choice in reversed(self):
            if change.owner is not None or change.restore() is not None:
                kept.append((change, choice))
                continue
            for block in {change.block, None}:
                names, settings, others = later.get(block, _NOTHING)
                if names or settings:
                    choice = _reduced(choice, names, settings)
                if others:
                    choice = choice._replace(plugins={}, others=None)
            if choice.plugins or choice.others is not None or choice.tables:
                kept.append((change, choice))
                names, settings, others = later.get(change.block, _NOTHING)
                names = names.union(choice.plugins)
                for name, table in choice.tables.items():
                    settings = settings.union((name, key) for key in table)
                later[change.block] = names, settings, others or choice.others is not None
        return kept[::-1]


_NOTHING: tuple[set[str], set[tuple[str, str]], bool] = (set(), set(), False)


def _reduced(
    choice: Choice, names: Collection[str], settings: Collection[tuple[str, str]]
) -> Choice:
    plugins = {name: on for name, on in choice.plugins.items() if name not in names}
    tables = {}
    for name, table in choice.tables.items():
        if kept := {key: value for key, value in table.items() if (name, key) not in settings}:
            tables[name] = kept
    return Choice(choice.source, plugins, choice.others, tables)


def caller() -> str:
    """Return the location outside TinyTorch that asked for a change, as `code (file:line)`."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("tinytorch_"):
        frame = frame.f_back
    location = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    try:
        return f"code ({location.removeprefix(f'{os.getcwd()}{os.sep}')})"
    except OSError:  # the working directory may be gone
        return f"code ({location})"
