"""Where in a plugin an error comes from, as `file:line`."""

from __future__ import annotations

import inspect
import sys
import traceback
from types import FrameType
from typing import Any

from tinytorch_core.errors import PluginError

# Between the plugin and whoever caught the error; never the place to look at.
_MACHINERY = {"pluggy", "tinytorch_core", *sys.stdlib_module_names}


def location_of(error: PluginError, package: str, target: Any) -> str | None:
    """The line of the plugin that raised `error`, or the hook or module that is wrong.

    Args:
        error: what the plugin failed with.
        package: the package or module that the plugin's code lies in.
        target: the plugin's object, or None if it could not be imported.
    """
    cause = error.__cause__
    if isinstance(cause, SyntaxError) and cause.filename:
        return f"{cause.filename}:{cause.lineno}"
    frames = [] if cause is None else list(traceback.walk_tb(cause.__traceback__))
    # The plugin's own line rather than one of a library that it called.
    own = [pair for pair in frames if _package(pair[0]) == package]
    for frame, line in reversed(own or [p for p in frames if _package(p[0]) not in _MACHINERY]):
        return f"{frame.f_code.co_filename}:{line}"
    return _definition(getattr(target, error.hook or "", target))


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _definition(thing: Any) -> str | None:
    if thing is None:
        return None
    if inspect.ismodule(thing):
        return getattr(thing, "__file__", None)
    try:
        thing = thing if inspect.isclass(thing) or inspect.isroutine(thing) else type(thing)
        return f"{inspect.getsourcefile(thing)}:{inspect.getsourcelines(thing)[1]}"
    except (OSError, TypeError):
        return None
