"""The plan: which plugins are to be active, with which settings, and why the others are not.

`resolve` is a pure function of the overrides, the configuration and the known plugins. Its result
is used to activate plugins, to report their status and to explain missing attributes.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from tinytorch_core.config import Config, Decision, decisions
from tinytorch_core.errors import PluginError, UnmetNeedError
from tinytorch_core.overrides import Overrides
from tinytorch_core.plugin import Plugin


class Plan(NamedTuple):
    """Which of the known plugins are to be active, and why the others are not.

    Attributes:
        decisions: for each plugin whether it is enabled, and which setting applies.
        settings: the plugins' tables of settings, those that have any.
        active: the plugins to be active, in order: each after those that it needs or uses.
        errors: for each plugin that is enabled but cannot be active, the reason.
    """

    decisions: Mapping[str, Decision]
    settings: Mapping[str, Mapping[str, Any]]
    active: tuple[Plugin, ...]
    errors: Mapping[str, PluginError]

    def why_off(self, name: str) -> tuple[str, str] | None:
        """Return why a plugin is not active and what to do about it, or None if it is active."""
        if any(plugin.name == name for plugin in self.active):
            return None
        return _why_off(name, self.decisions, self.errors)


def resolve(
    overrides: Overrides,
    config: Config,
    known: Mapping[str, Plugin],
    *,
    without: Collection[Plugin] = (),
) -> Plan:
    """Return the plan that follows from the settings.

    What a plugin needs is known once it is loaded; until then it counts as needing nothing.

    Args:
        overrides: the settings made in code.
        config: the settings of the environment and of files.
        known: the plugins that are installed or registered, by name.
        without: plugins that cannot be used now, because they are being imported.
    """
    layers = [*reversed(config), *[choice for _, choice in overrides]]
    found = decisions(layers, known)
    settings: dict[str, Mapping[str, Any]] = {}
    for choice in layers:
        for name, table in choice.tables.items():
            settings[name] = {**settings.get(name, {}), **table}
    errors: dict[str, PluginError] = {}
    enabled = []
    for name, plugin in sorted(known.items()):
        if not found[name].on:
            continue
        if plugin.failure is not None:
            errors[name] = plugin.failure
        elif plugin not in without:
            enabled.append(plugin)
    while True:
        _drop_unmet(enabled, found, errors)
        needs = tuple([(plugin.name, (*plugin.needs, *plugin.uses)) for plugin in enabled])
        names, cycle = _in_order(needs)
        if not cycle:
            active = tuple([known[name] for name in names])
            return Plan(found, settings, active, errors)
        first = known[cycle[0]]
        enabled.remove(first)
        errors[first.name] = first.error(
            f"plugins need or use each other in a cycle: {' <- '.join(cycle)}",
            remedy="One of them must do without the other.",
        )


def _drop_unmet(
    enabled: list[Plugin], decisions: Mapping[str, Decision], errors: dict[str, PluginError]
) -> None:
    """Remove the plugins that need one which is not among them, and record why."""
    available = {plugin.name: plugin for plugin in enabled}
    for plugin in list(enabled):
        if not (plugin.needs or plugin.versions):
            continue  # most plugins
        if (unmet := _unmet(plugin, available, decisions, errors)) is not None:
            reason, remedy = unmet
            errors[plugin.name] = plugin.error(reason, remedy=remedy, kind=UnmetNeedError)
            enabled.remove(plugin)
            _drop_unmet(enabled, decisions, errors)  # others may need this one
            return


def _unmet(
    plugin: Plugin,
    available: Mapping[str, Plugin],
    decisions: Mapping[str, Decision],
    errors: Mapping[str, PluginError],
) -> tuple[str, str] | None:
    """Return which need of a plugin is unmet and what to do about it, or None."""
    for need in plugin.needs:
        if need not in available:
            reason, remedy = _why_off(need, decisions, errors)
            also = f"{remedy}, or disable {plugin.name!r} as well."
            return f"it needs the plugin {need!r}, which {reason}", also
    for name, allowed in plugin.versions:
        other = available.get(name)
        why = None if other is None else other.why_unsuitable(allowed)
        if why is not None:
            also = f"{why[1]}, or disable {plugin.name!r}."
            return f"it requires {name}{allowed}, and {why[0]}", also
    return None


@functools.lru_cache(maxsize=256)
def _in_order(
    before: tuple[tuple[str, tuple[str, ...]], ...],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names, each after those that it needs or uses, or a cycle among them."""
    names = tuple([name for name, _ in before])
    graph = {name: [n for n in others if n in names] for name, others in before}
    if not any(graph.values()):
        return names, ()
    from graphlib import CycleError, TopologicalSorter  # not loaded by programs without needs

    try:
        return tuple(TopologicalSorter(graph).static_order()), ()
    except CycleError as error:
        return (), tuple(error.args[1])


def _why_off(
    name: str, decisions: Mapping[str, Decision], errors: Mapping[str, PluginError]
) -> tuple[str, str]:
    decision = decisions.get(name)
    if decision is None:
        return "is not installed", f"Install it: pip install tinytorch-{name}"
    if not decision.on:
        return f"is off, set by {decision.by}", f"Enable it: plugins.enable({name!r})"
    if (error := errors.get(name)) is not None:
        where = f" in {error.hook}" if error.hook else ""
        return f"failed{where}: {error.reason}", error.remedy.rstrip(".")
    return "has not been started", "Import tinytorch_core first"
