"""Find the file and line in a plugin that caused an error."""

from __future__ import annotations

import inspect
import sys
import traceback
from typing import Any

from tinytorch_core.errors import PluginError

# Frames of these packages are between the plugin and the handler, and are not the cause.
_MACHINERY = {"pluggy", "tinytorch_core", *sys.stdlib_module_names}


def location_of(error: PluginError, module: str, target: Any) -> str | None:
    """Return `file:line` of the plugin's code that raised `error`, or of the wrong hook or module.

    Args:
        error: the plugin's error.
        module: the module that the plugin's entry point names.
        target: the plugin's object, or None if its import failed.
    """
    cause = error.__cause__
    if isinstance(cause, SyntaxError) and cause.filename:
        return f"{cause.filename}:{cause.lineno}"
    package = module.partition(".")[0]
    last = None
    for frame, line in traceback.walk_tb(cause.__traceback__ if cause else None):
        name = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        # Prefer the plugin's own line to one of a library that it called.
        if name == package or (name not in _MACHINERY and (last is None or last[0] != package)):
            last = name, f"{frame.f_code.co_filename}:{line}"
    if last is not None:
        return last[1]
    thing = getattr(target, error.hook or "", target)
    if thing is None or inspect.ismodule(thing):
        return getattr(thing, "__file__", None)
    try:
        thing = thing if inspect.isclass(thing) or inspect.isroutine(thing) else type(thing)
        return f"{inspect.getsourcefile(thing)}:{inspect.getsourcelines(thing)[1]}"
    except (OSError, TypeError):
        return None
