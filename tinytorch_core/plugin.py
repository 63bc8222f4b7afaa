"""One plugin: where it comes from, its object once it is loaded, and whether its hooks will do."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pluggy

from tinytorch_core import hookspecs
from tinytorch_core.discovery import EntryPoint
from tinytorch_core.errors import PluginError, did_you_mean


class Plugin:
    """One plugin: where it comes from, its object once it is loaded, and what went wrong."""

    def __init__(self, name: str, points: Sequence[EntryPoint] = (), target: Any = None) -> None:
        self.name = name
        self.points = tuple(points)
        self.target = target
        self.error_found: PluginError | None = None
        self.added_hookspecs = False

    @property
    def distribution(self) -> str:
        return ", ".join(p.distribution for p in self.points) or "registered from code"

    @property
    def version(self) -> str:
        return ", ".join(p.version for p in self.points) or "-"

    @property
    def title(self) -> str:
        """The plugin with its distribution and version, for messages."""
        return f"plugin {self.name!r} ({self.origin})"

    @property
    def origin(self) -> str:
        return ", ".join(f"{p.distribution} {p.version}" for p in self.points) or self.distribution

    def error(self, reason: str, *, remedy: str, hook: str | None = None) -> PluginError:
        return PluginError(self.name, reason, distribution=self.origin, remedy=remedy, hook=hook)

    def load(self) -> None:
        """Imports the plugin's object.

        Raises:
            PluginError: the import failed, or two distributions claim the name.
        """
        if self.target is not None:
            return
        if len(self.points) > 1:
            raise self.error(
                "several distributions bring a plugin of this name",
                remedy=f"Uninstall all but one: pip uninstall {self.points[-1].distribution}.",
            )
        module, _, attribute = self.points[0].value.partition(":")
        try:
            target = importlib.import_module(module)
            for part in filter(None, attribute.split(".")):
                target = getattr(target, part)
        # SystemExit too: a plugin that calls sys.exit() must not end the program.
        except (Exception, SystemExit) as error:
            raise self.error(
                f"importing {self.points[0].value} raised {type(error).__name__}: {error}",
                remedy=f"Reinstall or mend it, or turn it off: TINYTORCH_PLUGINS=no:{self.name}.",
            ) from error
        self.target = target

    @property
    def half_imported(self) -> bool:
        """Whether the plugin's own module is the one that is importing this package just now."""
        return self.target is None and _importing(self._module)

    @property
    def waiting(self) -> bool:
        """Whether the import of the plugin, or of a package around it, has to come to its end."""
        packages = accumulate(self._module.split("."), "{}.{}".format)
        return self.target is None and any(map(_importing, packages))

    @property
    def _module(self) -> str:
        return self.points[0].value.partition(":")[0] if self.points else ""

    def implementations(self, hook: str) -> list[Any]:
        """The plugin's implementations of one hook."""
        caller = getattr(manager.hook, hook, None)
        found = caller.get_hookimpls() if caller is not None else ()
        return [i for i in found if i.plugin is self.target]

    @property
    def is_registered(self) -> bool:
        """Whether pluggy knows the plugin."""
        # pluggy's own `is_registered` takes an object that compares equal for the same one.
        return self.target is not None and manager.get_plugin(self.name) is self.target

    def register(self) -> None:
        """Hands the plugin to pluggy, after checking what pluggy lets pass.

        Raises:
            PluginError: its hooks will not do. pluggy does not know it then.
        """
        if self.is_registered:
            return
        try:
            _check(self)
            manager.register(self.target, name=self.name)
            self._add_hookspecs()
            _check_names_of_hooks(self)
        except PluginError:
            self.forget()
            raise
        except Exception as error:
            own = isinstance(error, pluggy.PluginValidationError)
            self.forget()
            raise self.error(
                f"{type(error).__name__}: {error}",
                hook=None if own else "tinytorch_add_hookspecs",
                remedy="Mend it; the arguments of each hook stand in tinytorch_core.hookspecs.",
            ) from error

    def _add_hookspecs(self) -> None:
        if not self.added_hookspecs:
            for implementation in self.implementations("tinytorch_add_hookspecs"):
                implementation.function(*[manager] * len(implementation.argnames))
            self.added_hookspecs = True

    def forget(self) -> None:
        """Takes the plugin back from pluggy."""
        if self.is_registered:
            manager.unregister(name=self.name)


def _importing(module: str) -> bool:
    spec = getattr(sys.modules.get(module), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))


class _Manager(pluggy.PluginManager):
    def add_hookspecs(self, module_or_class: Any) -> None:
        """Adds hooks, except those that an earlier use of the same plugin has left here.

        pluggy cannot forget a hook, and a plugin that is registered, forgotten and registered
        again, as in a notebook, brings its own once more.
        """
        if not self._has(module_or_class):
            super().add_hookspecs(module_or_class)

    def _has(self, source: Any) -> bool:
        names = [n for n in dir(source) if self.parse_hookspec_opts(source, n) is not None]
        callers = [getattr(self.hook, name, None) for name in names]
        origins = [_origin(c.spec.namespace) if c and c.spec else None for c in callers]
        return bool(names) and origins == [_origin(source)] * len(names)


def _origin(source: Any) -> tuple[str, str]:
    return getattr(source, "__module__", ""), getattr(source, "__qualname__", source.__name__)


manager = _Manager(hookspecs.PROJECT)
manager.add_hookspecs(hookspecs)


def _check(plugin: Plugin) -> None:
    """What makes a plugin useless or puzzling, although pluggy would accept it."""
    target = plugin.target
    if inspect.isclass(target):
        raise plugin.error(
            f"{target.__name__} is a class, so its hooks lack their `self`",
            remedy="Name an instance of it, or a module.",
        )
    hooks = {
        name: options
        for name in dir(target)
        if (options := manager.parse_hookimpl_opts(target, name)) is not None
    }
    unmarked = [
        name
        for name in dir(target)
        if name.startswith("tinytorch_") and name not in hooks and callable(getattr(target, name))
    ]
    if unmarked:
        raise plugin.error(
            f"{unmarked[0]} has no @hookimpl of tinytorch_core, so it would never be called",
            remedy="Mark it: from tinytorch_core import hookimpl.",
        )
    if not hooks:
        raise plugin.error(
            "it implements no hook",
            remedy="Mark its functions with @hookimpl; see tinytorch_core.hookspecs.",
        )
    for name, options in hooks.items():
        _check_hook(plugin, name, options)


def _check_hook(plugin: Plugin, name: str, options: Any) -> None:
    if options.get("wrapper") or options.get("hookwrapper"):
        raise plugin.error(
            "it is marked as a wrapper of other plugins' hooks, which is not supported",
            hook=name,
            remedy="Leave `wrapper=True` out; tinytorch_wrap_op puts a callable around an op.",
        )
    for p in inspect.signature(getattr(plugin.target, name)).parameters.values():
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise plugin.error(
                f"it takes {p}, and would never be given anything there",
                hook=name,
                remedy="Name the arguments as in tinytorch_core.hookspecs.",
            )
        if p.default is not p.empty:
            raise plugin.error(
                f"its argument {p.name!r} has a default value, which would be used always",
                hook=name,
                remedy="Leave the default out.",
            )


def _check_names_of_hooks(plugin: Plugin) -> None:
    known = [name for name, h in vars(manager.hook).items() if h.has_spec()]
    for caller in manager.get_hookcallers(plugin.target) or ():
        implementation = next(i for i in caller.get_hookimpls() if i.plugin is plugin.target)
        if not caller.has_spec() and not implementation.optionalhook:
            raise plugin.error(
                f"there is no hook {caller.name!r}. {did_you_mean(caller.name, known)}",
                remedy="Correct the name, or, for a hook of a plugin that may be absent, "
                "mark it @hookimpl(optionalhook=True).",
            )
