"""`tinytorch plugins`: show the state of each plugin, what it adds, or why it failed."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import nullcontext
from typing import Any

from tinytorch_core import __version__, plugins
from tinytorch_core.cli.session import started_surface
from tinytorch_core.cli.table import as_json, facts, table
from tinytorch_core.cli.trace import tracing
from tinytorch_core.errors import ConfigError, printable
from tinytorch_core.plugins import PluginStatus

DESCRIPTION = """\
List the installed plugins: the state, the setting that applies, and how much each adds. With
names, show all details of these plugins. Plugins that are off are not imported.
"""


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
    parser.add_argument(
        "--trace",
        action="store_true",
        help="show imports and hook calls in order, with their times",
    )


def run(args: argparse.Namespace) -> int:
    """Print the plugins and the errors of those that failed."""
    wrong = None
    with tracing() if args.trace else nullcontext() as trace:
        try:
            started_surface()
        except ConfigError as error:
            wrong = f"The configuration is wrong, so no plugin is on: {error}"
    found = {status.name: status for status in plugins.status()}
    plugins.check_names(args.names)
    records = [_record(found[name]) for name in args.names or found]
    errors = [record for record in records if record["error"]]
    if args.json:
        result = {"core": __version__, "error": wrong, "plugins": records}
        if trace is not None:
            result["trace"] = trace.records(args.names)
        print(as_json(result))
    elif args.names:
        print("\n".join(map(_details, records)), end="")
    elif records:
        header = ["PLUGIN", "DISTRIBUTION", "VERSION", "STATE", "SETTING"]
        print(table([*header, "OPS", "WRAPS", "ATTRS", "IMPORT"], map(_row, records)), end="")
        for record in errors:
            print(printable(f"\n{record['error']}"))
            if record["place"]:
                print(printable(f"  at {record['place']}"))
    else:
        print("No plugin is installed. Install plugins with pip; they are on by default.")
    if trace is not None and not args.json:
        print(f"\n{trace.text(args.names)}", end="")
    if wrong is not None:
        # So that the error follows the table if both go to one file.
        sys.stdout.flush()
        print(f"\n{wrong}", file=sys.stderr)
    return 1 if wrong or errors else 0


def _record(status: PluginStatus) -> dict[str, Any]:
    """Return the status of a plugin and, if it is on, what it adds."""
    record = {"name": status.name, "state": status.state, **status._asdict()}
    del record["on"]
    if status.on:
        surface, title = plugins.surface(), plugins.find(status.name).title
        record |= {
            "ops": [op.name for op in surface.ops.values() if op.provider == title],
            "wraps": [op for op, names in surface.wrappers.items() if status.name in names],
            "attributes": sorted(n for n, owner in surface.providers.items() if owner == title),
            "keywords": [n for n, word in surface.keywords.items() if word.provider == title],
        }
    return record


def _row(record: dict[str, Any]) -> list[str | int]:
    counts: list[str | int] = ["", "", "", ""]
    if record["state"] == "on":
        counts = [len(record["ops"]), len(record["wraps"]), len(_public_attributes(record))]
        counts.append(_import_time(record))
    setting = record["decided_by"].removeprefix(os.path.join(os.getcwd(), ""))
    columns = ("name", "distribution", "version", "state")
    return [*(record[column] for column in columns), setting, *counts]


def _details(record: dict[str, Any]) -> str:
    pairs = [
        ("distribution", f"{record['distribution']} {record['version']}"),
        ("state", record["state"]),
        ("setting", record["decided_by"]),
        ("ops added", ", ".join(record.get("ops", []))),
        ("ops wrapped", ", ".join(record.get("wraps", []))),
        ("on Tensor", ", ".join(_public_attributes(record))),
        ("in Tensor()", ", ".join(f"{name}=" for name in record.get("keywords", []))),
        ("imported in", _import_time(record)),
        ("error", record["error"] or ""),
        ("location", record["place"] or ""),
    ]
    return f"{record['name']}\n{facts(pairs)}"


def _public_attributes(record: dict[str, Any]) -> list[str]:
    return [name for name in record.get("attributes", []) if not name.startswith("_")]


def _import_time(record: dict[str, Any]) -> str:
    seconds = record["import_seconds"]
    return "" if seconds is None else f"{1000 * seconds:.0f} ms"
