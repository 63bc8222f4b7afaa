"""One plugin: where it comes from, its object once it is loaded, and whether its hooks will do."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import accumulate
from time import perf_counter
from types import FunctionType, ModuleType
from typing import Any

import pluggy

from tinytorch_core import hookspecs
from tinytorch_core.discovery import EntryPoint, import_installed
from tinytorch_core.errors import PluginError, did_you_mean
from tinytorch_core.integrity import Guard

# What a plugin may say of itself, beside its hooks.
STATEMENTS = ("tinytorch_api", "tinytorch_needs", "tinytorch_uses")


class Plugin:
    """One plugin: where it comes from, its object once it is loaded, and what went wrong."""

    def __init__(self, name: str, points: Sequence[EntryPoint] = (), target: Any = None) -> None:
        self.name = name
        self.points = tuple(points)
        self.target = target
        self.error_found: PluginError | None = None
        self.added_hookspecs = False
        self.import_seconds: float | None = None

    @property
    def distribution(self) -> str:
        return ", ".join(p.distribution for p in self.points) or "registered from code"

    @property
    def version(self) -> str:
        return ", ".join(p.version for p in self.points) or "-"

    @property
    def packages(self) -> str:
        """The distributions as a command names them."""
        return " ".join(p.distribution for p in self.points)

    @property
    def title(self) -> str:
        """The plugin with its distribution and version, for messages."""
        return f"plugin {self.name!r} ({self.origin})"

    @property
    def origin(self) -> str:
        return ", ".join(f"{p.distribution} {p.version}" for p in self.points) or self.distribution

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes of Tensor that the plugin's metadata says it brings."""
        return frozenset().union(*(p.attributes for p in self.points))

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the plugins without which this one cannot be on."""
        return tuple(getattr(self.target, "tinytorch_needs", ()))

    @property
    def uses(self) -> tuple[str, ...]:
        """The names of the plugins that this one can use where they are on."""
        return tuple(getattr(self.target, "tinytorch_uses", ()))

    def error(
        self,
        reason: str,
        *,
        remedy: str,
        hook: str | None = None,
        kind: type[PluginError] = PluginError,
    ) -> PluginError:
        return kind(self.name, reason, distribution=self.origin, remedy=remedy, hook=hook)

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
        if not re.fullmatch(r"[\w.-]+", self.name):
            raise self.error(
                "its name cannot be written in a configuration",
                remedy="Name the entry point with letters, digits, '_', '.' and '-' only.",
            )
        begin = perf_counter()
        try:
            with Guard().around(self, "its import"):
                self.target = self._imported()
        finally:
            self.import_seconds = perf_counter() - begin

    def _imported(self) -> Any:
        module, _, attribute = self.points[0].value.partition(":")
        try:
            target = import_installed(module)
            for part in filter(None, attribute.split(".")):
                target = getattr(target, part)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        # SystemExit too: a plugin that calls sys.exit() must not end the program.
        except BaseException as error:
            raise self.error(
                f"importing {self.points[0].value} raised {type(error).__name__}: {error}",
                remedy=f"Reinstall or mend it, or turn it off: TINYTORCH_PLUGINS=no:{self.name}.",
            ) from error
        return target

    @property
    def place(self) -> str | None:
        """`file:line` of what went wrong, where that can be told."""
        if self.error_found is None:
            return None
        from tinytorch_core.error_location import (
            place_of,  # here, because it is needed in errors only
        )

        module = self._module or getattr(type(self.target), "__module__", "")
        return place_of(self.error_found, module.partition(".")[0], self.target)

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
            hooks = _checked(self)
            manager.register(self.target, name=self.name)
            self._add_hookspecs()
            _check_names(self, hooks)
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
            for _, implementation in implementations("tinytorch_add_hookspecs", [self]):
                with Guard().around(self, "tinytorch_add_hookspecs"):
                    implementation.function(*[manager] * len(implementation.argnames))
            self.added_hookspecs = True

    def forget(self) -> None:
        """Takes the plugin back from pluggy."""
        if self.is_registered:
            manager.unregister(name=self.name)


def implementations(hook: str, plugins: Sequence[Plugin]) -> list[tuple[Plugin, Any]]:
    """The implementations of one hook by these plugins, in the plugins' order."""
    caller = getattr(manager.hook, hook, None)
    places = {id(plugin.target): place for place, plugin in enumerate(plugins)}
    found = [
        (places[id(implementation.plugin)], implementation)
        for implementation in (caller.get_hookimpls() if caller is not None else ())
        if id(implementation.plugin) in places
    ]
    found.sort(key=lambda pair: pair[0])
    return [(plugins[place], implementation) for place, implementation in found]


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

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        """The marks of a function of `plugin`, or None; in a module, without binding anything.

        pluggy's way, which suits any object, costs each name some 20 µs.
        """
        if isinstance(plugin, ModuleType):
            value = vars(plugin).get(name)
            if isinstance(value, FunctionType):
                return getattr(value, f"{self.project_name}_impl", None)
            if not callable(value):
                return None
        return super().parse_hookimpl_opts(plugin, name)

    def _has(self, source: Any) -> bool:
        names = [n for n in dir(source) if self.parse_hookspec_opts(source, n) is not None]
        callers = [getattr(self.hook, name, None) for name in names]
        origins = [_origin(c.spec.namespace) if c and c.spec else None for c in callers]
        return bool(names) and origins == [_origin(source)] * len(names)


def _origin(source: Any) -> tuple[str, str]:
    return getattr(source, "__module__", ""), getattr(source, "__qualname__", source.__name__)


manager = _Manager(hookspecs.PROJECT)
manager.add_hookspecs(hookspecs)


def _checked(plugin: Plugin) -> dict[str, Any]:
    """The marks of the plugin's hook implementations, by the attributes that hold these.

    Raises:
        PluginError: something makes it useless or puzzling, although pluggy would accept it.
    """
    target = plugin.target
    if inspect.isclass(target):
        raise plugin.error(
            f"{target.__name__} is a class, so its hooks lack their `self`",
            remedy="Name an instance of it, or a module.",
        )
    names = [name for name in dir(target) if not name.startswith("__")]
    hooks = {
        name: options
        for name in names
        if (options := manager.parse_hookimpl_opts(target, name)) is not None
    }
    others = [name for name in names if name.startswith("tinytorch_") and name not in hooks]
    unmarked = [name for name in others if callable(getattr(target, name))]
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
    _check_statements(plugin, others)
    for name, options in hooks.items():
        _check_hook(plugin, name, options)
    return hooks


def _check_statements(plugin: Plugin, said: Sequence[str]) -> None:
    """What the plugin says of itself: the versions it supports, and the plugins it needs."""
    for name in said:
        value = getattr(plugin.target, name, None)
        if name not in STATEMENTS and not isinstance(value, ModuleType):
            raise plugin.error(
                f"it says {name} = {value!r:.60}, which means nothing here",
                remedy=f"{did_you_mean(name, STATEMENTS)} Choose another prefix for your own.",
            )
    for name in ("tinytorch_needs", "tinytorch_uses"):
        names: Any = getattr(plugin.target, name, ())
        if not isinstance(names, tuple | list) or not all(isinstance(n, str) for n in names):
            raise plugin.error(
                f"{name} is {names!r:.60}",
                remedy=f'Write the names of plugins as a tuple: {name} = ("layers",).',
            )
    _check_api(plugin)


def _check_api(plugin: Plugin) -> None:
    supported: Any = getattr(plugin.target, "tinytorch_api", (hookspecs.PLUGIN_API,) * 2)
    try:
        low, high = map(int, supported)
    except (TypeError, ValueError):
        raise plugin.error(
            f"tinytorch_api is {supported!r:.60}",
            remedy="Write the lowest and the highest supported version: tinytorch_api = (1, 1).",
        ) from None
    if not low <= hookspecs.PLUGIN_API <= high:
        raise plugin.error(
            f"it supports the plugin API {_range(low, high)}, and tinytorch-core has "
            f"{hookspecs.PLUGIN_API}",
            remedy=f"Install versions that fit: pip install -U tinytorch-core {plugin.packages}.",
        )


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _check_hook(plugin: Plugin, name: str, options: Any) -> None:
    if options.get("wrapper") or options.get("hookwrapper"):
        raise plugin.error(
            "it is marked as a wrapper of other plugins' hooks, which is not supported",
            hook=name,
            remedy="Leave `wrapper=True` out; tinytorch_wrap_op puts a callable around an op.",
        )
    for p in _unusual_arguments(getattr(plugin.target, name)):
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise plugin.error(
                f"it takes {p}, and would never be given anything there",
                hook=name,
                remedy="Name the arguments as in tinytorch_core.hookspecs.",
            )
        raise plugin.error(
            f"its argument {p.name!r} has a default value, which would be used always",
            hook=name,
            remedy="Leave the default out.",
        )


def _unusual_arguments(function: Any) -> list[inspect.Parameter]:
    """The arguments that take any number of values, or have a default."""
    code = getattr(function, "__code__", None)
    if code is not None and not hasattr(function, "__wrapped__"):
        many = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
        if not (many or function.__defaults__ or function.__kwdefaults__):
            return []  # without `inspect.signature`, which takes 10 µs
    arguments = inspect.signature(function).parameters.values()
    unusual = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in arguments if p.kind in unusual or p.default is not p.empty]


def _check_names(plugin: Plugin, hooks: Mapping[str, Any]) -> None:
    """Raises PluginError for an implementation of a hook that there is not."""
    for attribute, options in hooks.items():
        name = options.get("specname") or attribute
        if not (getattr(manager.hook, name).has_spec() or options["optionalhook"]):
            known = [name for name, caller in vars(manager.hook).items() if caller.has_spec()]
            raise plugin.error(
                f"there is no hook {name!r}. {did_you_mean(name, known)}",
                remedy="Correct the name, or, for a hook of a plugin that may be absent, "
                "mark it @hookimpl(optionalhook=True).",
            )
