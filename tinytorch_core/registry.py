"""The registry: the known plugins, the plan in force, and how a new plan is put in force.

A change of plugins computes the surface of each tensor class and then assigns it. If anything
fails on the way, nothing has changed.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import warnings
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

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
lock = threading.RLock()
# The plugins that are installed or registered, by name.
known: dict[str, Plugin] = {}
# The settings made in code, and those of the environment and of files.
overrides = Overrides()
config = Config()
# The plan in force.
plan: Plan = resolve(overrides, config, known)
# The names of further plugins for subclasses of Tensor.
attached = weakref.WeakKeyDictionary[type[Tensor], tuple[str, ...]]()

# The settings with which each plugin that is active, for Tensor or a subclass, was configured.
_configured: dict[Plugin, Mapping[str, Any]] = {}
# The surfaces of Tensor by plugins and settings, and this key of each surface of a subclass.
_surfaces: dict[Any, type] = {}
_keys: weakref.WeakKeyDictionary[type, Any] = weakref.WeakKeyDictionary()
# The errors that have been reported in warnings, by plugin.
_reported: dict[str, str] = {}
_started = False


def activate(new: Overrides, *, lenient: bool = False) -> None:
    """Put the plan for these overrides in force, or raise and leave everything as it was.

    PluginError if a plugin fails or needs one that is off. With `lenient`, such a plugin is left
    out with a warning instead.
    """
    global overrides, plan
    failures = {p: p.failure for p in known.values() if p.failure is not None}
    configured = _configured.copy()
    for plugin in failures:
        if new.names(plugin.name):
            plugin.failure = None  # an explicit request tries again
    # Plugins and surfaces consist of many small objects, none of them garbage. Searching them for
    # garbage took half of the time of computing a surface.
    collects = gc.isenabled()
    gc.disable()
    try:
        plans, surfaces = _prepare(new, lenient)
    except BaseException:
        for plugin, failure in failures.items():
            plugin.failure = failure
        # `_prepare` may have configured plugins: give them their former settings back.
        for plugin in _configured.keys() - configured.keys():
            del _configured[plugin]
        for plugin, settings in configured.items():
            if _configured.get(plugin) != settings:
                with suppress(PluginError):
                    plugin.call_hook("tinytorch_configure", {"config": dict(settings)})
                    _configured[plugin] = settings
        raise
    finally:
        if collects:
            gc.enable()
    overrides, plan = new, plans[Tensor]
    for plugin in _configured.keys() - {p for each in plans.values() for p in each.active}:
        del _configured[plugin]
    for plugin in plan.active:
        _reported.pop(plugin.name, None)
    _assign(surfaces)


def forget(plugin: Plugin) -> None:
    """Remove a plugin that is off, with all settings and surfaces that belong to it."""
    global overrides, plan
    overrides = overrides.forgetting(plugin.name)
    del known[plugin.name]
    _reported.pop(plugin.name, None)
    plugin.unregister()
    for key in [key for key in _surfaces if plugin in key[0]]:
        del _surfaces[key]
    plan = resolve(overrides, config, known)


def why_missing(kind: str, name: str) -> str | None:
    """Return how to get an attribute or keyword that Tensor lacks, or None if nothing is known."""
    for plugin in filter(None, [well_known(kind).get(name), *_providing(name)]):
        if (why := plan.why_off(plugin)) is not None:
            reason, remedy = why
            return f"The plugin {plugin!r} provides it, which {reason}. {remedy}."
    if kind == "attributes" and name in torch_names():
        return f"In place of PyTorch's {name}, use {torch_names()[name]}."
    return None


def _providing(name: str) -> list[str]:
    """Return the plugins that provide a name, by their metadata or in an earlier surface."""
    titles = set()
    for surface in list(_surfaces.values()):
        builder: SurfaceBuilder = vars(surface)["_surface"]
        keyword = builder.keywords.get(name)
        titles |= {builder.providers.get(name), keyword.provider if keyword else None}
    return [n for n, p in sorted(known.items()) if name in p.attributes or p.title in titles]


def _prepare(
    new: Overrides, lenient: bool
) -> tuple[dict[type[Tensor], Plan], dict[type[Tensor], type]]:
    """Return the plan for `new` and the surface of each class; load and configure plugins."""
    importing: set[Plugin] = set()
    while True:
        plans: dict[type[Tensor], Plan] = {Tensor: resolve(new, config, known, without=importing)}
        for cls, names in attached.items():
            plans[cls] = resolve(new, config, known, also=names, without=importing)
        try:
            if _load(plans.values(), importing):
                continue  # their needs are known now
            _check_errors(plans, new, lenient)
            for each in plans.values():
                for plugin in each.active:
                    settings = each.settings.get(plugin.name, {})
                    if _configured.get(plugin) != settings:
                        plugin.call_hook("tinytorch_configure", {"config": dict(settings)})
                        _configured[plugin] = settings
            return plans, {cls: _surface_of(p, cls) for cls, p in plans.items()}
        except PluginError as error:
            if not lenient:
                raise
            known[error.plugin].failure = error
            _warn(error)


def _load(plans: Iterable[Plan], importing: set[Plugin]) -> bool:
    """Load and register the plugins that are not ready; return whether any were not."""
    todo = dict.fromkeys(p for each in plans for p in each.active if not p.ready)
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


def _check_errors(plans: Mapping[type[Tensor], Plan], new: Overrides, lenient: bool) -> None:
    """Raise or report the errors that follow from the plans themselves, such as unmet needs."""
    for cls, each in plans.items():
        for name, error in each.errors.items():
            plugin = known[name]
            if error is plugin.failure:
                continue  # reported when it happened
            if lenient:
                _warn(error)
                continue
            expected = plugin in plan.active or new.names(name) or cls is not Tensor
            if expected or not isinstance(error, UnmetNeedError):
                raise error


def _warn(error: PluginError) -> None:
    if _reported.get(error.plugin) != str(error):
        _reported[error.plugin] = str(error)
        message = f"{error} It is left out; everything else works."
        warnings.warn(message, PluginWarning, stacklevel=2)


def _surface_of(new: Plan, cls: type[Tensor]) -> type:
    """Return the surface of `cls`, computed once for each set of plugins and settings."""
    settings = [(p.name, new.settings[p.name]) for p in new.active if p.name in new.settings]
    key = (new.active, repr(settings))
    if cls is Tensor:
        found = _surfaces.get(key)
    else:  # not cached here, because the cache would keep the subclass alive
        found = next((base for base in cls.__bases__ if _keys.get(base) == key), None)
    if found is None:
        found = SurfaceBuilder(new.active, cls, why_missing).build()
        if cls is Tensor:
            _surfaces[key] = found
        else:
            _keys[found] = key
    return found


def _assign(surfaces: Mapping[type[Tensor], type]) -> None:
    """Assign each class its surface, in one step for each class."""
    for cls, surface in surfaces.items():
        if cls is Tensor:
            cls.__bases__ = (surface,)
            continue
        bases = [base for base in cls.__bases__ if "_surface" not in vars(base)]
        # In front of the first Tensor, but after a mixin, whose methods take precedence.
        bases.insert([issubclass(base, Tensor) for base in bases].index(True), surface)
        cls.__bases__ = tuple(bases)


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
        _started = True
        try:
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
    _assign({Tensor: type("Surface", (surface,), namespace)})


def _discover() -> None:
    for name, points in entry_points(PLUGINS).items():
        if name not in known or known[name].points != points:
            known[name] = Plugin(name, points)


_assign({Tensor: _surface_of(plan, Tensor)})
