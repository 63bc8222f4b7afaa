"""What code has decided about plugins: a pile of choices, each of which can be taken back.

`with plugins.disable("losses"):` puts a choice on the pile, and at its end takes it away again
with all that was decided inside the block. The choices of other threads stay, so that their
blocks may overlap with it in any way.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import get_ident
from types import TracebackType
from typing import Any, NamedTuple

from tinytorch_core.config import Choice, Decision


class Restore:
    """Takes back a change of plugins when a `with` block ends; without `with`, the change stays."""

    def __init__(self, what: str, take_back: Callable[[Restore], None]) -> None:
        self._what = what
        self._take_back = take_back
        self.entered = False
        self.thread = get_ident()

    def __enter__(self) -> Restore:
        self.entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._take_back(self)

    def __repr__(self) -> str:
        return f"<{self._what}; a `with` block takes it back at its end>"


class Pile(NamedTuple):
    """The choices made in code, the latest last, each with what takes it back."""

    layers: tuple[tuple[Restore, Choice], ...] = ()

    def decide(self, name: str) -> Decision | None:
        """What the latest choice that has a say about the plugin says."""
        decisions = (choice.decide(name) for _, choice in reversed(self.layers))
        return next((decision for decision in decisions if decision is not None), None)

    def table(self, name: str) -> dict[str, Any]:
        """The plugin's settings, key by key from the latest choice that has it."""
        merged: dict[str, Any] = {}
        for _, choice in self.layers:
            merged |= choice.tables.get(name, {})
        return merged

    def names(self, name: str) -> bool:
        """Whether a choice names the plugin, rather than speak of all others."""
        return any(name in choice.plugins for _, choice in self.layers)

    def adding(self, restore: Restore, choice: Choice) -> Pile:
        """This pile with one more choice, and without those that it leaves no say."""
        return Pile((*self._still_in_force(), (restore, choice)))

    def without(self, restore: Restore) -> Pile:
        """This pile without one choice and what was decided in its block."""
        places = [i for i, (other, _) in enumerate(self.layers) if other is restore]
        begin = places[0] if places else len(self.layers)
        after = self.layers[begin + 1 :]
        kept = [(r, c) for r, c in after if r.entered or r.thread != restore.thread]
        return Pile((*self.layers[:begin], *kept))

    def forgetting(self, name: str) -> Pile:
        """This pile with no word of one plugin."""
        return Pile(
            tuple(
                (r, _without(c, {name}, {(name, key) for key in c.tables.get(name, ())}))
                for r, c in self.layers
            )
        )

    def _still_in_force(self) -> tuple[tuple[Restore, Choice], ...]:
        # Without a block a choice stays as long as the block around it, or for good. A later one
        # of the same thread and block that decides the same replaces it: or the pile of a long
        # program would grow for ever.
        kept: list[tuple[Restore, Choice]] = []
        said: dict[int, set[str]] = {}
        decided: dict[int, set[tuple[str, str]]] = {}
        settled: set[int] = set()
        for restore, choice in reversed(self.layers):
            if restore.entered:
                said, decided, settled = {}, {}, set()
                kept.append((restore, choice))
                continue
            names = said.setdefault(restore.thread, set())
            keys = decided.setdefault(restore.thread, set())
            rest = _without(choice, names, keys)
            if restore.thread in settled:
                rest = rest._replace(plugins={}, others=None)
            if rest.plugins or rest.others is not None or rest.tables:
                kept.append((restore, rest))
            names |= choice.plugins.keys()
            keys |= {(name, key) for name, table in choice.tables.items() for key in table}
            settled |= {restore.thread} if choice.others is not None else set()
        return tuple(reversed(kept))


def _without(choice: Choice, names: set[str], settings: set[tuple[str, str]]) -> Choice:
    plugins = {name: on for name, on in choice.plugins.items() if name not in names}
    tables = {
        name: {key: value for key, value in table.items() if (name, key) not in settings}
        for name, table in choice.tables.items()
    }
    return choice._replace(plugins=plugins, tables={n: t for n, t in tables.items() if t})


def caller() -> str:
    """Where the code outside of TinyTorch is that asked for a change, for `tinytorch plugins`."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("tinytorch_"):
        frame = frame.f_back
    file = frame.f_code.co_filename
    with suppress(OSError):  # the working directory may be gone
        file = file.removeprefix(os.path.join(os.getcwd(), ""))
    return f"code ({file}:{frame.f_lineno})"
