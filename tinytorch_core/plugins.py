"""Plugins: switched on and off, configured, registered, and asked what they are.

    from tinytorch_core import plugins

    plugins.disable("losses")               # for good
    with plugins.only("activations"): ...   # for a while

An operation here either has its whole effect or raises and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tinytorch_core import activation
from tinytorch_core.activation import Tensor
from tinytorch_core.config import Choice, Decision, strict
from tinytorch_core.errors import ConfigError, UnknownPluginError, did_you_mean
from tinytorch_core.overrides import Restore, caller
from tinytorch_core.plugin import Plugin
from tinytorch_core.startup import start
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


def active() -> tuple[str, ...]:
    """The names of the plugins that are on, in order."""
    start()
    return tuple(p.name for p in activation.active)


def find(plugin: Any) -> Plugin:
    """The plugin of that name, or the one whose object or module this is.

    Raises:
        UnknownPluginError: no such plugin is installed or registered.
    """
    start()
    if isinstance(plugin, str):
        _check_names([plugin])
        return activation.known[plugin]
    for known in activation.known.values():
        if known.target is plugin:
            return known
    raise UnknownPluginError(f"no plugin is registered with the object {plugin!r:.60}")


def status() -> list[PluginStatus]:
    """Every plugin that is installed or registered, on or off, sorted by name.

    Disabled plugins are not imported for this.
    """
    with activation.lock:
        wrong = None
        try:
            start()
        except ConfigError:
            # What is installed can be told all the same.
            wrong = Decision(False, "wrong configuration")
        found = []
        for plugin in activation.by_name():
            decision = wrong or activation.decide(plugin.name)
            error = plugin.error_found if decision.on else None
            found.append(
                PluginStatus(
                    plugin.name,
                    plugin.distribution,
                    plugin.version,
                    plugin in activation.active,
                    decision.by,
                    str(error) if error else None,
                    plugin.place if error else None,
                    plugin.import_seconds,
                )
            )
        return found


def surface() -> Surface:
    """The surface of Tensor with the plugins that are on, computed anew to be looked at."""
    with activation.lock:
        start()
        found = Surface(activation.active, Tensor, Tensor)
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
    with activation.lock:
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
    with activation.lock:
        start()
        if name in activation.known:
            raise ValueError(
                f"a plugin {name!r} exists already, from {activation.known[name].origin}; "
                "choose another name"
            )
        for other in activation.known.values():
            if other.target is plugin:
                raise ValueError(f"this object is registered already, as {other.name!r}")
        activation.known[name] = Plugin(name, target=plugin)
        try:
            _choose("enabled", {name: True})
        except BaseException:
            activation.known.pop(name).forget()
            raise


def unregister(name: str) -> None:
    """Switches off and forgets a plugin that was registered from code.

    Raises:
        UnknownPluginError: no plugin has that name.
        ValueError: the plugin is installed; `disable` switches it off.
    """
    with activation.lock:
        _check_names([name])
        if activation.known[name].points:
            raise ValueError(f"the plugin {name!r} is installed; use plugins.disable({name!r})")
        attached = dict(activation.attached)
        for cls, names in attached.items():
            activation.attached[cls] = tuple(n for n in names if n != name)
        try:
            _choose("disabled", {name: False})
        except BaseException:
            activation.attached.update(attached)
            raise
        activation.forget(activation.known[name])


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
    with activation.lock:
        start()
        _check_names(names)
        before = activation.attached.get(cls)
        activation.attached[cls] = tuple(dict.fromkeys([*(before or ()), *names]))
        try:
            activation.activate(lenient=False)
        except BaseException:
            if before is None:
                del activation.attached[cls]
            else:
                activation.attached[cls] = before
            raise


def _choose(what: str, names: Mapping[str, bool], others: bool | None = None) -> Restore:
    with activation.lock:
        start()
        _check_names(names)
        return _add(f"{what} {', '.join(names)}".rstrip(), Choice(caller(), names, others))


def _add(what: str, choice: Choice) -> Restore:
    restore = Restore(what, _take_back)
    activation.put_in_force(activation.code.adding(restore, choice))
    return restore


def _take_back(restore: Restore) -> None:
    with activation.lock:
        # A plugin may be past help by now; the block has come to its end all the same.
        activation.put_in_force(activation.code.without(restore), lenient=not strict())


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"a plugin is named by a string, not by {name!r:.60}")
        if name not in activation.known:
            hint = did_you_mean(name, activation.known)
            raise UnknownPluginError(f"no plugin {name!r} is installed or registered. {hint}")


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
