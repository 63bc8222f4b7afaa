"""Add the commands of other distributions to `tinytorch`.

An entry point of the group `tinytorch.commands` has the command's name and names a module with two
functions: `add_to(commands)` adds an argparse parser of that name, and `run(args)` runs the command
and returns the exit status. The module is imported when its command is used or the help is printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from types import ModuleType
from typing import TypeAlias

from tinytorch_core.cli.session import prints_to_stderr
from tinytorch_core.discovery import (
    COMMANDS,
    EntryPoint,
    entry_points,
    import_installed,
    superfluous,
)
from tinytorch_core.errors import TinyTorchError, did_you_mean

Parsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# Well-known commands, each with the distribution that provides it.
PROVIDERS = dict.fromkeys(("check", "new-plugin", "stubs"), "tinytorch-devkit")


def add_module(parsers: Parsers, module: ModuleType) -> None:
    """Add the parsers of a module's commands, which its function `run` runs."""
    before = set(parsers.choices)
    module.add_to(parsers)
    for name in parsers.choices.keys() - before:
        parsers.choices[name].set_defaults(run=module.run)


def add_installed(parsers: Parsers, command: str | None) -> list[str]:
    """Add the parser of `command`, or of all; return the errors of those that cannot be added.

    Raises:
        TinyTorchError: `command` is unknown or cannot be added.
    """
    if command in parsers.choices or (command or "").startswith("-"):
        return []
    groups = entry_points(COMMANDS)
    if command is None:
        errors = [_add(parsers, name, points) for name, points in groups.items()]
        return list(filter(None, errors))
    if command in groups:
        error = _add(parsers, command, groups[command])
    elif command in PROVIDERS:
        error = (
            f"the command {command!r} is provided by {PROVIDERS[command]}, which is not "
            f"installed. Install it: pip install {PROVIDERS[command]}"
        )
    else:
        hint = did_you_mean(command, {*parsers.choices, *PROVIDERS, *groups})
        error = f"{command!r} is not a command. {hint}"
    if error:
        raise TinyTorchError(error)
    return []


def _add(parsers: Parsers, name: str, points: Sequence[EntryPoint]) -> str:
    """Add the parser of a command, or return why it cannot be added."""
    origins = " and ".join(f"{point.distribution} {point.version}" for point in points)
    command = f"the command {name!r} of {origins}"
    remedy = f"pip uninstall {superfluous(points, PROVIDERS.get(name, ''))}"
    if name in parsers.choices:
        return f"{command} is ignored: the core has one of that name. Uninstall it: {remedy}"
    if len(points) > 1:
        return f"{command} is provided twice. Uninstall all but one: {remedy}"
    try:
        with prints_to_stderr():
            add_module(parsers, import_installed(points[0]))
        if name not in parsers.choices:
            raise LookupError(f"its add_to adds no parser named {name!r}")
    # SystemExit too: the other commands must work whatever this module does.
    except (Exception, SystemExit) as error:
        parsers.choices.pop(name, None)
        reason = f"{type(error).__name__}: {error}"
        return f"{command} cannot be loaded: {reason}. Reinstall or uninstall it: {remedy}"
    return ""
