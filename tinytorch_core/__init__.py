"""A plain NumPy Tensor, and the hooks by which plugins add everything else.

PYTEST_DONT_REWRITE: pytest would warn where this package is imported before it, because the same
distribution brings a plugin of pytest.
"""

from tinytorch_core import plugins
from tinytorch_core.activation import Tensor
from tinytorch_core.dlpack import from_dlpack
from tinytorch_core.errors import (
    ConfigError,
    PluginError,
    PluginWarning,
    TinyTorchError,
    UnknownPluginError,
    UnmetNeedError,
)
from tinytorch_core.hookspecs import PLUGIN_API, hookimpl, hookspec
from tinytorch_core.ops import Op, op
from tinytorch_core.source import define
from tinytorch_core.startup import start_at_import

__version__ = "0.1.0"

__all__ = [
    "PLUGIN_API",
    "ConfigError",
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

start_at_import()
