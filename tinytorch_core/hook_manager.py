"""The markers `hookimpl` and `hookspec`, the version of the plugin API, and the hook manager."""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import Any

import pluggy

PROJECT = "tinytorch"

# Increased when plugins must change to keep working. A plugin states the versions that it supports:
# tinytorch_api = (1, 1), the lowest and the highest.
PLUGIN_API = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class HookManager(pluggy.PluginManager):
    """pluggy's manager, which also allows a plugin's hooks to be added again."""

    def add_hookspecs(self, module_or_class: Any) -> None:
        """Add hooks, unless an earlier registration of the same plugin has added them.

        pluggy cannot remove a hook. A plugin that is registered, unregistered and registered
        again, as in a notebook, adds its own hooks again.
        """
        names = [n for n in dir(module_or_class) if self.parse_hookspec_opts(module_or_class, n)]
        callers = [getattr(self.hook, name, None) for name in names]
        origins = {_origin(c.spec.namespace) if c and c.spec else None for c in callers}
        if origins != {_origin(module_or_class)}:
            super().add_hookspecs(module_or_class)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        """Return the options passed to `hookimpl` for an attribute of a plugin, or None."""
        if isinstance(plugin, ModuleType):  # pluggy would bind its names, 20 µs for each
            value = vars(plugin).get(name)
            if isinstance(value, FunctionType):
                return getattr(value, f"{self.project_name}_impl", None)
            if not callable(value):
                return None
        return super().parse_hookimpl_opts(plugin, name)


def _origin(source: Any) -> tuple[str, str]:
    return getattr(source, "__module__", ""), getattr(source, "__qualname__", source.__name__)


manager = HookManager(PROJECT)
