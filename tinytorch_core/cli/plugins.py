"""`tinytorch plugins`: show the state of each plugin, what it adds, or why it failed."""

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
from tinytorch_core.surface import SurfaceBuilder

NOTHING_INSTALLED = """\
No plugin is installed, so Tensor is the plain one.
Install plugins with pip; they are on by default. To write one, see tinytorch_core.hookspecs.
"""

DESCRIPTION = """\
List the installed plugins: the state, the setting that applies, how many ops each adds and wraps,
and how many attributes it adds to Tensor. With names, show all details of these plugins. Plugins
that are off are not imported.
"""


class Contribution(NamedTuple):
    """What one plugin adds to the surface."""

    ops: list[str]
    wraps: list[str]
    attributes: list[str]
    keywords: list[str]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "plugins",
        help="list the plugins, their states and the settings that apply",
        description=DESCRIPTION,
        epilog="Exit status 1: an enabled plugin failed, or the configuration is wrong.",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="a plugin to show in detail")
    parser.add_argument("--json", action="store_true", help="print all details as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the plugins and the errors of those that failed."""
    surface, wrong = _surface()
    found = _selected(plugins.status(), args.names)
    added = _contributions(surface, found) if surface else {}
    if args.json:
        print(_json(found, added, wrong))
    elif args.names:
        print("\n".join(_details(status, added.get(status.name)) for status in found), end="")
    else:
        print(_table(found, added) if found else NOTHING_INSTALLED, end="")
        print("".join(f"\n{_error(status)}\n" for status in found if status.error), end="")
    if wrong is not None:
        # So that the error follows the table if both go to one file.
        sys.stdout.flush()
        print(f"\n{wrong}", file=sys.stderr)
    return 1 if wrong or any(status.error for status in found) else 0


def _surface() -> tuple[SurfaceBuilder | None, str | None]:
    """Return the surface, or None and the error."""
    try:
        return started_surface(), None
    except ConfigError as error:
        return None, f"The configuration is wrong, so no plugin is on: {error}"
    except PluginError as error:
        return None, str(error)


def _selected(found: list[PluginStatus], names: Sequence[str]) -> list[PluginStatus]:
    by_name = {status.name: status for status in found}
    for name in names:
        if name not in by_name:
            raise UnknownPluginError(
                f"no plugin {name!r} is installed. {did_you_mean(name, by_name)}"
            )
    return [by_name[name] for name in names] or found


def _contributions(
    surface: SurfaceBuilder, found: Sequence[PluginStatus]
) -> dict[str, Contribution]:
    """Return what each plugin that is on adds, by its name."""
    titles = {plugin.name: plugin.title for plugin in surface.plugins}
    return {
        status.name: Contribution(
            ops=[op.name for op in surface.ops.values() if op.provider == title],
            wraps=[op for op, wrappers in surface.wrappers.items() if status.name in wrappers],
            attributes=sorted(n for n, owner in surface.providers.items() if owner == title),
            keywords=[n for n, keyword in surface.keywords.items() if keyword.provider == title],
        )
        for status in found
        if (title := titles.get(status.name)) is not None
    }


def _table(found: Sequence[PluginStatus], added: dict[str, Contribution]) -> str:
    header = ["PLUGIN", "DISTRIBUTION", "VERSION", "STATE", "SETTING"]
    header += ["OPS", "WRAPS", "ATTRS", "IMPORT"]
    return table(header, [_row(status, added.get(status.name)) for status in found])


def _row(status: PluginStatus, own: Contribution | None) -> list[str | int]:
    counts: list[str | int] = ["", "", "", ""]
    if own is not None:
        public = [name for name in own.attributes if not name.startswith("_")]
        counts = [len(own.ops), len(own.wraps), len(public), _duration(status)]
    setting = status.decided_by.removeprefix(os.path.join(os.getcwd(), ""))
    return [status.name, status.distribution, status.version, status.state, setting, *counts]


def _duration(status: PluginStatus) -> str:
    seconds = status.import_seconds
    return "" if seconds is None else f"{1000 * seconds:.0f} ms"


def _details(status: PluginStatus, own: Contribution | None) -> str:
    own = own or Contribution([], [], [], [])
    pairs = [
        ("distribution", f"{status.distribution} {status.version}"),
        ("state", status.state),
        ("setting", status.decided_by),
        ("ops added", ", ".join(own.ops)),
        ("ops wrapped", ", ".join(own.wraps)),
        ("on Tensor", ", ".join(n for n in own.attributes if not n.startswith("_"))),
        ("in Tensor()", ", ".join(f"{name}=" for name in own.keywords)),
        ("imported in", _duration(status)),
        ("error", status.error or ""),
        ("location", status.place or ""),
    ]
    return f"{status.name}\n{facts(pairs)}"


def _error(status: PluginStatus) -> str:
    return f"{status.error}\n  at {status.place}" if status.place else f"{status.error}"


def _json(found: Sequence[PluginStatus], added: dict[str, Contribution], wrong: str | None) -> str:
    records = [_record(status, added.get(status.name)) for status in found]
    result = {"core": __version__, "error": wrong, "plugins": records}
    return json.dumps(result, indent=2, ensure_ascii=False)


def _record(status: PluginStatus, own: Contribution | None) -> dict[str, Any]:
    record = {"name": status.name, "state": status.state, **status._asdict()}
    del record["on"]
    return record | (own._asdict() if own else {})
