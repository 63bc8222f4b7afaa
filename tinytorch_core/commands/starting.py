"""Starting the plugins for a command, which goes on whatever is wrong with some of them."""

from __future__ import annotations

import sys
import warnings
from contextlib import redirect_stdout

from tinytorch_core import plugins
from tinytorch_core.errors import PluginWarning
from tinytorch_core.startup import start
from tinytorch_core.surface import Surface


def started_surface() -> Surface:
    """Starts the plugins that are to be on; one that fails is left out, and its status says so.

    Returns:
        The surface with the plugins that are on, to be looked at.

    Raises:
        ConfigError: the configuration is wrong. No plugin is on then.
        PluginError: a plugin that was on cannot be used a second time.
    """
    # What a plugin prints must not mix with what the command does.
    with warnings.catch_warnings(), redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore", PluginWarning)
        start(lenient=True)
        return plugins.surface()
