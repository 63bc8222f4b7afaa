"""Find plugins that were installed, updated or removed while the program runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from tinytorch_core import registry
from tinytorch_core.config import Config, read_config, strict
from tinytorch_core.discovery import PLUGINS, entry_points, keep_metadata
from tinytorch_core.plugin import Plugin


class Rescan(NamedTuple):
    """What `plugins.rescan` found, in words; the repr has a line for each kind.

    Attributes:
        on: the plugins that are active now and were not before.
        off: the plugins that were installed or updated and are not active, with the reason.
        removed: the plugins that were uninstalled and had not been imported.
        restart: what was imported and has been updated or uninstalled since. It stays in use until
            Python is restarted.
    """

    on: tuple[str, ...]
    off: tuple[str, ...]
    removed: tuple[str, ...]
    restart: tuple[str, ...]

    def __repr__(self) -> str:
        labels = ("now on", "not on", "removed", "restart Python")
        lines = [
            f"{label}: {'; '.join(found)}"
            for label, found in zip(labels, self, strict=True)
            if found
        ]
        return "\n".join(lines) or "No plugin was installed, updated or removed."


def rescan() -> Rescan:
    """Find what has changed and activate what is enabled; see `plugins.rescan`."""
    with registry.lock:
        importlib.invalidate_caches()
        registry.start()
        before, active = dict(registry.known), registry.plan.active
        for plugin in before.values():
            # pip has deleted the metadata of a version that is still in use.
            plugin.points = keep_metadata(plugin.points)
        found = {name: Plugin(name, points) for name, points in entry_points(PLUGINS).items()}
        installed = {n: p for n, p in before.items() if p.points}
        gone = {n: p for n, p in installed.items() if _differ(p, found.get(n))}
        in_use = {n: p for n, p in gone.items() if p.module.partition(".")[0] in sys.modules}
        replaceable = gone.keys() - in_use.keys()
        new = {n: p for n, p in found.items() if n not in before or n in replaceable}
        removed = replaceable - found.keys()
        _activate({n: p for n, p in before.items() if n not in removed} | new)
        plan = registry.plan
        off = [(n, plan.why_off(n)) for n in sorted(new)]
        return Rescan(
            on=tuple(f"{p.name} ({p.origin})" for p in plan.active if p not in active),
            off=tuple(f"{n}, which {why[0]}. {why[1]}" for n, why in off if why),
            removed=tuple(f"{n} ({before[n].origin})" for n in sorted(removed)),
            restart=(*_updated_core(), *(_in_use(p, found.get(n)) for n, p in in_use.items())),
        )


def _activate(known: Mapping[str, Plugin]) -> None:
    """Put a plan for these plugins in force, or raise and leave everything as it was."""
    config = read_config()
    for error in config.wrong_names(known):
        raise error
    before = dict(registry.known), registry.config
    failures = {p: p.failure for p in registry.known.values()}
    try:
        _set(known, config)
        for plugin in failures:
            plugin.failure = None  # what it needs may be installed now
        registry.activate(registry.overrides, lenient=not strict())
    except BaseException:
        _set(*before)
        for plugin, failure in failures.items():
            plugin.failure = failure
        raise


def _set(known: Mapping[str, Plugin], config: Config) -> None:
    for name in registry.known.keys() - known:
        del registry.known[name]
    registry.known.update(known)
    registry.config = config


def _differ(old: Plugin, new: Plugin | None) -> bool:
    """Return whether another version, or other entry points, are installed than known before."""

    def described(plugin: Plugin) -> object:
        return plugin.origin, [(point.value, point.attributes) for point in plugin.points]

    return new is None or described(old) != described(new)


def _in_use(old: Plugin, new: Plugin | None) -> str:
    now = "it is not installed now" if new is None else f"{new.origin} is installed now"
    return f"{old.name} ({old.origin}) has been imported, and {now}"


def _updated_core() -> Iterator[str]:
    imported = vars(sys.modules[__package__])["__version__"]
    try:
        installed = version("tinytorch-core")
    except PackageNotFoundError:  # for example in a frozen program
        return
    if installed != imported:
        yield f"tinytorch-core {imported} has been imported, and {installed} is installed now"
