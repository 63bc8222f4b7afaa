"""The plugin that is checked: switched on for a check, and asked for its descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tinytorch_core import UnknownPluginError, plugins

from tinytorch_devkit.samples import Samples
from tinytorch_devkit.snapshot import changes, everything


class Subject:
    """A plugin that is checked; handed to each check of a plugin as a whole.

    Attributes:
        name: the plugin's name.
        title: its name with its distribution and version.
        installed: whether a distribution brings it, so that another process can use it too.
        ops: the names of the ops it provides.
        samples: its descriptions of them.
        left_behind: what of Tensor and NumPy was not the same after the plugin had been on.
    """

    def __init__(self, plugin: Any) -> None:
        """Asks a plugin for its descriptions.

        Args:
            plugin: its name; or an object with hooks, which need not be registered.

        Raises:
            UnknownPluginError: no plugin has that name.
            PluginError: the plugin cannot be used, or its descriptions are wrong.
        """
        self._unregistered = None
        try:
            self.name = plugins.find(plugin).name
        except UnknownPluginError:
            if isinstance(plugin, str):
                raise
            self.name = getattr(plugin, "__name__", type(plugin).__name__)
            self._unregistered = plugin
        with plugins.only():
            before = everything()
        with self.on():
            found = plugins.find(self.name)
            self.title = found.title
            self.installed = bool(found.points)
            surface = plugins.surface()
            self.ops = tuple(n for n, op in surface.ops.items() if op.provider == found.title)
            self.samples = Samples(surface.ops)
            # What this one needs is on too, and describes its own ops when it is checked itself.
            others = Samples(surface.ops)
            surface.call_hook(
                "tinytorch_describe_ops",
                lambda plugin: {"samples": self.samples if plugin is found else others},
            )
        with plugins.only():
            self.left_behind = changes(before)

    @contextmanager
    def on(self, *others: str) -> Iterator[None]:
        """Switches on the plugin, `others` and what they need, alone, in a `with` block."""
        if self._unregistered is not None:
            plugins.register(self._unregistered, name=self.name)
        try:
            with plugins.only(*_with_needs(self.name, *others)):
                yield
        finally:
            if self._unregistered is not None:
                plugins.unregister(self.name)


def _with_needs(*names: str) -> dict[str, None]:
    """The plugins, and those that they need, directly or not."""
    found = dict.fromkeys(names)
    waiting = list(names)
    while waiting:
        plugin = plugins.find(waiting.pop())
        plugin.load()
        waiting += [name for name in plugin.needs if name not in found]
        found |= dict.fromkeys(plugin.needs)
    return found
