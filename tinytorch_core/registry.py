"""The registry: the known plugins, the plan in force, and how a new plan is put in force.

A change of plugins computes the surface, assigns it, and tells the plugins that became active or
inactive. If anything fails on the way, nothing has changed.
"""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from operator import attrgetter
from typing import Any
from weakref import WeakValueDictionary

from tinytorch_core.concurrency import fork_safe_lock
from tinytorch_core.config import Config, read_config, strict
from tinytorch_core.discovery import PLUGINS, entry_points
from tinytorch_core.errors import ConfigError, PluginError, PluginWarning, UnmetNeedError
from tinytorch_core.hints import torch_names, well_known
from tinytorch_core.overrides import Overrides
from tinytorch_core.plan import Plan, resolve
from tinytorch_core.plugin import Plugin
from tinytorch_core.surface import SurfaceBuilder
from tinytorch_core.tensor import Tensor, TensorBase
from tinytorch_core.validation import register

# Guards everything below. Reentrant, because importing a plugin may call these functions again.
lock = fork_safe_lock()
# The plugins that are installed or registered, by name.
known: dict[str, Plugin] = {}
# The settings made in code, and those of the environment and of files.
overrides = Overrides()
config = Config()
# The plan in force.
plan: Plan = resolve(overrides, config, known)

# The settings with which each active plugin was configured.
_configured: dict[Plugin, Mapping[str, Any]] = {}
# The plugins that were told that they are active, in this order.
_told: dict[Plugin, None] = {}
# The surfaces that were used last, the latest last, by plugins and settings; and all that somebody
# refers to. A surface takes about a megabyte.
_latest: dict[Any, type] = {}
_surfaces: WeakValueDictionary[Any, type] = WeakValueDictionary()
MOST_SURFACES = 16
# The errors that have been reported in warnings, by plugin.
_reported: dict[str, str] = {}
_started = False
_ready = attrgetter("ready")


def activate(new: Overrides, *, lenient: bool = False) -> None:
    """Put the plan for these overrides in force, or raise and leave everything as it was.

    PluginError if a plugin fails or needs one that is off. With `lenient`, such a plugin is left
    out with a warning instead.
    """
    before = overrides, plan, Tensor.__bases__
    failures = {p: p.failure for p in known.values() if p.failure is not None}
    configured = _configured.copy()
    for plugin in failures:
        if new.names(plugin.name):
            plugin.failure = None  # an explicit request tries again
    # Plugins and surfaces consist of many small objects, none of them garbage. Searching them for
    # garbage took half of the time of computing a surface.
    collects = gc.isenabled()
    try:
        gc.disable()
        while True:
            prepared = _prepared(new, lenient)
            if collects:
                gc.enable()
            _put_in_force(new, *prepared)
            error = _tell()
            if error is None:
                break
            if not lenient:
                raise error
            _leave_out(error)
    except BaseException:
        if collects:
            gc.enable()
        _put_in_force(*before)
        for plugin, failure in failures.items():
            plugin.failure = failure
        _restore_settings(configured)
        _tell(anyway=True)
        raise
    for plugin in _configured.keys() - set(plan.active):
        del _configured[plugin]
    for plugin in plan.active:
        _reported.pop(plugin.name, None)


def _put_in_force(new: Overrides, prepared: Plan, bases: tuple[type, ...]) -> None:
    global overrides, plan
    # In one line, so that an interrupt comes before or after all three, not in between.
    overrides, plan, Tensor.__bases__ = new, prepared, bases


def _tell(*, anyway: bool = False) -> PluginError | None:
    """Call the lifecycle hooks of the plugins that became inactive or active since the last call.

    Return the error of the first plugin that fails to be activated. If the plugins must be active
    `anyway`, report errors in warnings, as those of `tinytorch_deactivate`: it must always be
    possible to disable a plugin.
    """
    active = plan.active
    stopped = _told.keys() - active
    # If one of the hooks toggles plugins, `plan` changes, and that toggle tells all plugins.
    for plugin in [*reversed(_told)] if stopped else ():
        if plugin in stopped and plugin in _told and plan.active is active:
            del _told[plugin]
            try:
                plugin.call_hook("tinytorch_deactivate", {})
            except PluginError as error:
                _warn(f"{error} The plugin is off.")
    for plugin in active:
        if plugin not in _told and plan.active is active:
            _told[plugin] = None
            try:
                plugin.call_hook("tinytorch_activate", {})
            except PluginError as error:
                if not anyway:
                    _told.pop(plugin, None)
                    return error
                _warn(f"{error} The plugin is on.")
    return None


def forget(plugin: Plugin) -> None:
    """Remove a plugin that is off, with all settings and surfaces that belong to it."""
    global overrides, plan
    plugin.unregister()
    _reported.pop(plugin.name, None)
    for key in [key for key in _surfaces if plugin in key[0]]:
        _surfaces.pop(key, None)
        _latest.pop(key, None)
    new = overrides.forgetting(plugin.name)
    found = resolve(new, config, {n: p for n, p in known.items() if p is not plugin})
    # In one line, as in `_put_in_force`.
    overrides, plan, _ = new, found, known.pop(plugin.name)


def why_missing(kind: str, name: str) -> str | None:
    """Return how to get an attribute or keyword that Tensor lacks, or None if nothing is known."""
    for plugin in filter(None, [well_known(kind).get(name), *_providing(name)]):
        if (why := plan.why_off(plugin)) is not None:
            reason, remedy = why
            return f"The plugin {plugin!r} provides it, which {reason}. {remedy}."
        # The error is about an earlier surface, in which the plugin was off.
        in_force: SurfaceBuilder = Tensor._surface
        if name in (in_force.keywords if kind == "keywords" else in_force.providers):
            return (
                f"The plugin {plugin!r} provides it, which another thread has just enabled. "
                "Toggle plugins only while no other thread computes."
            )
    if kind == "attributes" and name in torch_names():
        return f"In place of PyTorch's {name}, use {torch_names()[name]}."
    return None


def _providing(name: str) -> list[str]:
    """Return the plugins that provide a name, by their metadata or in an earlier surface."""
    return [n for n, p in sorted(known.items()) if name in p.attributes or name in p.provided]


def _prepared(new: Overrides, lenient: bool) -> tuple[Plan, tuple[type]]:
    """Return the plan for `new` and the bases of Tensor; load and configure plugins."""
    importing: set[Plugin] = set()
    while True:
        found = resolve(new, config, known, without=importing)
        try:
            if not all(map(_ready, found.active)) and _load(found, importing):
                continue  # their needs are known now
            if found.errors:
                _check_errors(found, new, lenient)
            for plugin in found.active:
                settings = found.settings.get(plugin.name, {})
                if _configured.get(plugin) != settings:
                    _configure(plugin, settings)
            return found, (_surface_of(found),)
        except PluginError as error:
            if not lenient:
                raise
            _leave_out(error)


def _configure(plugin: Plugin, settings: Mapping[str, Any]) -> None:
    before = _configured.pop(plugin, None)  # if the hook is interrupted, they are unknown
    try:
        plugin.call_hook("tinytorch_configure", {"config": dict(settings)})
    except PluginError:  # it has refused these settings
        if before is not None:
            _configured[plugin] = before
        raise
    _configured[plugin] = settings


def _restore_settings(configured: Mapping[Plugin, Mapping[str, Any]]) -> None:
    """Give the plugins back the settings that they had before a change that failed."""
    for plugin in _configured.keys() - configured.keys():
        del _configured[plugin]
    for plugin, settings in configured.items():
        if _configured.get(plugin) != settings:
            with suppress(PluginError):
                _configure(plugin, settings)


def _leave_out(error: PluginError) -> None:
    known[error.plugin].failure = error
    _warn_once(error)


def _load(new: Plan, importing: set[Plugin]) -> bool:
    """Load and register the plugins that are not ready; return whether any were not."""
    todo = [p for p in new.active if not p.ready]
    for plugin in todo:
        if plugin.is_importing_us:
            importing.add(plugin)
            continue
        try:
            if plugin.target is None:
                plugin.load()
            register(plugin)
        except PluginError:
            if not plugin.import_in_progress:
                raise
            importing.add(plugin)
    return bool(todo)


def _check_errors(found: Plan, new: Overrides, lenient: bool) -> None:
    """Raise or report the errors that follow from the plan itself, such as unmet needs."""
    for name, error in found.errors.items():
        plugin = known[name]
        if error is plugin.failure:
            continue  # reported when it happened
        if lenient:
            _warn_once(error)
            continue
        expected = plugin in plan.active or new.names(name)
        if expected or not isinstance(error, UnmetNeedError):
            raise error


def _warn_once(error: PluginError) -> None:
    if _reported.get(error.plugin) != str(error):
        _reported[error.plugin] = str(error)
        _warn(f"{error} It is left out; everything else works.")


def _warn(message: str) -> None:
    warnings.warn(message, PluginWarning, stacklevel=3)


def _surface_of(new: Plan) -> type:
    """Return the surface, computed unless it is among those used last."""
    settings = [(p.name, new.settings[p.name]) for p in new.active if p.name in new.settings]
    key = (new.active, repr(settings))
    found = _latest.pop(key, None) or _surfaces.get(key)
    if found is None:
        builder = SurfaceBuilder(new.active, why_missing)
        found = builder.build()
        for plugin, names in builder.provided().items():
            plugin.provided |= names
        _surfaces[key] = found
    _latest[key] = found
    if len(_latest) > MOST_SURFACES:
        del _latest[next(iter(_latest))]
    return found


def start(*, lenient: bool | None = None) -> None:
    """Find the installed plugins and activate those that are enabled; done once.

    It runs when `tinytorch_core` is imported. If it cannot finish then, the first construction
    of a Tensor runs it again.

    Args:
        lenient: leave out a plugin that fails, with one warning. By default true, unless
            TINYTORCH_STRICT is set.

    Raises:
        ConfigError: a configuration file or variable is wrong.
        PluginError: a plugin failed, and `lenient` is false.
    """
    global _started, config, plan
    with lock:
        if _started:
            return
        try:
            _started = True
            _discover()
            config = read_config()
            for error in config.wrong_names(known):
                raise error
            plan = resolve(overrides, config, known)._replace(active=())
            lenient = not strict() if lenient is None else lenient
            activate(overrides, lenient=lenient)
            # `activate` does not raise an unmet need of a plugin that was not active before.
            for unmet in () if lenient else plan.errors.values():
                raise unmet
        except BaseException:
            _started = False
            start_later()
            raise
        if any(p.import_in_progress and plan.decisions[p.name].on for p in known.values()):
            _started = False
            start_later()


def start_at_import() -> None:
    """Run `start`, but let the first Tensor report a wrong configuration, not the import.

    So a program can import the package and report the error in its own way.
    """
    if _is_the_command():
        # The command starts the plugins itself, and lists those that fail even in strict mode.
        start_later()
        return
    try:
        start()
    except ConfigError:
        if strict():
            raise


def _is_the_command() -> bool:
    """Return whether this process is `tinytorch`, or `python -m tinytorch_core`."""
    program = os.path.basename(sys.argv[0]) if sys.argv else ""
    if program == "-m":  # while Python looks for the module to run
        return not {"tinytorch_core", "-mtinytorch_core"}.isdisjoint(sys.orig_argv)
    return program in ("tinytorch", "tinytorch.exe")


def start_later() -> None:
    """Make the first construction of a Tensor run `start`."""
    surface = Tensor.__bases__[0]
    if "__init__" in vars(surface):
        return  # it does already

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        start()
        # Not `type(self).__init__`, which for a subclass may be running already.
        TensorBase.__init__(self, *args, **kwargs)

    namespace = {"__slots__": (), "__init__": __init__, "_surface": vars(surface)["_surface"]}
    Tensor.__bases__ = (type("Surface", (surface,), namespace),)


def _discover() -> None:
    for name, points in entry_points(PLUGINS).items():
        if name not in known or known[name].points != points:
            known[name] = Plugin(name, points)


Tensor.__bases__ = (_surface_of(plan),)
