"""Commands that other distributions add to `tinytorch`.

An entry point of the group `tinytorch.commands` has the command's name and names a module with two
functions: `add_to(commands)` adds an argparse parser of that name, and `run(args)` runs the command
and returns the exit status. The module is imported when its command is used or the help is printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from tinytorch_core.cli.session import aside
from tinytorch_core.discovery import COMMANDS, EntryPoint, entry_points, import_installed
from tinytorch_core.errors import TinyTorchError, did_you_mean

if TYPE_CHECKING:
    import argparse

    Parsers = argparse._SubParsersAction[argparse.ArgumentParser]

# Well-known commands, each with the distribution that provides it.
PROVIDERS = dict.fromkeys(("check", "new-plugin", "stubs"), "tinytorch-devkit")


def add_module(parsers: Parsers, module: ModuleType) -> None:
    """Add the parsers of a module's commands, which its function `run` runs."""
    before = set(parsers.choices)
    module.add_to(parsers)
    for name in parsers.choices.keys() - before:
        parsers.choices[name].set_defaults(run=module.run)


def add_installed(parsers: Parsers, name: str) -> None:
    """Add the parser of one command of another distribution.

    Raises:
        TinyTorchError: no distribution or several provide the command, or its module fails.
    """
    points = entry_points(COMMANDS)
    found = [point for point in points if point.name == name]
    if found:
        _add(parsers, name, found)
    elif name in PROVIDERS:
        raise TinyTorchError(
            f"the command {name!r} is provided by {PROVIDERS[name]}, which is not installed. "
            f"Install it: pip install {PROVIDERS[name]}"
        )
    else:
        known = {*parsers.choices, *PROVIDERS, *(point.name for point in points)}
        raise TinyTorchError(f"{name!r} is not a command. {did_you_mean(name, known)}")


def add_all_installed(parsers: Parsers) -> list[str]:
    """Add the parsers of all commands of other distributions; return the error messages."""
    points: dict[str, list[EntryPoint]] = {}
    for point in entry_points(COMMANDS):
        points.setdefault(point.name, []).append(point)
    errors = []
    for name, found in points.items():
        try:
            _add(parsers, name, found)
        except TinyTorchError as error:
            errors.append(str(error))
    return errors


def _add(parsers: Parsers, name: str, points: Sequence[EntryPoint]) -> None:
    origins = " and ".join(f"{point.distribution} {point.version}" for point in points)
    remedy = f"pip uninstall {points[-1].distribution}"
    if name in parsers.choices:
        raise TinyTorchError(
            f"the command {name!r} of {origins} is ignored: the core has one of that name. "
            f"Uninstall the distribution: {remedy}"
        )
    if len(points) > 1:
        raise TinyTorchError(
            f"the command {name!r} is provided by {origins}. Uninstall all but one: {remedy}"
        )
    try:
        with aside():
            add_module(parsers, import_installed(points[0].value))
        if name not in parsers.choices:
            raise LookupError(f"its add_to adds no parser named {name!r}")
    # SystemExit too: the other commands must work whatever this module does.
    except (Exception, SystemExit) as error:
        parsers.choices.pop(name, None)
        raise TinyTorchError(
            f"the command {name!r} of {origins} cannot be loaded: {type(error).__name__}: {error}. "
            f"Reinstall or uninstall the distribution: {remedy}"
        ) from error
