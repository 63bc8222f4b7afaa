"""`tinytorch enable` and `tinytorch disable`: change the project's configuration file."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tinytorch_core.config import OWN_FILE, VARIABLE, Choice, decisions, file_choices, read_config
from tinytorch_core.config_file import ConfigFile
from tinytorch_core.discovery import PLUGINS, entry_points
from tinytorch_core.errors import ConfigError, UnknownPluginError, did_you_mean

STATES = {True: "on", False: "off"}
TOML = {True: "true", False: "false"}

DESCRIPTION = """\
Turn plugins {state} for the programs of this project: set them in the nearest tinytorch.toml, or in
the nearest pyproject.toml with a table [tool.tinytorch]. If neither exists, create a tinytorch.toml
in the working directory. Comments and layout are kept.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parsers of both commands."""
    for command, on in (("enable", True), ("disable", False)):
        parser = commands.add_parser(
            command,
            help=f"turn plugins {STATES[on]} in the project's configuration file",
            description=DESCRIPTION.format(state=STATES[on]),
            epilog="Exit status 1: the configuration has another error. 2: nothing was changed.",
        )
        parser.add_argument("names", metavar="NAME", nargs="+", help="the name of a plugin")
        parser.set_defaults(on=on)


def run(args: argparse.Namespace) -> int:
    """Change the file and print the changes."""
    known = entry_points(PLUGINS)
    for name in args.names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UnknownPluginError(
                f"no plugin {name!r} is installed. {hint} Nothing was changed."
            )
    choices = file_choices()
    changing = {}
    for name, decision in decisions(reversed(choices), args.names).items():
        if decision.on == args.on:
            print(f"{name} is already {STATES[args.on]}: {decision.by}")
        else:
            changing[name] = args.on
    if changing:
        _change(choices, changing)
    return _check_result(args.names, args.on, known)


def _change(choices: Sequence[Choice], plugins: Mapping[str, bool]) -> None:
    """Set plugins in the file with the highest precedence, or in a new one, and print the lines."""
    new_file = Choice(ConfigFile(os.path.abspath(OWN_FILE), text=""))
    old = choices[0] if choices else new_file
    file = old.source
    assert isinstance(file, ConfigFile)
    _write(file.path, _edited(file, plugins))
    changed = ConfigFile(file.path, *file.above)
    for name, on in plugins.items():
        was = f"was {TOML[old.plugins[name]]}" if name in old.plugins else "was not set"
        note = "new file" if old is new_file else was
        print(f"{changed.where('plugins', name)}: {name} = {TOML[on]} ({note})")


def _edited(file: ConfigFile, plugins: Mapping[str, bool]) -> str:
    """Return the text of the file with these plugins on or off, its comments and layout kept."""
    import tomllib

    import tomlkit  # here: it takes 20 ms

    document, wanted = tomlkit.parse(file.text), tomllib.loads(file.text)
    tables: list[Any] = [document, wanted]
    for table in tables:
        for key in file.above:
            table = table[key]
        if "plugins" not in table:
            table["plugins"] = {}
        table["plugins"].update(plugins)
    text = tomlkit.dumps(document)
    if "\r\n" in file.text:  # tomlkit ends the new lines with a line feed
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    if tomllib.loads(text) != wanted:
        lines = " ".join(f"{name} = {TOML[on]}" for name, on in plugins.items())
        where = ".".join((*file.above, "plugins"))
        raise ConfigError(
            f"{file.path} cannot be changed safely. Add these lines below [{where}]: {lines}"
        )
    return text


def _write(path: str, text: str) -> None:
    """Replace a file in one step: it is written completely, or the old one is unchanged."""
    path = os.path.realpath(path)
    new = f"{path}.{os.getpid()}.new"
    try:
        with open(new, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            stream.write(text)
        if os.path.exists(path):
            shutil.copymode(path, new)
        os.replace(new, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(new)
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}. Check the permissions of the file and "
            "its folder; nothing was changed."
        ) from error


def _check_result(names: Iterable[str], on: bool, known: Iterable[str]) -> int:
    """Print what prevents the change from taking effect, and return the exit status."""
    try:
        config = read_config()
        for error in config.wrong_names(known):
            raise error
    except ConfigError as error:
        print(f"The configuration is still wrong: {error}", file=sys.stderr)
        return 1
    for name, decision in decisions(reversed(config), names).items():
        if decision.on != on:
            print(
                f"{VARIABLE}={os.environ[VARIABLE]} overrides the file: "
                f"{name} stays {STATES[not on]} until you change the variable.",
                file=sys.stderr,
            )
    return 0
