"""Checks of a plugin that pluggy leaves out, run when the plugin is registered.

pluggy accepts a hook without its marker, a misspelt hook and an argument with a default, and then
never calls the hook, or never passes the argument.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from tinytorch_core.errors import PluginError, did_you_mean
from tinytorch_core.hook_manager import PLUGIN_API, manager
from tinytorch_core.plugin import Plugin, stated_plugins
from tinytorch_core.source import arguments_of

# The attributes by which a plugin states facts about itself, besides its hooks.
STATEMENTS = ("tinytorch_api", "tinytorch_needs", "tinytorch_uses")


def register(plugin: Plugin) -> None:
    """Register a loaded plugin with pluggy, or raise PluginError if its hooks are wrong."""
    try:
        plugin.unregister()  # if an interrupt has left it half registered
        hooks = _checked_hooks(plugin)
        manager.register(plugin.target, name=plugin.name)
        plugin.hooks = frozenset(options["specname"] or name for name, options in hooks.items())
        plugin.call_hook("tinytorch_add_hookspecs", {"manager": manager})
        _check_names(plugin, hooks)
        plugin.ready = True
    except Exception as error:
        plugin.unregister()
        if isinstance(error, PluginError):
            raise
        raise plugin.error(
            f"{type(error).__name__}: {error}",
            remedy="Fix it; tinytorch_core.hookspecs lists the arguments of each hook.",
        ) from error


def _checked_hooks(plugin: Plugin) -> dict[str, Any]:
    """Return the options passed to `hookimpl` for each hook implementation, by attribute."""
    target = plugin.target
    if inspect.isclass(target):
        raise plugin.error(
            f"{target.__name__} is a class, so its hooks would be called without `self`",
            remedy="Use an instance of it, or a module.",
        )
    names = [name for name in dir(target) if not name.startswith("__")]
    hooks = {
        name: options
        for name in names
        if (options := manager.parse_hookimpl_opts(target, name)) is not None
    }
    others = [name for name in names if name.startswith("tinytorch_") and name not in hooks]
    if unmarked := [name for name in others if callable(getattr(target, name))]:
        raise plugin.error(
            f"{unmarked[0]} has no @hookimpl of tinytorch_core, so it would never be called",
            remedy="Mark it: from tinytorch_core import hookimpl.",
        )
    if not hooks:
        raise plugin.error(
            "it does not implement a hook",
            remedy="Mark its functions with @hookimpl; see tinytorch_core.hookspecs.",
        )
    _check_statements(plugin, others)
    for name, options in hooks.items():
        _check_hook(plugin, name, options)
    return hooks


def _check_statements(plugin: Plugin, stated: Sequence[str]) -> None:
    for name in stated:
        value = getattr(plugin.target, name, None)
        if name not in STATEMENTS and not isinstance(value, ModuleType):
            raise plugin.error(
                f"unknown setting {name} = {value!r:.60}",
                remedy=f"{did_you_mean(name, STATEMENTS)} Choose another prefix for your own.",
            )
    for name in ("tinytorch_needs", "tinytorch_uses"):
        try:
            stated_plugins(plugin.target, name)
        except ValueError as error:
            example = f'{name} = ("layers", "losses>=0.2")'
            remedy = f"Write the names of plugins as a tuple: {example}."
            raise plugin.error(str(error), remedy=remedy) from None
    _check_api(plugin)


def _check_api(plugin: Plugin) -> None:
    supported: Any = getattr(plugin.target, "tinytorch_api", (PLUGIN_API, PLUGIN_API))
    try:
        low, high = map(int, supported)
    except (TypeError, ValueError):
        raise plugin.error(
            f"tinytorch_api is {supported!r:.60}",
            remedy="Write the lowest and the highest supported version: tinytorch_api = (1, 1).",
        ) from None
    if not low <= PLUGIN_API <= high:
        versions = str(low) if low == high else f"{low} to {high}"
        packages = " ".join(point.distribution for point in plugin.points)
        raise plugin.error(
            f"it supports the plugin API {versions}, and tinytorch-core has {PLUGIN_API}",
            remedy=f"Install versions that fit: pip install -U tinytorch-core {packages}.",
        )


def _check_hook(plugin: Plugin, name: str, options: Mapping[str, Any]) -> None:
    for option in ("wrapper", "hookwrapper"):
        if options.get(option):
            raise plugin.error(
                f"it is marked {option}=True, to run around the hooks of other plugins, but each "
                "hook is called alone, so that an error names its plugin",
                hook=name,
                remedy=f"Remove {option}=True; to wrap an op, use tinytorch_wrap_op.",
            )
    if options.get("stage") and (options["specname"] or name) != "tinytorch_wrap_op":
        raise plugin.error(
            f"it is marked with stage={options['stage']!r}, which only tinytorch_wrap_op has",
            hook=name,
            remedy="Remove `stage`; tryfirst=True and trylast=True order other hooks.",
        )
    names, required, star, double_star = arguments_of(getattr(plugin.target, name))
    if star or double_star:
        raise plugin.error(
            f"it takes {f'*{star}' if star else f'**{double_star}'}, to which pluggy would never "
            "pass anything",
            hook=name,
            remedy="Name the arguments as in tinytorch_core.hookspecs.",
        )
    if never_passed := [x for x in names if x not in required]:
        raise plugin.error(
            f"its argument {never_passed[0]!r} has a default or is keyword-only, so pluggy would "
            "never pass it",
            hook=name,
            remedy="Make it an ordinary argument without a default.",
        )


def _check_names(plugin: Plugin, hooks: Mapping[str, Any]) -> None:
    for attribute, options in hooks.items():
        name = options.get("specname") or attribute
        if not (getattr(manager.hook, name).has_spec() or options["optionalhook"]):
            known = [hook for hook, caller in vars(manager.hook).items() if caller.has_spec()]
            raise plugin.error(
                f"unknown hook {name!r}. {did_you_mean(name, known)}",
                remedy="Correct the name, or, for a hook of a plugin that may be absent, "
                "mark it @hookimpl(optionalhook=True).",
            )
