"""The command `tinytorch`: its parser and its exit status."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from tinytorch_core import __version__
from tinytorch_core.cli import doctor, enable, ops, plugins
from tinytorch_core.cli.commands import add_installed, add_module
from tinytorch_core.errors import TinyTorchError, printable

# In the order of the help.
MODULES = (plugins, ops, enable, doctor)

DESCRIPTION = "Show which plugins are installed and on, and which setting applies; change it."

EPILOG = """\
Run `tinytorch COMMAND --help` for the help of one command.

exit status:
  0  no problem was found
  1  a problem was found and printed
  2  the arguments or the configuration are wrong; nothing was changed
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments or those of the process; return the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Docstrings contain formulas, and some terminals lack their characters.
        sys.stdout.reconfigure(errors="replace")
    argv = (sys.argv[1:] if argv is None else argv) or ["--help"]
    try:
        parser = make_parser(None if argv[0] in ("-h", "--help") else argv[0])
        args = parser.parse_args(argv)
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except TinyTorchError as error:
        sys.stdout.flush()
        print(printable(f"tinytorch {argv[0]}: {error}"), file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of `tinytorch ops | head` has exited; Python would report it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13  # the status that a shell reports for SIGPIPE


def make_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the core's commands and of those that other distributions add.

    If `command` is given, no other command is imported.

    Raises:
        TinyTorchError: the command is unknown or cannot be loaded.
    """
    parser = argparse.ArgumentParser(prog="tinytorch", description=DESCRIPTION)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    version = f"tinytorch-core {__version__}"
    parser.add_argument("--version", action="version", version=version, help="show the version")
    parsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in MODULES:
        add_module(parsers, module)
    errors = add_installed(parsers, command)
    parser.epilog = "\n\n".join([*errors, EPILOG])
    return parser
