"""`tinytorch plugins`: each plugin, on or off and who decided, or why it failed."""

from __future__ import annotations

import argparse
import sys

from tinytorch_core import plugins
from tinytorch_core.commands.starting import start_plugins
from tinytorch_core.commands.table import table

NOTHING_INSTALLED = """\
No plugin is installed: Tensor is the plain one.
A plugin is installed with pip, and is on from then on. To write one, see tinytorch_core.hookspecs.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command's parser."""
    parser = commands.add_parser(
        "plugins",
        help="each installed plugin, on or off and who decided, or why it failed",
        description="Lists each installed plugin. A plugin that is off is not imported for this.",
        epilog="Exit status 1: a plugin that should be on failed, or the configuration is wrong.",
    )
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Prints a table of the plugins, and below it why one failed."""
    wrong = start_plugins()
    found = plugins.status()
    rows = [("PLUGIN", "DISTRIBUTION", "VERSION", "STATE", "DECIDED BY")]
    rows += [(p.name, p.distribution, p.version, p.state, p.decided_by) for p in found]
    print(table(rows) if found else NOTHING_INSTALLED, end="")
    failed = [plugin for plugin in found if plugin.error]
    for plugin in failed:
        print(f"\n{plugin.error}")
    if wrong is not None:
        # After the table also where both go to one place.
        sys.stdout.flush()
        print(f"\nwrong configuration, so no plugin is on: {wrong}", file=sys.stderr)
    return 1 if wrong or failed else 0
