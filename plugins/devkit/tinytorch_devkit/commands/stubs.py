"""`tinytorch stubs`: write type stubs for Tensor with the active plugins."""

from __future__ import annotations

import argparse
from pathlib import Path

from tinytorch_core import TinyTorchError

from tinytorch_devkit.commands.session import started_surface

DESCRIPTION = """\
Write type stubs for Tensor with the methods, attributes and constructor keywords that the active
plugins add, and for NumPy, whose functions return Tensors for Tensors. With the stubs, editors
complete these names and type-checkers report misspelt ones, which they accept otherwise.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "stubs",
        help="write type stubs for editors and type-checkers",
        description=DESCRIPTION,
        epilog="pyright and editors built on it find the folder typings by themselves; mypy needs "
        "the setting mypy_path = typings. Exit status 2: the files cannot be written, or "
        "the configuration is wrong.",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        default="typings",
        help="the folder to write to (default: typings)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the files, and print the names of the packages."""
    from tinytorch_devkit.stub_text import stub_files  # other commands do not need it

    surface = started_surface()
    packages: dict[Path, None] = {}
    for name, text in stub_files(surface).items():
        file = Path(args.output, name)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise TinyTorchError(f"{file} cannot be written: {error.strerror}.") from error
        packages[Path(args.output, Path(name).parts[0])] = None
    print(*packages, sep="\n")
    names = ", ".join(plugin.name for plugin in surface.plugins)
    print(f"for Tensor with these plugins: {names or 'none'}")
    return 0
