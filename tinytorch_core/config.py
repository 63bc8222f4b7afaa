"""Which plugins are on, and who said so.

In order of strength: code, the variable `TINYTORCH_PLUGINS`, `tinytorch.toml`, the table
`[tool.tinytorch]` of `pyproject.toml`, and last that a plugin is installed.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tinytorch_core.config_file import ConfigFile
from tinytorch_core.errors import ConfigError, did_you_mean

VARIABLE = "TINYTORCH_PLUGINS"
STRICT = "TINYTORCH_STRICT"
OWN_FILE = "tinytorch.toml"


class Decision(NamedTuple):
    """Whether a plugin is on, and who decided."""

    on: bool
    source: str | ConfigFile
    key: tuple[str, ...] = ()

    @property
    def by(self) -> str:
        """Who decided, in words; for a file with the line."""
        return _where(self.source, *self.key)


class Choice(NamedTuple):
    """What one source says: on or off for some plugins, and perhaps for all others."""

    source: str | ConfigFile
    plugins: Mapping[str, bool] = MappingProxyType({})
    others: bool | None = None
    tables: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    def decide(self, name: str) -> Decision | None:
        """What this source says of the plugin `name`."""
        if name in self.plugins:
            return Decision(self.plugins[name], self.source, ("plugins", name))
        return None if self.others is None else Decision(self.others, self.source, ("autoload",))

    @property
    def title(self) -> str:
        """The source, a file by its path."""
        return self.source if isinstance(self.source, str) else self.source.path

    def unknown(self, known: Collection[str]) -> Iterator[ConfigError]:
        """An error for each name of a plugin that does not exist."""
        for name in self.plugins:
            if name not in known:
                yield _unknown(_where(self.source, "plugins", name), name, known)
        for name in self.tables:
            if name not in known:
                # Perhaps it was to be no plugin's table.
                yield _unknown(_where(self.source, name), name, [*known, "plugins"])


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
            for error in choice.unknown(known):
                raise error


def _where(source: str | ConfigFile, *key: str) -> str:
    return source if isinstance(source, str) else source.where(*key)


def _unknown(where: str, name: str, known: Collection[str]) -> ConfigError:
    return ConfigError(
        f"{where} names the plugin {name!r}, which is not installed. "
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
    return Config((*choices, *file_choices(directory)))


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
    Decision(on=True, source='TINYTORCH_PLUGINS', key=('autoload',))
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


def file_choices(directory: str | os.PathLike[str] | None = None) -> tuple[Choice, ...]:
    """What the files of the nearest directory say that has any with a say, the strongest first.

    Args:
        directory: where the search begins, to go upward; by default the working directory.

    Raises:
        ConfigError: a file cannot be read or says something that is not understood.
    """
    try:
        folder = os.path.realpath(directory or os.getcwd())
    except OSError:  # the working directory is gone
        return ()
    before = None
    while folder != before:
        if found := _files_in(folder):
            return tuple(_choice(file, table) for file, table in found)
        before, folder = folder, os.path.dirname(folder)
    return ()


def _files_in(folder: str) -> list[tuple[ConfigFile, Any]]:
    found = []
    if os.path.isfile(own := os.path.join(folder, OWN_FILE)):
        file = ConfigFile(own)
        found.append((file, file.table()))
    if os.path.isfile(project := os.path.join(folder, "pyproject.toml")):
        file = ConfigFile(project, "tool", "tinytorch")
        if file.mentions("tinytorch") and (table := file.table()) is not None:
            found.append((file, table))
    return found


def _choice(file: ConfigFile, table: Any) -> Choice:
    if not isinstance(table, dict):
        raise ConfigError(f"{file.where()}: [tool.tinytorch] must be a table, not {table!r}.")
    autoload = table.get("autoload", True)
    if not isinstance(autoload, bool):
        raise _not_bool(file, autoload, "autoload")
    plugins = table.get("plugins", {})
    if not isinstance(plugins, dict):
        where = file.where("plugins")
        raise ConfigError(f"{where}: plugins must be a table of names, not {plugins!r}.")
    for name, on in plugins.items():
        if not isinstance(on, bool):
            raise _not_bool(file, on, "plugins", name)
    tables = {name: value for name, value in table.items() if name not in ("autoload", "plugins")}
    for name, value in tables.items():
        if not isinstance(value, dict):
            raise ConfigError(
                f"{file.where(name)}: the key {name!r} is not understood. "
                f"{did_you_mean(name, ['autoload', 'plugins'])} "
                "A plugin's settings go into a table with its name."
            )
    return Choice(file, plugins, None if autoload else False, tables)


def _not_bool(file: ConfigFile, value: Any, *key: str) -> ConfigError:
    where, name = file.where(*key), ".".join(key)
    return ConfigError(f"{where}: {name} must be true or false, not {value!r}.")
