"""Registering a plugin in a notebook, where a cell runs more than once."""

from __future__ import annotations

from typing import Any

from tinytorch_core import plugins


def plug_in(name: str, plugin: Any) -> None:
    """Register `plugin` under `name`, in place of an earlier plugin of this name.

    `plugins.register` refuses a name that is in use, so a cell that calls it runs only once.
    Plugins that need the earlier one are off in between, and use the new one afterwards.

    Args:
        name: the name of the plugin.
        plugin: an object whose functions are marked with `hookimpl`.

    Raises:
        PluginError: the plugin failed. The earlier one, if there was one, is unregistered, and
            those that need it are off.
        ValueError: an installed plugin has this name.

    >>> from tinytorch_core import Tensor, hookimpl, plugins
    >>> class Doubling:
    ...     @hookimpl
    ...     def tinytorch_extend_tensor(self, tensor):
    ...         tensor.add("doubled", lambda x: 2 * x)
    >>> plug_in("doubling", Doubling())
    >>> plug_in("doubling", Doubling())
    >>> Tensor([1.0]).doubled()
    Tensor([2.])
    >>> plugins.unregister("doubling")
    """
    if all(known.name != name for known in plugins.status()):
        plugins.register(plugin, name=name)
        return
    needing = _needing(name)
    if needing:
        plugins.disable(*needing)
    plugins.unregister(name)
    plugins.register(plugin, name=name)
    if needing:
        plugins.enable(*needing)


def _needing(name: str) -> list[str]:
    """Return the names of the active plugins that need this one, themselves or through others."""
    found = [name]
    for each in found:  # which grows
        found += [
            other
            for other in plugins.active()
            if each in plugins.find(other).needs and other not in found
        ]
    return found[1:]
