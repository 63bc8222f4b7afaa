"""Activation: from what is decided about plugins to the surfaces of the tensor classes.

Every change computes the surface of each tensor class anew and swaps it in at once. If anything
fails on the way, nothing has changed.
"""

from __future__ import annotations

import gc
import itertools
import threading
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tinytorch_core.config import Config, Decision
from tinytorch_core.errors import PluginError, PluginWarning, UnmetNeedError
from tinytorch_core.missing import distribution_of
from tinytorch_core.needs import check_needs, in_order
from tinytorch_core.overrides import Pile
from tinytorch_core.plugin import Plugin
from tinytorch_core.surface import Surface
from tinytorch_core.tensor import TensorBase

# Guards everything below; reentrant, because importing a plugin may lead here again.
lock = threading.RLock()
# The plugins that are installed or registered, by name.
known: dict[str, Plugin] = {}
# What code has decided about them, and below it what the files and the variable say.
code = Pile()
config = Config()
# Those that are on for Tensor, in order; and further ones for subclasses, by name.
active: tuple[Plugin, ...] = ()
attached: weakref.WeakKeyDictionary[type[TensorBase], tuple[str, ...]]
attached = weakref.WeakKeyDictionary()
_configured: dict[str, str] = {}
_surfaces: dict[Any, type] = {}
_made_of: weakref.WeakKeyDictionary[type, Any] = weakref.WeakKeyDictionary()


class _Empty(TensorBase):
    """What Tensor stands on until its first surface is computed."""

    __slots__ = ()


class Tensor(_Empty):  # noqa: D101
    __doc__ = TensorBase.__doc__
    __module__ = "tinytorch_core"  # where users have it from
    __slots__ = ()


def decide(name: str) -> Decision:
    """Whether the plugin is to be on, and who said so: code, or else the configuration."""
    return code.decide(name) or config.decide(name)


def by_name() -> list[Plugin]:
    """The plugins that are known, sorted by name."""
    return [known[name] for name in sorted(known)]


def why_off(name: str) -> tuple[str, str] | None:
    """Why a plugin is not on, and what to do about it; None if it is on."""
    plugin = known.get(name)
    if plugin is None:
        return "is not installed", f"Install it: pip install {distribution_of(name)}"
    decision = decide(name)
    if not decision.on:
        return f"is off, decided by {decision.by}", f"Turn it on: plugins.enable({name!r})"
    if (error := plugin.error_found) is not None:
        where = f" in {error.hook}" if error.hook else ""
        return f"failed{where}: {error.reason}", error.remedy.rstrip(".")
    if plugin in active:
        return None
    return "has not been started", "Import tinytorch_core first"


def bringing(name: str) -> list[str]:
    """The plugins that bring an attribute or keyword of Tensor, as they say or as was seen."""
    seen = {vars(surface).get("_providers", {}).get(name) for surface in list(_surfaces.values())}
    return [p.name for p in by_name() if name in p.attributes or p.title in seen]


def put_in_force(pile: Pile, *, lenient: bool = False) -> None:
    """Makes `pile` what code has decided, or raises and leaves everything as it was."""
    global code
    before, code = code, pile
    try:
        activate(lenient=lenient)
    except BaseException:
        code = before
        raise


def forget(plugin: Plugin) -> None:
    """Forgets a plugin that is off, with all that was decided and computed for it."""
    global code
    code = code.forgetting(plugin.name)
    del known[plugin.name]
    plugin.forget()
    for key in [k for k in _surfaces if any(p is plugin for p, _ in k)]:
        del _surfaces[key]


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
def activate(*, lenient: bool) -> None:
    """Computes the surfaces for the decisions in force, and swaps them in.

    With `lenient`, a plugin that fails is left out with a warning; otherwise it is an error.
    """
    global active
    extra = {name for names in attached.values() for name in names}
    usable = [p for p in by_name() if decide(p.name).on and _usable(p, lenient)]
    usable_extra = [known[n] for n in sorted(extra) if _usable(known[n], lenient)]
    while True:
        try:
            usable = in_order(usable)
            _configure(usable, usable_extra)
            surfaces: dict[type[TensorBase], type] = {Tensor: surface_of(usable, Tensor)}
            for cls, names in attached.items():
                mine = {*usable, *(p for p in usable_extra if p.name in names)}
                surfaces[cls] = surface_of(in_order(mine), cls)
            break
        except PluginError as error:
            culprit = known[error.plugin]
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
    active = tuple(usable)
    swap(surfaces)


def _usable(plugin: Plugin, lenient: bool) -> bool:
    if plugin.half_imported:
        return False
    unmet = isinstance(plugin.error_found, UnmetNeedError)
    if plugin.error_found is not None and not unmet and not code.names(plugin.name):
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
    return plugin in active or code.names(plugin.name)


def _report(plugin: Plugin, error: PluginError) -> None:
    told, plugin.error_found = plugin.error_found, error
    if str(told) != str(error):
        warnings.warn(f"{error} It is left out; all else works.", PluginWarning, stacklevel=2)


def _configure(*groups: Sequence[Plugin]) -> None:
    """Hands each plugin its table if that is not the one it had when it was last on."""
    for plugin in dict.fromkeys(itertools.chain(*groups)):
        table = _table(plugin.name)
        if plugin in active and _configured.get(plugin.name) == _text(table):
            continue
        given = {"config": dict(table)}
        Surface([plugin], Tensor, Tensor).call_hook("tinytorch_configure", lambda _: given)  # noqa: B023
        _configured[plugin.name] = _text(table)


def _table(name: str) -> dict[str, Any]:
    """A plugin's settings: those of the files, and over them those of the code."""
    return {**config.table(name), **code.table(name)}


def _text(table: Any) -> str:
    return repr(sorted(table.items()))


def surface_of(plugins: Sequence[Plugin], cls: type[TensorBase]) -> type:
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


def swap(surfaces: Mapping[type[TensorBase], type]) -> None:
    """Puts the classes on their surfaces; for each class the change is one assignment."""
    for cls, surface in surfaces.items():
        if cls is Tensor:
            cls.__bases__ = (surface,)
        else:
            others = tuple(b for b in cls.__bases__ if b.__name__ != "Surface")
            cls.__bases__ = (surface, *others)


swap({Tensor: surface_of((), Tensor)})
