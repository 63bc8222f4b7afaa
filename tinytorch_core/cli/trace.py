"""Time the imports and hooks of plugins, for `tinytorch plugins --trace`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sized
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from tinytorch_core import plugin as plugin_module
from tinytorch_core.cli.table import Cell, table
from tinytorch_core.plugin import Plugin
from tinytorch_core.surface import TensorExtension


class Step:
    """The import of a plugin, or all calls of one of its hooks for one surface.

    Attributes:
        plugin: the name of the plugin.
        what: `import`, or the name of the hook.
        calls: how often it was called.
        seconds: how long it ran, without the hooks that it called.
        added: how many things it added, such as ops or rules.
        wrapped: how many ops it wrapped, or None for hooks that return nothing.
        error: the type of what it raised, or None.
    """

    def __init__(self, plugin: str, what: str) -> None:
        self.plugin = plugin
        self.what = what
        self.calls = 0
        self.seconds = 0.0
        self.added = 0
        self.wrapped: int | None = None
        self.error: str | None = None

    @property
    def effect(self) -> str:
        """What it did, in a few words."""
        if self.error:
            return f"failed: {self.error}"
        if self.wrapped is not None:
            return f"{self.wrapped} of {self.calls} wrapped"
        return f"{self.added} added" if self.added else ""


class Trace:
    """The steps of a start, in order. As an observer of plugins it adds them."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._latest: dict[tuple[str, str], Step] = {}
        # For each running step the time that steps within it have taken.
        self._inner: list[float] = []

    def __call__(
        self, plugin: Plugin, what: str, arguments: Mapping[str, Any], call: Callable[[], Any]
    ) -> Any:
        """Run `call` and add its time to a step."""
        step = self._step(plugin.name, what)
        sizes = _sizes(arguments)
        self._inner.append(0.0)
        begin = perf_counter()
        try:
            result = call()
        except BaseException as error:
            step.error = type(error.__cause__ or error).__name__
            self._latest.clear()  # the hooks run again for a surface without this plugin
            raise
        finally:
            elapsed = perf_counter() - begin
            step.calls += 1
            step.seconds += elapsed - self._inner.pop()
            if self._inner:
                self._inner[-1] += elapsed
        step.added += _sizes(arguments) - sizes
        if "call" in arguments:
            step.wrapped = (step.wrapped or 0) + (result is not None)
        return result

    def _step(self, plugin: str, what: str) -> Step:
        if (plugin, what) not in self._latest:
            self._latest[plugin, what] = Step(plugin, what)
            self.steps.append(self._latest[plugin, what])
        return self._latest[plugin, what]

    def text(self, names: Collection[str]) -> str:
        """Return a table of the steps of these plugins, or of all."""
        steps = [step for step in self.steps if not names or step.plugin in names]
        if not steps:
            return "No plugin was imported and no hook ran.\n"
        rows = [_row(s.plugin, s.what, s.calls, s.effect, s.seconds) for s in steps]
        calls, seconds = sum(s.calls for s in steps), sum(s.seconds for s in steps)
        rows.append(_row("total", "", calls, "", seconds))
        return table(["PLUGIN", "HOOK", "CALLS", "EFFECT", "     MS"], rows)

    def records(self, names: Collection[str]) -> list[dict[str, Any]]:
        """Return the steps of these plugins, or of all, for JSON."""
        return [vars(step) for step in self.steps if not names or step.plugin in names]


def _row(plugin: str, what: str, calls: int, effect: str, seconds: float) -> list[Cell]:
    return [plugin, what, calls, effect, f"{1000 * seconds:7.2f}"]


def _sizes(arguments: Mapping[str, Any]) -> int:
    """Return how many things the arguments of a hook contain, to which plugins add."""
    size = 0
    for value in arguments.values():
        if isinstance(value, TensorExtension):
            surface = value.surface
            size += len(surface.providers) + len(surface.keywords) + len(surface.extras)
        elif isinstance(value, Sized) and not isinstance(value, tuple | str):
            size += len(value)
    return size


@contextmanager
def tracing() -> Iterator[Trace]:
    """Observe the plugins while the block runs."""
    trace = Trace()
    plugin_module.observer = trace
    try:
        yield trace
    finally:
        plugin_module.observer = None
