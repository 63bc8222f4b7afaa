"""`tinytorch stubs`: type stubs for Tensor as the active plugins make it."""

from __future__ import annotations

import argparse
import os

from tinytorch_core import TinyTorchError
from tinytorch_core.cli.atomic_write import write
from tinytorch_core.cli.session import started_surface

from tinytorch_devkit.commands.stub import package_stub, tensor_stub

DESCRIPTION = """\
Writes type stubs for Tensor with what the plugins that are on add to it: methods, attributes and
keywords of the constructor. With them editors complete these names, and type-checkers find the
misspelt ones, which they let pass otherwise.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command's parser."""
    parser = commands.add_parser(
        "stubs",
        help="write type stubs for editors and type-checkers",
        description=DESCRIPTION,
        epilog="pyright and editors built on it read the folder typings by themselves; mypy does "
        "with the setting mypy_path = typings. Exit status 2: the files cannot be written, or "
        "the configuration is wrong.",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        default="typings",
        help="the folder to write to (default: typings)",
    )
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Writes the files, and prints which."""
    surface = started_surface()
    folder = os.path.join(chosen.output, "tinytorch_core")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise TinyTorchError(f"{folder} cannot be made: {error.strerror}.") from error
    for module, text in (("__init__", package_stub()), ("tensor", tensor_stub(surface))):
        file = os.path.join(folder, f"{module}.pyi")
        write(file, text)
        print(file)
    names = ", ".join(plugin.name for plugin in surface.plugins)
    print(f"with what these plugins add to Tensor: {names or 'none'}")
    return 0
