"""Plugins: found, loaded, switched on and off; from a set of plugins to one surface.

    from tinytorch_core import plugins

    plugins.disable("losses")               # for good
    with plugins.only("activations"): ...   # for a while

Every change computes the surface of each tensor class anew and swaps it in at once. If anything
fails on the way, nothing has changed.
"""

from __future__ import annotations

import gc
import itertools
import os
import sys
import threading
import warnings
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from tinytorch_core.choices import Pile, Restore, caller
from tinytorch_core.config import Choice, Config, Decision, read_config, strict
from tinytorch_core.discovery import EntryPoint, installed
from tinytorch_core.errors import (
    ConfigError,
    PluginError,
    PluginWarning,
    UnknownPluginError,
    UnmetNeedError,
    did_you_mean,
)
from tinytorch_core.missing import distribution_of
from tinytorch_core.needs import check_needs, in_order
from tinytorch_core.plugin import Plugin
from tinytorch_core.surface import Surface
from tinytorch_core.tensor import TensorBase


class PluginStatus(NamedTuple):
    """What `tinytorch plugins` says of one plugin."""

    name: str
    distribution: str
    version: str
    on: bool
    decided_by: str
    error: str | None
    place: str | None = None
    import_seconds: float | None = None

    @property
    def state(self) -> str:
        """`on`, `off`, or `failed`: it should be on and is not."""
        return "on" if self.on else "failed" if self.error else "off"


# Guards everything below; reentrant, because importing a plugin may lead here again.
_lock = threading.RLock()
_plugins: dict[str, Plugin] = {}
_code = Pile()
_config = Config()
_active: tuple[Plugin, ...] = ()
_configured: dict[str, str] = {}
_surfaces: dict[Any, type] = {}
_made_of: weakref.WeakKeyDictionary[type, Any] = weakref.WeakKeyDictionary()
_attached: weakref.WeakKeyDictionary[type[TensorBase], tuple[str, ...]]
_attached = weakref.WeakKeyDictionary()
_started = False


class _Empty(TensorBase):
    """What Tensor stands on until its first surface is computed."""

    __slots__ = ()


class Tensor(_Empty):
    __doc__ = TensorBase.__doc__
    __slots__ = ()


def active() -> tuple[str, ...]:
    """The names of the plugins that are on, in order."""
    start()
    return tuple(p.name for p in _active)


def find(plugin: Any) -> Plugin:
    """The plugin of that name, or the one whose object or module this is.

    Raises:
        UnknownPluginError: no such plugin is installed or registered.
    """
    start()
    if isinstance(plugin, str):
        _check_names([plugin])
        return _plugins[plugin]
    for known in _plugins.values():
        if known.target is plugin:
            return known
    raise UnknownPluginError(f"no plugin is registered with the object {plugin!r:.60}")


def status() -> list[PluginStatus]:
    """Every plugin that is installed or registered, on or off, sorted by name.

    Disabled plugins are not imported for this.
    """
    with _lock:
        wrong = None
        try:
            start()
        except ConfigError:
            # What is installed can be told all the same.
            wrong = Decision(False, "wrong configuration")
        found = []
        for plugin in _by_name():
            decision = wrong or _decide(plugin.name)
            error = plugin.error_found if decision.on else None
            found.append(
                PluginStatus(
                    plugin.name,
                    plugin.distribution,
                    plugin.version,
                    plugin in _active,
                    decision.by,
                    str(error) if error else None,
                    plugin.place if error else None,
                    plugin.import_seconds,
                )
            )
        return found


def surface() -> Surface:
    """The surface of Tensor with the plugins that are on, computed anew to be looked at."""
    with _lock:
        start()
        found = Surface(_active, Tensor, Tensor)
        found.compute()
        return found


def enable(*names: str) -> Restore:
    """Switches plugins on; also usable in a `with` statement.

    Raises:
        UnknownPluginError: no such plugin is installed or registered.
        PluginError: a plugin cannot be used, or needs one that is off; nothing has changed.
    """
    return _choose("enabled", dict.fromkeys(names, True))


def disable(*names: str) -> Restore:
    """Switches plugins off; also usable in a `with` statement.

    Raises:
        UnknownPluginError: no such plugin is installed or registered.
        PluginError: a plugin that stays on needs one of them; nothing has changed.
    """
    return _choose("disabled", dict.fromkeys(names, False))


def only(*names: str) -> Restore:
    """Switches on these plugins and no others; also usable in a `with` statement.

    Raises:
        UnknownPluginError: no such plugin is installed or registered.
        PluginError: a plugin cannot be used, or needs one that is off; nothing has changed.
    """
    return _choose("only", dict.fromkeys(names, True), others=False)


def disabled(*names: str) -> Restore:
    """`disable`, but without names switches off every plugin: Tensor is the plain one.

    >>> from tinytorch_core import Tensor, plugins
    >>> with plugins.disabled():
    ...     plugins.active()
    ()

    Raises:
        UnknownPluginError: no such plugin is installed or registered.
        PluginError: a plugin that stays on needs one of them; nothing has changed.
    """
    return disable(*names) if names else only()


def configure(name: str, **settings: Any) -> Restore:
    """Changes settings of a plugin, as its table in a file does; also usable in a `with` statement.

    What is said here is stronger than what the files say.

    Args:
        name: the plugin's name.
        settings: its settings by name.

    Raises:
        UnknownPluginError: no such plugin is installed or registered.
        PluginError: the plugin does not take a setting; nothing has changed.
    """
    with _lock:
        start()
        _check_names([name])
        return _add(f"configured {name}", Choice(caller(), tables={name: settings}))


def register(plugin: Any, *, name: str) -> None:
    """Registers an object with hook implementations as a plugin and switches it on.

    Args:
        plugin: a module or an object whose functions are marked with `hookimpl`.
        name: the plugin's name, not in use yet.

    Raises:
        ValueError: the name is taken, or the object is registered already.
        PluginError: the plugin cannot be used; nothing has changed.
    """
    with _lock:
        start()
        if name in _plugins:
            raise ValueError(
                f"a plugin {name!r} exists already, from {_plugins[name].origin}; "
                "choose another name"
            )
        for other in _plugins.values():
            if other.target is plugin:
                raise ValueError(f"this object is registered already, as {other.name!r}")
        _plugins[name] = Plugin(name, target=plugin)
        try:
            _choose("enabled", {name: True})
        except BaseException:
            _plugins.pop(name).forget()
            raise


def unregister(name: str) -> None:
    """Switches off and forgets a plugin that was registered from code.

    Raises:
        UnknownPluginError: no plugin has that name.
        ValueError: the plugin is installed; `disable` switches it off.
    """
    with _lock:
        _check_names([name])
        if _plugins[name].points:
            raise ValueError(f"the plugin {name!r} is installed; use plugins.disable({name!r})")
        attached = dict(_attached)
        for cls, names in attached.items():
            _attached[cls] = tuple(n for n in names if n != name)
        try:
            _choose("disabled", {name: False})
        except BaseException:
            _attached.update(attached)
            raise
        _set_code(_code.forgetting(name))
        plugin = _plugins.pop(name)
        plugin.forget()
        for key in [k for k in _surfaces if any(p is plugin for p, _ in k)]:
            del _surfaces[key]


def attach(cls: type[TensorBase], *names: str) -> None:
    """Switches plugins on for one subclass of Tensor, whether or not they are on for Tensor.

    Operations on the subclass then return the subclass.

    Raises:
        TypeError: `cls` is no subclass of Tensor.
        UnknownPluginError: no such plugin is installed or registered.
        PluginError: a plugin cannot be used; nothing has changed.
    """
    if not (isinstance(cls, type) and issubclass(cls, Tensor) and cls is not Tensor):
        raise TypeError(
            f"{cls!r} is no subclass of Tensor; to extend Tensor itself use plugins.enable"
        )
    with _lock:
        start()
        _check_names(names)
        before = _attached.get(cls)
        _attached[cls] = tuple(dict.fromkeys([*(before or ()), *names]))
        try:
            _activate(lenient=False)
        except BaseException:
            if before is None:
                del _attached[cls]
            else:
                _attached[cls] = before
            raise


def why_off(name: str) -> tuple[str, str] | None:
    """Why a plugin is not on, and what to do about it; None if it is on."""
    plugin = _plugins.get(name)
    if plugin is None:
        return "is not installed", f"Install it: pip install {distribution_of(name)}"
    decision = _decide(name)
    if not decision.on:
        return f"is off, decided by {decision.by}", f"Turn it on: plugins.enable({name!r})"
    if plugin.error_found is not None:
        return f"failed: {plugin.error_found.reason}", plugin.error_found.remedy.rstrip(".")
    if plugin in _active:
        return None
    return "has not been started", "Import tinytorch_core first"


def bringing(name: str) -> list[str]:
    """The plugins that bring an attribute or keyword of Tensor, as they say or as was seen."""
    seen = {vars(surface).get("_providers", {}).get(name) for surface in list(_surfaces.values())}
    return [p.name for p in _by_name() if name in p.attributes or p.title in seen]


def start(*, lenient: bool | None = None) -> None:
    """Finds the installed plugins and switches on those that are to be on; done once.

    Args:
        lenient: a plugin that cannot be used is left out with one warning. By default so, unless
            TINYTORCH_STRICT is set.

    Raises:
        ConfigError: a configuration file or variable cannot be followed.
        PluginError: a plugin cannot be used, and `lenient` is false.
    """
    global _started, _config
    with _lock:
        if _started:
            return
        _started = True
        try:
            _discover()
            _config = read_config()
            _config.check_names(_plugins)
            _activate(lenient=not strict() if lenient is None else lenient)
        except BaseException:
            _started = False
            _swap({Tensor: _first_use(_surface((), Tensor))})
            raise
        if any(p.waiting and _decide(p.name).on for p in _plugins.values()):
            _started = False
            _swap({Tensor: _first_use(Tensor.__bases__[0])})


def start_at_import() -> None:
    """`start`, but a wrong configuration is raised by the first Tensor rather than here.

    So the package can be imported, and the program can say in its own way what is wrong.
    """
    if _is_the_command():
        # It starts them itself, and lists even what TINYTORCH_STRICT makes an error.
        _swap({Tensor: _first_use(Tensor.__bases__[0])})
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
        if name not in _plugins or _plugins[name].points != tuple(points):
            _plugins[name] = Plugin(name, points)


def _choose(what: str, names: Mapping[str, bool], others: bool | None = None) -> Restore:
    with _lock:
        start()
        _check_names(names)
        return _add(f"{what} {', '.join(names)}".rstrip(), Choice(caller(), names, others))


def _add(what: str, choice: Choice) -> Restore:
    restore = Restore(what, _take_back)
    _put_in_force(_code.adding(restore, choice))
    return restore


def _take_back(restore: Restore) -> None:
    with _lock:
        _put_in_force(_code.without(restore))


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if name not in _plugins:
            raise UnknownPluginError(
                f"no plugin {name!r} is installed or registered. {did_you_mean(name, _plugins)}"
            )


def _set_code(pile: Pile) -> None:
    global _code
    _code = pile


def _put_in_force(pile: Pile) -> None:
    """Makes `pile` what code has decided, or raises and leaves everything as it was."""
    before = _code
    _set_code(pile)
    try:
        _activate(lenient=False)
    except BaseException:
        _set_code(before)
        raise


def _decide(name: str) -> Decision:
    return _code.decide(name) or _config.decide(name)


def _by_name() -> list[Plugin]:
    return [_plugins[name] for name in sorted(_plugins)]


@contextmanager
def _uncollected() -> Iterator[None]:
    # A surface is many small objects, none of them garbage: looking for it took half the time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_uncollected()
def _activate(*, lenient: bool) -> None:
    """Computes the surfaces for the decisions in force, and swaps them in.

    With `lenient`, a plugin that fails is left out with a warning; otherwise it is an error.
    """
    global _active
    extra = {name for names in _attached.values() for name in names}
    usable = [p for p in _by_name() if _decide(p.name).on and _usable(p, lenient)]
    usable_extra = [_plugins[n] for n in sorted(extra) if _usable(_plugins[n], lenient)]
    while True:
        try:
            usable = in_order(usable)
            _configure(usable, usable_extra)
            surfaces: dict[type[TensorBase], type] = {Tensor: _surface(usable, Tensor)}
            for cls, names in _attached.items():
                mine = {*usable, *(p for p in usable_extra if p.name in names)}
                surfaces[cls] = _surface(in_order(mine), cls)
            break
        except PluginError as error:
            culprit = _plugins[error.plugin]
            if lenient:
                _report(culprit, error)
            elif isinstance(error, UnmetNeedError) and not _expected(culprit):
                culprit.error_found = error
            else:
                # What failed before keeps its word of why; what failed now says it itself.
                raise
            usable = [p for p in usable if p is not culprit]
            usable_extra = [p for p in usable_extra if p is not culprit]
    for plugin in usable:
        plugin.error_found = None
    _active = tuple(usable)
    _swap(surfaces)


def _usable(plugin: Plugin, lenient: bool) -> bool:
    if plugin.half_imported:
        return False
    unmet = isinstance(plugin.error_found, UnmetNeedError)
    if plugin.error_found is not None and not unmet and not _code.names(plugin.name):
        # It failed at the start and has been reported; only an explicit wish tries again.
        return False
    try:
        plugin.load()
        plugin.register()
    except PluginError as error:
        if plugin.waiting:
            return False
        if not lenient:
            raise
        _report(plugin, error)
        return False
    return True


def _expected(plugin: Plugin) -> bool:
    """Whether somebody would miss the plugin: it is on, or code has named it."""
    return plugin in _active or _code.names(plugin.name)


def _report(plugin: Plugin, error: PluginError) -> None:
    plugin.error_found = error
    warnings.warn(f"{error} It is left out; all else works.", PluginWarning, stacklevel=2)


def _configure(*groups: Sequence[Plugin]) -> None:
    """Hands each plugin its table if that is not the one it had when it was last on."""
    for plugin in dict.fromkeys(itertools.chain(*groups)):
        table = _table(plugin.name)
        if plugin in _active and _configured.get(plugin.name) == _text(table):
            continue
        given = {"config": dict(table)}
        Surface([plugin], Tensor, Tensor).call_hook("tinytorch_configure", lambda _: given)  # noqa: B023
        _configured[plugin.name] = _text(table)


def _table(name: str) -> dict[str, Any]:
    """A plugin's settings: those of the files, and over them those of the code."""
    return {**_config.table(name), **_code.table(name)}


def _text(table: Any) -> str:
    return repr(sorted(table.items()))


def _surface(plugins: Sequence[Plugin], cls: type[TensorBase]) -> type:
    """The surface of `cls`, computed once for each set of plugins and settings."""
    check_needs(plugins, why_off)
    key = tuple((p, _text(_table(p.name))) for p in plugins)
    if cls is not Tensor:
        # Kept by the class itself, for to keep it here would be to keep the class.
        surface = cls.__bases__[0]
        if _made_of.get(surface) != key:
            surface = Surface(plugins, cls, Tensor).compute()
            _made_of[surface] = key
        return surface
    if key not in _surfaces:
        _surfaces[key] = Surface(plugins, cls, Tensor).compute()
    return _surfaces[key]


def _swap(surfaces: Mapping[type[TensorBase], type]) -> None:
    """Puts the classes on their surfaces; for each class the change is one assignment."""
    for cls, surface in surfaces.items():
        if cls is Tensor:
            cls.__bases__ = (surface,)
        else:
            others = tuple(b for b in cls.__bases__ if b.__name__ != "Surface")
            cls.__bases__ = (surface, *others)


_swap({Tensor: _surface((), Tensor)})

__all__ = [
    "PluginStatus",
    "active",
    "attach",
    "configure",
    "disable",
    "disabled",
    "enable",
    "find",
    "only",
    "register",
    "status",
    "surface",
    "unregister",
]
