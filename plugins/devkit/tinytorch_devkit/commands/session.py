"""Starting the plugins for a command, even if some of them fail."""

from __future__ import annotations

import sys
import warnings
from contextlib import AbstractContextManager, redirect_stdout
from typing import Any

from tinytorch_core import PluginWarning, plugins
from tinytorch_core.extend import SurfaceBuilder, start_plugins


def output_to_stderr() -> AbstractContextManager[Any]:
    """Return a context in which plugins print to stderr; stdout is for the command's output."""
    return redirect_stdout(sys.stderr)


def started_surface() -> SurfaceBuilder:
    """Start the plugins, leave out those that fail, and return the surface with the others.

    Raises:
        ConfigError: the configuration is wrong. Then no plugin is on.
        PluginError: a plugin fails while the surface is computed again.
    """
    with warnings.catch_warnings(), output_to_stderr():
        warnings.simplefilter("ignore", PluginWarning)
        start_plugins(lenient=True)
        return plugins.surface()
