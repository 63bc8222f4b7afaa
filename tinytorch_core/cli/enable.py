"""`tinytorch enable` and `tinytorch disable`: change the project's configuration file."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic, sleep
from typing import IO, Any

from tinytorch_core.config import OWN_FILE, VARIABLE, Choice, decisions, file_choices, read_config
from tinytorch_core.config_file import ConfigFile
from tinytorch_core.discovery import PLUGINS, entry_points
from tinytorch_core.errors import ConfigError, UnknownPluginError, did_you_mean

STATES = {True: "on", False: "off"}
TOML = {True: "true", False: "false"}
# How many seconds to wait for another command that changes the same file.
PATIENCE = 10.0
# Whether a file that another program reads cannot be replaced.
READERS_BLOCK = os.name == "nt"
# tomlkit takes a time that is quadratic in the number of dotted keys.
MAX_SIZE = 200_000

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
    decided = decisions(reversed(file_choices()), args.names)
    for name, decision in decided.items():
        if decision.on == args.on:
            print(f"{name} is already {STATES[args.on]}: {decision.by}")
    if changing := {name: args.on for name in decided if decided[name].on != args.on}:
        _change(changing)
    return _check_result(args.names, args.on, known)


def _file_to_change() -> Choice:
    """Return the settings of the file with the highest precedence, or of a new file."""
    choices = file_choices()
    return choices[0] if choices else Choice(ConfigFile(os.path.abspath(OWN_FILE), text=""))


def _change(plugins: Mapping[str, bool]) -> None:
    """Set plugins in the file with the highest precedence, or in a new one, and print the lines."""
    path = str(_file_to_change().source)
    with _replacing(path) as stream:
        old = _file_to_change()  # another command may have changed the file until now
        file, is_new = old.source, not os.path.exists(path)
        assert isinstance(file, ConfigFile)
        if file.path != path:
            raise ConfigError(f"{file.path} has been created just now. Run the command again.")
        stream.write(file.bom + _edited(file, plugins))
    changed = ConfigFile(file.path, *file.above)
    for name, on in plugins.items():
        was = f"was {TOML[old.plugins[name]]}" if name in old.plugins else "was not set"
        note = "new file" if is_new else was
        print(f"{changed.where('plugins', name)}: {name} = {TOML[on]} ({note})")


def _edited(file: ConfigFile, plugins: Mapping[str, bool]) -> str:
    """Return the text of the file with these plugins on or off, its comments and layout kept."""
    import tomllib

    import tomlkit  # here: it takes 20 ms

    lines = " ".join(f"{name} = {TOML[on]}" for name, on in plugins.items())
    unsafe = ConfigError(
        f"{file.path} cannot be changed safely. Add these lines below "
        f"[{'.'.join((*file.above, 'plugins'))}]: {lines}"
    )
    if len(file.text) > MAX_SIZE:
        raise unsafe
    wanted = tomllib.loads(file.text)
    try:
        document = tomlkit.parse(file.text)
    except (ValueError, RecursionError) as error:  # it accepts less than tomllib
        raise unsafe from error
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
        raise unsafe
    return text


@contextmanager
def _replacing(path: str) -> Iterator[IO[str]]:
    """Open a new file that replaces `path` when the block ends; other commands wait until then.

    The new file is the lock, as in git: it works on every file system, and nothing is left behind.
    """
    path = os.path.realpath(path)
    new = f"{path}.lock"
    stream = _opened_alone(new, path)
    try:
        with stream:
            yield stream
        if os.path.exists(path):
            shutil.copymode(path, new)
        _replace(new, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(new)
        if isinstance(error, OSError):
            raise _not_writable(path, error) from error
        raise


def _replace(new: str, path: str) -> None:
    """Rename a file. Windows refuses that while another program reads `path`: wait there."""
    deadline = monotonic() + PATIENCE
    while True:
        try:
            return os.replace(new, path)
        except PermissionError:
            if not READERS_BLOCK or monotonic() > deadline:
                raise
            sleep(0.01)


def _opened_alone(new: str, path: str) -> IO[str]:
    """Create and open `new`, which must not exist; wait while another command has it."""
    deadline = monotonic() + PATIENCE
    while True:
        try:
            return open(new, "x", encoding="utf-8", errors="surrogateescape", newline="")
        except FileExistsError as error:
            if monotonic() > deadline:
                raise ConfigError(
                    f"{new} exists: another command is changing {path}, or was killed while it "
                    f"did. If none is running, delete {new}. Nothing was changed."
                ) from error
            sleep(0.01)
        except OSError as error:
            raise _not_writable(path, error) from error


def _not_writable(path: str, error: OSError) -> ConfigError:
    return ConfigError(
        f"{path} cannot be written: {error.strerror}. Check the permissions of the file and "
        "its folder; nothing was changed."
    )


def _check_result(names: Iterable[str], on: bool, known: Iterable[str]) -> int:
    """Print what prevents the change from taking effect, and return the exit status."""
    sys.stdout.flush()  # because the changed lines come first, also where both streams are joined
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
