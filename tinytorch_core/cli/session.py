"""Starting the plugins for a command, which goes on whatever is wrong with some of them."""

from __future__ import annotations

import sys
import warnings
from contextlib import AbstractContextManager, redirect_stdout
from typing import Any

from tinytorch_core import plugins
from tinytorch_core.errors import PluginWarning
from tinytorch_core.registry import start
from tinytorch_core.surface import Surface


def aside() -> AbstractContextManager[Any]:
    """While code of plugins runs: what it prints goes to stderr, for stdout is the command's."""
    return redirect_stdout(sys.stderr)


def started_surface() -> Surface:
    """Starts the plugins that are to be on; one that fails is left out, and its status says so.

    Returns:
        The surface with the plugins that are on, to be looked at.

    Raises:
        ConfigError: the configuration is wrong. No plugin is on then.
        PluginError: a plugin that was on cannot be used a second time.
    """
    with warnings.catch_warnings(), aside():
        warnings.simplefilter("ignore", PluginWarning)
        start(lenient=True)
        return plugins.surface()
