"""The markers of pluggy with which plugins mark their hooks, and the version of the plugin API."""

import pluggy

PROJECT = "tinytorch"

# Raised when a plugin must change to keep working. A plugin states the versions that it supports:
# tinytorch_api = (1, 1), the lowest and the highest.
PLUGIN_API = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
