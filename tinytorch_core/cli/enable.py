"""`tinytorch enable` and `tinytorch disable`: change the project's configuration file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable

from tinytorch_core.cli.atomic_write import write
from tinytorch_core.config import OWN_FILE, VARIABLE, Config, file_choices, read_config
from tinytorch_core.config_file import ConfigFile
from tinytorch_core.discovery import installed
from tinytorch_core.errors import ConfigError, UnknownPluginError, did_you_mean

DESCRIPTION = """\
Turn plugins {state} for the programs of this project: set them in the nearest tinytorch.toml, or in
the nearest pyproject.toml with a table [tool.tinytorch]. If neither exists, create a tinytorch.toml
in the working directory. Comments and layout are kept.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parsers of both commands."""
    for command, state, on in (("enable", "on", True), ("disable", "off", False)):
        parser = commands.add_parser(
            command,
            help=f"turn plugins {state} in the project's configuration file",
            description=DESCRIPTION.format(state=state),
            epilog="Exit status 1: another part of the configuration is wrong. 2: nothing was "
            "changed.",
        )
        parser.add_argument("names", metavar="NAME", nargs="+", help="the name of a plugin")
        parser.set_defaults(on=on)


def run(args: argparse.Namespace) -> int:
    """Change the file and print the changes."""
    known = {point.name for point in installed()}
    _check_names(args.names, known)
    choices = file_choices()
    config = Config(tuple(choices))
    changing = []
    for name in dict.fromkeys(args.names):
        decision = config.decide(name)
        if decision.on == args.on:
            print(f"{name} is already {_state(args.on)}: {decision.by}")
        else:
            changing.append(name)
    if changing:
        # The file with the highest precedence.
        _switch(choices[0].source if choices else None, changing, args.on)
    return _check_result(args.names, args.on, known)


def _check_names(names: Iterable[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownPluginError(
                f"no plugin {name!r} is installed. {did_you_mean(name, known)} Nothing was changed."
            )


def _switch(file: ConfigFile | str | None, names: list[str], on: bool) -> None:
    from tinytorch_core.cli.edit import switched  # here: tomlkit takes 20 ms

    old = file if isinstance(file, ConfigFile) else None
    path = old.path if old else os.path.abspath(OWN_FILE)
    above = old.above if old else ()
    write(path, switched(path, old.text if old else "", above, dict.fromkeys(names, on)))
    before = _values(old)
    new = ConfigFile(path, *above)
    for name in names:
        was = f"was {_toml(before[name])}" if name in before else "was not set"
        print(f"{new.where('plugins', name)}: {name} = {_toml(on)} ({was if old else 'new file'})")


def _values(file: ConfigFile | None) -> dict[str, bool]:
    values: dict[str, bool] = file.table().get("plugins", {}) if file else {}
    return values


def _check_result(names: Iterable[str], on: bool, known: set[str]) -> int:
    """Print what prevents the change from taking effect, and return the exit status."""
    try:
        config = read_config()
        config.check_names(known)
    except ConfigError as error:
        print(f"The configuration is still wrong: {error}", file=sys.stderr)
        return 1
    for name in names:
        decision = config.decide(name)
        if decision.on != on:
            print(
                f"{VARIABLE}={os.environ[VARIABLE]} overrides the file: "
                f"{name} stays {_state(decision.on)} until you change the variable.",
                file=sys.stderr,
            )
    return 0


def _state(on: bool) -> str:
    return "on" if on else "off"


def _toml(value: bool) -> str:
    return str(value).lower()
