"""Registering a plugin in a notebook, where a cell runs more than once."""

from __future__ import annotations

from typing import Any

from tinytorch_core import plugins


def plug_in(name: str, plugin: Any) -> None:
    """Register `plugin` under `name`, in place of an earlier plugin of this name.

    `plugins.register` refuses a name that is in use, so a cell that calls it runs only once.

    Args:
        name: the name of the plugin.
        plugin: an object whose functions are marked with `hookimpl`.

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
    if any(known.name == name for known in plugins.status()):
        plugins.unregister(name)
    plugins.register(plugin, name=name)
