"""Find the file and line in a plugin that caused an error."""

from __future__ import annotations

import inspect
import sys
import traceback
from types import FrameType
from typing import Any

from tinytorch_core.errors import PluginError

# Frames of these packages lie between the plugin and the handler; they are not the cause.
_MACHINERY = {"pluggy", "tinytorch_core", *sys.stdlib_module_names}


def location_of(error: PluginError, package: str, target: Any) -> str | None:
    """Return `file:line` of the plugin's code that raised `error`, or of the wrong hook or module.

    Args:
        error: the plugin's error.
        package: the plugin's package or module.
        target: the plugin's object, or None if its import failed.
    """
    cause = error.__cause__
    if isinstance(cause, SyntaxError) and cause.filename:
        return f"{cause.filename}:{cause.lineno}"
    frames = [] if cause is None else list(traceback.walk_tb(cause.__traceback__))
    # Prefer the plugin's own line to one of a library that it called.
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
