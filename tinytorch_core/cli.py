"""The command `tinytorch`, which says what is installed, what is on, and why."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

from tinytorch_core import __version__, plugins
from tinytorch_core.errors import ConfigError, PluginWarning

NOTHING_INSTALLED = """\
No plugin is installed: Tensor is the plain one.
A plugin is installed with pip, and is on from then on. To write one, see tinytorch_core.hookspecs.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        The exit status: 1 if a plugin that should be on is not, or the configuration is wrong.
    """
    parser = _parser()
    chosen = parser.parse_args(argv)
    if chosen.command is None:
        parser.print_help()
        return 0
    return list_plugins()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tinytorch", description=__doc__)
    parser.add_argument("--version", action="version", version=f"tinytorch-core {__version__}")
    commands = parser.add_subparsers(dest="command", title="commands")
    commands.add_parser(
        "plugins",
        help="each installed plugin, on or off and who decided, or why it failed",
        description="Lists each installed plugin. A plugin that is off is not imported for this.",
        epilog="Exit status 1: a plugin that should be on failed, or the configuration is wrong.",
    )
    return parser


def list_plugins() -> int:
    """Prints a table of the plugins, and below it why one failed."""
    wrong = _start()
    found = plugins.status()
    print(_table(found) if found else NOTHING_INSTALLED, end="")
    failed = [plugin for plugin in found if plugin.error]
    for plugin in failed:
        print(f"\n{plugin.error}")
    if wrong is not None:
        # After the table also where both go to one place.
        sys.stdout.flush()
        print(f"\nwrong configuration, so no plugin is on: {wrong}", file=sys.stderr)
    return 1 if wrong or failed else 0


def _start() -> ConfigError | None:
    """Starts the plugins, whatever is wrong with some of them: the table says it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        try:
            plugins.start(lenient=True)
        except ConfigError as error:
            return error
    return None


def _table(found: Sequence[plugins.PluginStatus]) -> str:
    rows = [("PLUGIN", "DISTRIBUTION", "VERSION", "STATE", "DECIDED BY")]
    rows += [(p.name, p.distribution, p.version, p.state, p.decided_by) for p in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)
