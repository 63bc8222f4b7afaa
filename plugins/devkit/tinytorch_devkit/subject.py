"""The plugin under test: it is turned on for each check, and describes its ops."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinytorch_core import UnknownPluginError, plugins

from tinytorch_devkit.samples import Samples
from tinytorch_devkit.snapshot import changed_names, snapshot
from tinytorch_devkit.variants import with_derived_calls


class Subject:
    """The plugin under test; passed to each check of a plugin as a whole.

    Attributes:
        name: the plugin's name.
        title: its name with its distribution and version.
        installed: whether it belongs to an installed distribution, so that a new process finds it.
        ops: the names of the ops it provides, and of those whose forward function it replaces.
        samples: its descriptions of them.
        descriptions: the same with the calls that follow from them.
        left_behind: the attributes of Tensor and NumPy that differ after the plugin was on.
    """

    def __init__(self, plugin: Any) -> None:
        """Turn the plugin on once and collect its descriptions.

        Args:
            plugin: a plugin's name, or an object with hooks, registered or not.

        Raises:
            UnknownPluginError: no plugin has that name.
            PluginError: the plugin fails, or its descriptions are wrong.
        """
        self._unregistered = None
        self._stays_registered = False
        try:
            self.name = plugins.find(plugin).name
        except UnknownPluginError:
            if isinstance(plugin, str):
                raise
            self.name = getattr(plugin, "__name__", type(plugin).__name__)
            self._unregistered = plugin
        with plugins.only():
            before = snapshot()
        with self.on():
            found = plugins.find(self.name)
            self.title = found.title
            self.installed = bool(found.points)
            surface = plugins.surface()
            self.ops = tuple(
                name
                for name, op in surface.ops.items()
                if found.title in (op.provider, *op.replaced_by)
            )
            self.samples = Samples(surface.ops, surface.numpy_op)
            # The plugins that this one needs are on too. They have their own checks.
            ignored = Samples(surface.ops, surface.numpy_op)
            surface.call_hook(
                "tinytorch_describe_ops",
                lambda plugin: {"samples": self.samples if plugin is found else ignored},
            )
            with without_numerical_warnings():
                self.descriptions = [
                    with_derived_calls(described) for described in self.samples.descriptions
                ]
        with plugins.only():
            self.left_behind = changed_names(before)

    @contextmanager
    def on(self, *others: str) -> Iterator[None]:
        """Turn on only this plugin, `others` and the plugins they need, in a `with` block."""
        with self._registered(), plugins.only(*_with_needs(self.name, *others)):
            yield

    @contextmanager
    def stays_registered(self) -> Iterator[None]:
        """Keep the plugin registered, but off, between the calls of `on` in a `with` block.

        Registering it for each check would compute a new surface for each check.
        """
        with self._registered(), plugins.disabled(self.name):
            self._stays_registered = True
            try:
                yield
            finally:
                self._stays_registered = False

    @contextmanager
    def _registered(self) -> Iterator[None]:
        if self._unregistered is None or self._stays_registered:
            yield
            return
        plugins.register(self._unregistered, name=self.name)
        try:
            yield
        finally:
            plugins.unregister(self.name)


@contextmanager
def without_numerical_warnings() -> Iterator[None]:
    """Ignore NumPy's warnings in a `with` block: the kit tries large numbers and empty arrays."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        yield


def _with_needs(*names: str) -> dict[str, None]:
    """Return the names with those of all plugins they need, directly or indirectly."""
    found = dict.fromkeys(names)
    pending = list(names)
    while pending:
        plugin = plugins.find(pending.pop())
        if plugin.target is None:
            plugin.load()
        pending += [name for name in plugin.needs if name not in found]
        found |= dict.fromkeys(plugin.needs)
    return found
