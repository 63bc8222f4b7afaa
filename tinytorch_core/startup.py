"""The start: finds the installed plugins, and switches on those that are to be on.

It happens when `tinytorch_core` is imported. Where it cannot be finished then, the first
construction of a Tensor goes on with it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from tinytorch_core import activation
from tinytorch_core.activation import Tensor
from tinytorch_core.config import read_config, strict
from tinytorch_core.discovery import EntryPoint, installed
from tinytorch_core.errors import ConfigError
from tinytorch_core.plugin import Plugin
from tinytorch_core.tensor import TensorBase

_started = False


def start(*, lenient: bool | None = None) -> None:
    """Finds the installed plugins and switches on those that are to be on; done once.

    Args:
        lenient: a plugin that cannot be used is left out with one warning. By default so, unless
            TINYTORCH_STRICT is set.

    Raises:
        ConfigError: a configuration file or variable cannot be followed.
        PluginError: a plugin cannot be used, and `lenient` is false.
    """
    global _started
    with activation.lock:
        if _started:
            return
        _started = True
        try:
            _discover()
            activation.config = read_config()
            activation.config.check_names(activation.known)
            activation.activate(lenient=not strict() if lenient is None else lenient)
        except BaseException:
            _started = False
            activation.swap({Tensor: _first_use(activation.surface_of((), Tensor))})
            raise
        if any(p.waiting and activation.decide(p.name).on for p in activation.known.values()):
            _started = False
            activation.swap({Tensor: _first_use(Tensor.__bases__[0])})


def start_at_import() -> None:
    """`start`, but a wrong configuration is raised by the first Tensor rather than here.

    So the package can be imported, and the program can say in its own way what is wrong.
    """
    if _is_the_command():
        # It starts them itself, and lists even what TINYTORCH_STRICT makes an error.
        activation.swap({Tensor: _first_use(Tensor.__bases__[0])})
        return
    try:
        start()
    except ConfigError:
        if strict():
            raise


def _is_the_command() -> bool:
    """Whether this process is `tinytorch`, or `python -m tinytorch_core`."""
    program = os.path.basename(sys.argv[0]) if sys.argv else ""
    if program == "-m":  # while Python looks for the module to run
        return not {"tinytorch_core", "-mtinytorch_core"}.isdisjoint(sys.orig_argv)
    return program in ("tinytorch", "tinytorch.exe")


def _first_use(surface: type) -> type:
    """`surface`, but the first construction of a Tensor starts the plugins (again).

    For a start that could not be finished: a wrong configuration, or a plugin whose own import
    led here, so that it has no hooks to show yet.
    """

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        start()
        # Not that of `type(self)`: a subclass has begun its own already.
        TensorBase.__init__(self, *args, **kwargs)

    return type("Surface", (surface,), {"__slots__": (), "__init__": __init__})


def _discover() -> None:
    groups: dict[str, list[EntryPoint]] = {}
    for point in installed():
        groups.setdefault(point.name, []).append(point)
    for name, points in groups.items():
        if name not in activation.known or activation.known[name].points != tuple(points):
            activation.known[name] = Plugin(name, points)
