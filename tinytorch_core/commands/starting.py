"""Starting the plugins for a command, which goes on whatever is wrong with some of them."""

from __future__ import annotations

import warnings

from tinytorch_core import plugins
from tinytorch_core.errors import ConfigError, PluginWarning


def start_plugins() -> ConfigError | None:
    """Starts the plugins that are to be on; one that fails is left out, and its status says so.

    Returns:
        What is wrong with the configuration, where that is why no plugin is on.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        try:
            plugins.start(lenient=True)
        except ConfigError as error:
            return error
    return None
