"""The command `tinytorch`: which commands there are, and how each ends."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from tinytorch_core import __version__
from tinytorch_core.cli import doctor, enable, ops, plugins
from tinytorch_core.errors import TinyTorchError

# In the order in which the help shows them.
COMMANDS = (plugins, ops, enable, doctor)

FINE, USAGE = 0, 2

DESCRIPTION = "What is installed, what is on, who decided, and how to change it."

EPILOG = """\
`tinytorch COMMAND --help` says more about one of them.

exit status:
  0  all is well
  1  something was found that needs attention; it is printed
  2  the command or the configuration was not understood; nothing was changed
"""


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help as it is written, without a line that only says that commands follow."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        # argparse forgets that commands are indented, and breaks the line after the longest name.
        self._action_max_length = len("    new-plugin") + 2

    def _format_action(self, action: argparse.Action) -> str:
        text = super()._format_action(action)
        return text.partition("\n")[2] if action.nargs == argparse.PARSER else text


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: the arguments; by default those of the process.

    Returns:
        The exit status, as the help tells it.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Docstrings have formulas, for which not every terminal has the letters.
        sys.stdout.reconfigure(errors="replace")
    parser = make_parser()
    chosen = parser.parse_args(argv)
    try:
        if chosen.command is None:
            parser.print_help()
            return FINE
        status = _run(chosen)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # `tinytorch ops | head`: the reader has left, and Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13  # what a shell says of any program that this happened to


def _run(chosen: argparse.Namespace) -> int:
    try:
        status: int = chosen.run(chosen)
    except TinyTorchError as error:
        sys.stdout.flush()
        print(f"tinytorch {chosen.command}: {error}", file=sys.stderr)
        return USAGE
    return status


def make_parser() -> argparse.ArgumentParser:
    """The parser with every command."""
    parser = argparse.ArgumentParser(
        prog="tinytorch",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=_Help,
        add_help=False,
    )
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    for module in COMMANDS:
        module.add_to(commands)
    # After the commands, for which people come.
    options = parser.add_argument_group("options")
    options.add_argument("-h", "--help", action="help", help="show this help and exit")
    options.add_argument(
        "--version",
        action="version",
        version=f"tinytorch-core {__version__}",
        help="show the version of tinytorch-core and exit",
    )
    return parser
