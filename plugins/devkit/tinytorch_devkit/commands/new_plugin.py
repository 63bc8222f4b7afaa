"""`tinytorch new-plugin`: write a plugin that is complete, tested and ready to publish."""

from __future__ import annotations

import argparse

from tinytorch_devkit.commands.session import started_surface


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "new-plugin",
        help="write a plugin with one op, complete and tested",
        description="Write the folder tinytorch-NAME: package, op, rule, tests, licence, CI. "
        "An existing folder is not changed.",
        epilog="Exit status 2: the name is taken or invalid, or the folder exists.",
    )
    parser.add_argument(
        "name",
        metavar="NAME",
        help="the plugin's name, such as swish: lower-case letters, digits and hyphens",
    )


def run(args: argparse.Namespace) -> int:
    """Write the folder, and print the next steps."""
    from tinytorch_devkit.new_plugin import write_plugin  # other commands do not need it

    started_surface()
    folder = write_plugin(args.name)
    print(f"wrote {folder}/. Next:\n")
    print(f"  cd {folder}\n  pip install -e '.[test]'\n  pytest\n")
    print(f"Then replace the formula in src/{folder.name.replace('-', '_')}/ops.py with yours.")
    return 0
