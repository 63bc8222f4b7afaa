"""`tinytorch plugins`: each plugin, on or off and who decided, what it brings, or why it failed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from tinytorch_core import __version__, plugins
from tinytorch_core.cli.session import started_surface
from tinytorch_core.cli.table import facts, table
from tinytorch_core.errors import ConfigError, PluginError, UnknownPluginError, did_you_mean
from tinytorch_core.plugins import PluginStatus
from tinytorch_core.surface import Surface

NOTHING_INSTALLED = """\
No plugin is installed: Tensor is the plain one.
A plugin is installed with pip, and is on from then on. To write one, see tinytorch_core.hookspecs.
"""

DESCRIPTION = """\
Lists each installed plugin: on, off or failed, who decided, how many ops it adds, how many it
wraps, and how many attributes it adds to Tensor. With names, all details of these plugins.
A plugin that is off is not imported for this.
"""


class Brings(NamedTuple):
    """What one plugin brings to the surface."""

    ops: list[str]
    wraps: list[str]
    attributes: list[str]
    keywords: list[str]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command's parser."""
    parser = commands.add_parser(
        "plugins",
        help="which are installed, which are on, and who decided",
        description=DESCRIPTION,
        epilog="Exit status 1: a plugin that should be on failed, or the configuration is wrong.",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="a plugin to tell all about")
    parser.add_argument("--json", action="store_true", help="print all details as JSON")


def run(chosen: argparse.Namespace) -> int:
    """Prints what is known of the plugins, and why one failed."""
    surface, wrong = _surface()
    found = _chosen(plugins.status(), chosen.names)
    brings = _brought(surface, found) if surface else {}
    if chosen.json:
        print(_json(found, brings, wrong))
    elif chosen.names:
        print("\n".join(_details(status, brings.get(status.name)) for status in found), end="")
    else:
        print(_table(found, brings) if found else NOTHING_INSTALLED, end="")
        print("".join(f"\n{_error(status)}\n" for status in found if status.error), end="")
    if wrong is not None:
        # After the table also where both go to one place.
        sys.stdout.flush()
        print(f"\n{wrong}", file=sys.stderr)
    return 1 if wrong or any(status.error for status in found) else 0


def _surface() -> tuple[Surface | None, str | None]:
    """The surface, or None and why there is none."""
    try:
        return started_surface(), None
    except ConfigError as error:
        return None, f"wrong configuration, so no plugin is on: {error}"
    except PluginError as error:
        return None, str(error)


def _chosen(found: list[PluginStatus], names: Sequence[str]) -> list[PluginStatus]:
    by_name = {status.name: status for status in found}
    for name in names:
        if name not in by_name:
            raise UnknownPluginError(
                f"no plugin {name!r} is installed. {did_you_mean(name, by_name)}"
            )
    return [by_name[name] for name in names] or found


def _brought(surface: Surface, found: Sequence[PluginStatus]) -> dict[str, Brings]:
    """What each plugin that is on brings, by its name."""
    titles = {plugin.name: plugin.title for plugin in surface.plugins}
    return {
        status.name: Brings(
            ops=[op.name for op in surface.ops.values() if op.provider == title],
            wraps=[op for op, wrappers in surface.wrappers.items() if status.name in wrappers],
            attributes=sorted(n for n, owner in surface.providers.items() if owner == title),
            keywords=[n for n, keyword in surface.keywords.items() if keyword.provider == title],
        )
        for status in found
        if (title := titles.get(status.name)) is not None
    }


def _table(found: Sequence[PluginStatus], brings: dict[str, Brings]) -> str:
    header = ["PLUGIN", "DISTRIBUTION", "VERSION", "STATE", "DECIDED BY"]
    header += ["OPS", "WRAPS", "ATTRS", "IMPORT"]
    return table(header, [_row(status, brings.get(status.name)) for status in found])


def _row(status: PluginStatus, brought: Brings | None) -> list[str | int]:
    counts: list[str | int] = ["", "", "", ""]
    if brought is not None:
        public = [name for name in brought.attributes if not name.startswith("_")]
        counts = [len(brought.ops), len(brought.wraps), len(public), _duration(status)]
    who = _relative(status.decided_by)
    return [status.name, status.distribution, status.version, status.state, who, *counts]


def _relative(decided_by: str) -> str:
    """Who decided, a file by its path from here."""
    return decided_by.removeprefix(os.path.join(os.getcwd(), ""))


def _duration(status: PluginStatus) -> str:
    seconds = status.import_seconds
    return "" if seconds is None else f"{1000 * seconds:.0f} ms"


def _details(status: PluginStatus, brought: Brings | None) -> str:
    brought = brought or Brings([], [], [], [])
    pairs = [
        ("distribution", f"{status.distribution} {status.version}"),
        ("state", f"{status.state}, decided by {status.decided_by}"),
        ("ops added", ", ".join(brought.ops)),
        ("ops wrapped", ", ".join(brought.wraps)),
        ("on Tensor", ", ".join(n for n in brought.attributes if not n.startswith("_"))),
        ("in Tensor()", ", ".join(f"{name}=" for name in brought.keywords)),
        ("imported in", _duration(status)),
        ("error", status.error or ""),
        ("place", status.place or ""),
    ]
    return f"{status.name}\n{facts(pairs)}"


def _error(status: PluginStatus) -> str:
    return f"{status.error}\n  at {status.place}" if status.place else f"{status.error}"


def _json(found: Sequence[PluginStatus], brings: dict[str, Brings], wrong: str | None) -> str:
    listed = [_record(status, brings.get(status.name)) for status in found]
    answer = {
        "core": __version__,
        "error": wrong,
        "plugins": listed,
    }
    return json.dumps(answer, indent=2, ensure_ascii=False)


def _record(status: PluginStatus, brought: Brings | None) -> dict[str, Any]:
    record = {"name": status.name, "state": status.state, **status._asdict()}
    del record["on"]
    return record | (brought._asdict() if brought else {})
