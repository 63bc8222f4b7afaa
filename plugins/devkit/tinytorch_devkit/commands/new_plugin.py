"""`tinytorch new-plugin`: writes a plugin that is complete, tested and ready to be published."""

from __future__ import annotations

import argparse

from tinytorch_core.cli.session import started_surface


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command's parser."""
    parser = commands.add_parser(
        "new-plugin",
        help="write a plugin with one op, complete and tested",
        description="Writes the folder tinytorch-NAME: package, op, rule, tests, licence, CI. "
        "A folder that is there already is left as it is.",
        epilog="Exit status 2: the name is taken or will not do, or the folder is there already.",
    )
    parser.add_argument(
        "name",
        metavar="NAME",
        help="the plugin's name, such as swish: lower-case letters, digits and hyphens",
    )
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Writes the folder, and says what to do next."""
    from tinytorch_devkit.new_plugin import write_plugin  # here, for the other commands do without

    started_surface()
    folder = write_plugin(chosen.name)
    print(f"wrote {folder}/. Next:\n")
    print(f"  cd {folder}\n  pip install -e '.[test]'\n  pytest\n")
    print("and then put your own formula into it, where it says so.")
    return 0
