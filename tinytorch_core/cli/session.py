"""Starting the plugins for a command, which must work even if some of them fail."""

from __future__ import annotations

import sys
import warnings
from contextlib import AbstractContextManager, redirect_stdout
from typing import Any

from tinytorch_core import plugins
from tinytorch_core.errors import PluginWarning
from tinytorch_core.registry import start
from tinytorch_core.surface import SurfaceBuilder


def aside() -> AbstractContextManager[Any]:
    """Send what plugins print to stderr, because stdout is for the command's output."""
    return redirect_stdout(sys.stderr)


def started_surface() -> SurfaceBuilder:
    """Start the plugins, without those that fail, and return how the surface was computed."""
    with warnings.catch_warnings(), aside():
        warnings.simplefilter("ignore", PluginWarning)
        start(lenient=True)
        return plugins.surface()
