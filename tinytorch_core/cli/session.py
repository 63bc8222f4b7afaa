"""Start the plugins for a command, which must work even if some of them fail."""

from __future__ import annotations

import sys
import warnings
from contextlib import AbstractContextManager, redirect_stdout
from typing import Any

from tinytorch_core import plugins
from tinytorch_core.errors import PluginWarning
from tinytorch_core.registry import start
from tinytorch_core.surface import SurfaceBuilder


def prints_to_stderr() -> AbstractContextManager[Any]:
    """Redirect prints of plugins to stderr, because stdout is for the command's output."""
    return redirect_stdout(sys.stderr)


def started_surface() -> SurfaceBuilder:
    """Start the plugins, without those that fail, and return the builder of the surface."""
    with warnings.catch_warnings(), prints_to_stderr():
        warnings.simplefilter("ignore", PluginWarning)
        start(lenient=True)
        return plugins.surface()
