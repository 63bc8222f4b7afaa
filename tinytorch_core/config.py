"""Which plugins are on, and who said so.

In order of strength: code, the variable `TINYTORCH_PLUGINS`, `tinytorch.toml`, the table
`[tool.tinytorch]` of `pyproject.toml`, and last that a plugin is installed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tinytorch_core.errors import ConfigError, did_you_mean

VARIABLE = "TINYTORCH_PLUGINS"
STRICT = "TINYTORCH_STRICT"


class Decision(NamedTuple):
    """Whether a plugin is on, and who decided."""

    on: bool
    by: str


class Choice(NamedTuple):
    """What one source says: on or off for some plugins, and perhaps for all others."""

    source: str
    plugins: Mapping[str, bool] = MappingProxyType({})
    others: bool | None = None
    tables: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    def decide(self, name: str) -> Decision | None:
        on = self.plugins.get(name, self.others)
        return None if on is None else Decision(on, self.source)


class Config(NamedTuple):
    """All sources, the strongest first."""

    choices: tuple[Choice, ...] = ()

    def decide(self, name: str) -> Decision:
        """Whether the plugin `name` is on."""
        for choice in self.choices:
            if (decision := choice.decide(name)) is not None:
                return decision
        return Decision(True, "installed")

    def table(self, name: str) -> Mapping[str, Any]:
        """The plugin's own table, key by key from the strongest source that has it."""
        merged: dict[str, Any] = {}
        for choice in reversed(self.choices):
            merged |= choice.tables.get(name, {})
        return merged

    def check_names(self, known: Iterable[str]) -> None:
        """Raises ConfigError if a source names a plugin that does not exist."""
        known = set(known)
        for choice in self.choices:
            for name in [*choice.plugins, *choice.tables]:
                if name not in known:
                    raise ConfigError(
                        f"{choice.source} names the plugin {name!r}, which is not installed. "
                        f"{did_you_mean(name, known)} `tinytorch plugins` lists what is installed."
                    )


def read_config(
    environment: Mapping[str, str] | None = None, directory: str | os.PathLike[str] | None = None
) -> Config:
    """The configuration from the environment and from the files at or above `directory`.

    Raises:
        ConfigError: a source cannot be read or says something that is not understood.
    """
    environment = os.environ if environment is None else environment
    choices = []
    if text := environment.get(VARIABLE, "").strip():
        choices.append(parse_variable(text))
    choices += _file_choices(directory)
    return Config(tuple(choices))


def strict() -> bool:
    """Whether a plugin that fails at the start is an error rather than a warning."""
    return os.environ.get(STRICT, "").strip().lower() not in ("", "0", "false", "no")


def parse_variable(text: str) -> Choice:
    """What `TINYTORCH_PLUGINS` says.

    `no:losses` turns one off; `layers,activations` allows only these; `none` and `all` stand
    for themselves, and may be followed by exceptions.

    >>> parse_variable("no:losses").plugins
    {'losses': False}
    >>> choice = parse_variable("layers,activations")
    >>> choice.decide("layers").on, choice.decide("losses").on
    (True, False)
    >>> parse_variable("all,no:losses").decide("layers")
    Decision(on=True, by='TINYTORCH_PLUGINS')
    """
    plugins: dict[str, bool] = {}
    others: bool | None = None
    for word in filter(None, (w.strip() for w in text.split(","))):
        if word in ("all", "none"):
            others = word == "all"
            continue
        name = word.removeprefix("no:").strip()
        if not name or ":" in name or plugins.get(name, name == word) != (name == word):
            raise ConfigError(
                f"{VARIABLE}={text!r}: {word!r} is not understood. Write plugin names, "
                "no:NAME, all or none, with commas between them."
            )
        plugins[name] = name == word
    if others is None and any(plugins.values()):
        others = False
    return Choice(VARIABLE, plugins, others)


def _file_choices(directory: str | os.PathLike[str] | None) -> list[Choice]:
    """What the files of the nearest directory that has any say."""
    try:
        folder = os.path.realpath(directory or os.getcwd())
    except OSError:  # the working directory is gone
        return []
    before = None
    while folder != before:
        found = []
        if os.path.isfile(own := os.path.join(folder, "tinytorch.toml")):
            found.append(_choice(own, _read(own)))
        project = os.path.join(folder, "pyproject.toml")
        if os.path.isfile(project) and b"tinytorch" in _bytes(project):
            table = _read(project).get("tool", {}).get("tinytorch")
            if table is not None:
                found.append(_choice(project, table))
        if found:
            return found
        before, folder = folder, os.path.dirname(folder)
    return []


def _bytes(file: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}. Check its rights.") from error


def _read(file: str) -> dict[str, Any]:
    import tomllib  # here, because most programs have no such file, and it takes 3 ms

    try:
        return tomllib.loads(_bytes(file).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is no valid TOML: {error}. Correct the file.") from error


def _choice(file: str, table: Any) -> Choice:
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: [tool.tinytorch] must be a table, not {table!r}.")
    autoload = table.get("autoload", True)
    if not isinstance(autoload, bool):
        raise ConfigError(f"{file}: autoload must be true or false, not {autoload!r}.")
    plugins = table.get("plugins", {})
    if not isinstance(plugins, dict):
        raise ConfigError(f"{file}: plugins must be a table of names, not {plugins!r}.")
    for name, on in plugins.items():
        if not isinstance(on, bool):
            raise ConfigError(f"{file}: plugins.{name} must be true or false, not {on!r}.")
    tables = {}
    for name, value in table.items():
        if name in ("autoload", "plugins"):
            continue
        if not isinstance(value, dict):
            raise ConfigError(
                f"{file}: the key {name!r} is not understood. "
                f"{did_you_mean(name, ['autoload', 'plugins'])} "
                "A plugin's settings go into a table with its name."
            )
        tables[name] = value
    return Choice(file, plugins, None if autoload else False, tables)
