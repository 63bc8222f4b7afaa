"""What plugins need of each other: whether it is there, and the order that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tinytorch_core.errors import UnmetNeedError
from tinytorch_core.plugin import Plugin


def check_needs(
    plugins: Collection[Plugin], why_off: Callable[[str], tuple[str, str] | None]
) -> None:
    """Raises UnmetNeedError for a plugin that needs one which is not among `plugins`.

    Args:
        plugins: those that are to be on.
        why_off: given a plugin's name, why it is not among them, and what to do about it.
    """
    on = {plugin.name for plugin in plugins}
    for plugin in plugins:
        for name in plugin.needs:
            if name not in on:
                reason, remedy = why_off(name) or ("is left out here", "Attach it too")
                raise plugin.error(
                    f"it needs the plugin {name!r}, which {reason}",
                    remedy=f"{remedy}, or turn {plugin.name!r} off as well.",
                    kind=UnmetNeedError,
                )


def in_order(plugins: Collection[Plugin]) -> list[Plugin]:
    """The plugins by name, but each after those that it needs or uses.

    Raises:
        PluginError: plugins need or use each other in a circle.
    """
    by_name = {plugin.name: plugin for plugin in sorted(plugins, key=lambda p: p.name)}
    if not any(plugin.needs or plugin.uses for plugin in plugins):
        return list(by_name.values())
    from graphlib import CycleError, TopologicalSorter

    before = {
        name: [n for n in (*plugin.needs, *plugin.uses) if n in by_name]
        for name, plugin in by_name.items()
    }
    try:
        return [by_name[name] for name in TopologicalSorter(before).static_order()]
    except CycleError as error:
        circle = error.args[1]
        raise by_name[circle[0]].error(
            f"plugins need or use each other in a circle: {' <- '.join(circle)}",
            remedy="One of them must do without the other.",
        ) from error
