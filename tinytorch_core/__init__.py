"""A plain NumPy Tensor, and the hooks through which plugins add everything else."""

from tinytorch_core import hookspecs, plugins
from tinytorch_core.errors import (
    ConfigError,
    NameTakenError,
    PluginError,
    PluginWarning,
    TinyTorchError,
    UnknownPluginError,
    UnmetNeedError,
)
from tinytorch_core.hook_manager import PLUGIN_API, hookimpl, hookspec, manager
from tinytorch_core.op_call import op
from tinytorch_core.ops import Op
from tinytorch_core.registry import start_at_import
from tinytorch_core.source import define
from tinytorch_core.tensor import Tensor, from_dlpack

__version__ = "0.1.0"

__all__ = [
    "PLUGIN_API",
    "ConfigError",
    "NameTakenError",
    "Op",
    "PluginError",
    "PluginWarning",
    "Tensor",
    "TinyTorchError",
    "UnknownPluginError",
    "UnmetNeedError",
    "define",
    "from_dlpack",
    "hookimpl",
    "hookspec",
    "op",
    "plugins",
]

# Plugins implement the hooks, so add the specifications before starting the plugins.
manager.add_hookspecs(hookspecs)
start_at_import()
