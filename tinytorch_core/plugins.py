"""Toggle, configure, register and inspect plugins.

    from tinytorch_core import plugins

    plugins.disable("losses")               # until further notice
    with plugins.only("activations"): ...   # for a block

Each function here either has its whole effect, or raises and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from tinytorch_core import registry
from tinytorch_core.config import RESERVED, Choice, Decision, strict
from tinytorch_core.errors import ConfigError, PluginError, UnknownPluginError, did_you_mean
from tinytorch_core.overrides import Change, Restore, caller
from tinytorch_core.plugin import Plugin
from tinytorch_core.surface import SurfaceBuilder
from tinytorch_core.tensor import Tensor

if TYPE_CHECKING:
    from tinytorch_core.rescan import Rescan


class PluginStatus(NamedTuple):
    """The status of one plugin, as `tinytorch plugins` shows it.

    `on` is true if the plugin is active, and `decided_by` is the setting that applies. `error`
    and `place`, its location, explain why a plugin that is enabled is not active.
    """

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
        """`on`, `off`, or `failed` for a plugin that is enabled and not active."""
        return "on" if self.on else "failed" if self.error else "off"


def active() -> tuple[str, ...]:
    """Return the names of the active plugins, in order."""
    registry.start()
    return tuple(p.name for p in registry.plan.active)


def find(plugin: Any) -> Plugin:
    """Return the plugin with this name, or with this object or module.

    Raises:
        UnknownPluginError: no such plugin is installed or registered.
    """
    registry.start()
    if isinstance(plugin, str):
        check_names([plugin])
        return registry.known[plugin]
    for known in registry.known.values():
        if known.target is plugin:
            return known
    raise UnknownPluginError(f"no plugin is registered with the object {plugin!r:.60}")


def status() -> list[PluginStatus]:
    """Return the status of every plugin that is installed or registered, sorted by name.

    Disabled plugins are not imported.
    """
    with registry.lock:
        wrong = None
        try:
            registry.start()
        except ConfigError:
            # The installed plugins can be listed even so.
            wrong = Decision(False, "wrong configuration")
        plan = registry.plan
        return [
            _status(plugin, wrong or plan.decisions[name], plan.errors.get(name))
            for name, plugin in sorted(registry.known.items())
        ]


def _status(plugin: Plugin, decision: Decision, error: PluginError | None) -> PluginStatus:
    location = None
    if error is not None:
        from tinytorch_core.error_location import location_of  # needed for errors only

        location = location_of(error, plugin.module, plugin.target)
    return PluginStatus(
        name=plugin.name,
        distribution=plugin.distribution,
        version=plugin.version,
        on=plugin in registry.plan.active,
        decided_by=decision.by,
        error=str(error) if error else None,
        place=location,
        import_seconds=plugin.import_seconds,
    )


def surface() -> SurfaceBuilder:
    """Return the builder of the surface of Tensor, which lists its plugins, ops and wrappers."""
    with registry.lock:
        registry.start()
        return Tensor._surface


def enable(*names: str) -> Restore:
    """Enable plugins, until they are disabled again or for a `with` block.

    Raises:
        UnknownPluginError: no such plugin is installed or registered.
        PluginError: a plugin failed, or needs one that is off; nothing has changed.
    """
    return _choose("enabled", Choice(caller(), dict.fromkeys(names, True)))


def disable(*names: str) -> Restore:
    """Disable plugins, until they are enabled again or for a `with` block.

    Raises:
        UnknownPluginError, PluginError: as `enable`.
    """
    return _choose("disabled", Choice(caller(), dict.fromkeys(names, False)))


def only(*names: str) -> Restore:
    """Enable these plugins and disable all others, until changed again or for a `with` block.

    Raises:
        UnknownPluginError, PluginError: as `enable`.
    """
    return _choose("only", Choice(caller(), dict.fromkeys(names, True), others=False))


def disabled(*names: str) -> Restore:
    """Disable these plugins; without names all plugins, which leaves the plain Tensor.

    >>> from tinytorch_core import Tensor, plugins
    >>> with plugins.disabled():
    ...     plugins.active()
    ()

    Raises:
        UnknownPluginError, PluginError: as `enable`.
    """
    return disable(*names) if names else only()


def configure(name: str, **settings: Any) -> Restore:
    """Change settings of a plugin, until changed again or for a `with` block.

    They take precedence over the settings in files.

    Args:
        name: the name of the plugin.
        settings: the settings by name, as in the plugin's table in a file.

    Raises:
        UnknownPluginError: no such plugin is installed or registered.
        PluginError: the plugin does not accept a setting; nothing has changed.
    """
    return _choose("configured", Choice(caller(), tables={name: settings}))


def register(plugin: Any, *, name: str) -> None:
    """Register an object with hook implementations as a plugin, and enable it.

    Args:
        plugin: a module or an object whose functions are marked with `hookimpl`.
        name: the name of the plugin, not yet in use.

    Raises:
        ValueError: the name is taken or reserved, or the object is registered already.
        PluginError: the plugin failed; nothing has changed.
    """
    if name in RESERVED:
        raise ValueError(f"{name!r} has another meaning in the configuration; choose another name")
    with registry.lock:
        registry.start()
        if name in registry.known:
            raise ValueError(
                f"a plugin {name!r} exists already, from {registry.known[name].origin}; "
                "choose another name"
            )
        for other in registry.known.values():
            if other.target is plugin:
                raise ValueError(f"this object is registered already, as {other.name!r}")
        added, before = Plugin(name, target=plugin), registry.overrides
        try:
            registry.known[name] = added
            enable(name)
        except BaseException:
            registry.known.pop(name, None)
            if added in registry.plan.active:  # interrupted after it was enabled
                registry.activate(before)
            added.unregister()
            raise


def unregister(name: str) -> None:
    """Disable and forget a plugin that was registered from code.

    Raises:
        UnknownPluginError: no plugin has that name.
        ValueError: the plugin is installed; `disable` disables it.
    """
    with registry.lock:
        check_names([name])
        if registry.known[name].points:
            raise ValueError(f"the plugin {name!r} is installed; use plugins.disable({name!r})")
        disable(name)
        registry.forget(registry.known[name])


def _choose(what: str, choice: Choice) -> Restore:
    """Add a choice made in code, and return what undoes it."""
    names = [*choice.plugins, *choice.tables]
    with registry.lock:
        registry.start()
        check_names(names)
        restore = Restore(f"{what} {', '.join(names)}".rstrip(), _undo)
        registry.activate(registry.overrides.adding(restore.change, choice))
        return restore


def _undo(change: Change) -> None:
    with registry.lock:
        # Leaving the block must not fail because a plugin no longer loads.
        registry.activate(registry.overrides.without(change), lenient=not strict())


def rescan() -> Rescan:
    """Find plugins that were installed, updated or removed, as by `%pip install` in a notebook.

    What is enabled is activated, by the settings as they are in the files now. A plugin that has
    been imported stays in use if it is updated or removed; the result tells that Python must be
    restarted. A plugin that failed is tried again.

    Raises:
        ConfigError: a configuration file or variable is wrong; nothing has changed.
        PluginError: a plugin failed, in strict mode; nothing has changed.
    """
    from tinytorch_core.rescan import rescan  # here, because few programs need it

    return rescan()


def check_names(names: Iterable[str]) -> None:
    """Raise UnknownPluginError if one of the names is not that of a known plugin."""
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"a plugin is named by a string, not by {name!r:.60}")
        if name not in registry.known:
            hint = did_you_mean(name, registry.known)
            raise UnknownPluginError(f"no plugin {name!r} is installed or registered. {hint}")


__all__ = [
    "PluginStatus",
    "active",
    "configure",
    "disable",
    "disabled",
    "enable",
    "find",
    "only",
    "register",
    "rescan",
    "status",
    "surface",
    "unregister",
]
