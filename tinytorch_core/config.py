"""Read the configuration: which plugins are on, and which setting applies.

Precedence, highest first: code, the variable `TINYTORCH_PLUGINS`, `tinytorch.toml`, the table
`[tool.tinytorch]` of `pyproject.toml`. Without any of them an installed plugin is on.
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
    """Whether a plugin is on, and the setting that applies."""

    on: bool
    source: str | ConfigFile
    key: tuple[str, ...] = ()

    @property
    def by(self) -> str:
        """The setting that applies: a variable, `file:line`, or `installed` for the default."""
        return _where(self.source, *self.key)


class Choice(NamedTuple):
    """The settings of one source.

    Attributes:
        source: the variable or the file.
        plugins: on or off, by plugin.
        others: on or off for all other plugins; None leaves them to the next source.
        tables: the plugins' own settings, by plugin.
    """

    source: str | ConfigFile
    plugins: Mapping[str, bool] = MappingProxyType({})
    others: bool | None = None
    tables: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    def decide(self, name: str) -> Decision | None:
        """Return the decision for the plugin `name`, or None if this source has none."""
        if name in self.plugins:
            return Decision(self.plugins[name], self.source, ("plugins", name))
        return None if self.others is None else Decision(self.others, self.source, ("autoload",))

    @property
    def title(self) -> str:
        """The name of the variable or the path of the file."""
        return self.source if isinstance(self.source, str) else self.source.path

    def unknown(self, known: Collection[str]) -> Iterator[ConfigError]:
        """Yield an error for each name that is not a known plugin."""
        for name in self.plugins:
            if name not in known:
                yield _unknown(_where(self.source, "plugins", name), name, known)
        for name in self.tables:
            if name not in known:
                # May be a misspelt key.
                yield _unknown(_where(self.source, name), name, [*known, "plugins"])


class Config(NamedTuple):
    """All sources, the one with the highest precedence first."""

    choices: tuple[Choice, ...] = ()

    def decide(self, name: str) -> Decision:
        """Return the decision for the plugin `name`."""
        for choice in self.choices:
            if (decision := choice.decide(name)) is not None:
                return decision
        return Decision(True, "installed")

    def table(self, name: str) -> Mapping[str, Any]:
        """Return the plugin's settings, each from the first source that has it."""
        merged: dict[str, Any] = {}
        for choice in reversed(self.choices):
            merged |= choice.tables.get(name, {})
        return merged

    def check_names(self, known: Iterable[str]) -> None:
        """Raise ConfigError if a source names a plugin that is not known."""
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
    """Return the settings of the environment and of the files in or above `directory`.

    Raises:
        ConfigError: a source cannot be read or is invalid.
    """
    environment = os.environ if environment is None else environment
    choices = []
    if text := environment.get(VARIABLE, "").strip():
        choices.append(parse_variable(text))
    return Config((*choices, *file_choices(directory)))


def strict() -> bool:
    """Return whether a plugin that fails at the start is an error, not a warning."""
    return os.environ.get(STRICT, "").strip().lower() not in ("", "0", "false", "no")


def parse_variable(text: str) -> Choice:
    """Parse the value of `TINYTORCH_PLUGINS`.

    `no:losses` disables one plugin, `layers,activations` enables only these; `none` and `all`
    can be combined with exceptions.

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
                f"{VARIABLE}={text!r}: {word!r} is not valid here. Write plugin names, "
                "no:NAME, all or none, separated by commas."
            )
        plugins[name] = name == word
    if others is None and any(plugins.values()):
        others = False
    return Choice(VARIABLE, plugins, others)


def file_choices(directory: str | os.PathLike[str] | None = None) -> tuple[Choice, ...]:
    """Return the settings of the nearest files in or above a directory.

    Two files of one directory both count; `tinytorch.toml` has precedence.

    Args:
        directory: where the search starts; by default the working directory.

    Raises:
        ConfigError: a file cannot be read or is invalid.
    """
    try:
        folder = os.path.realpath(directory or os.getcwd())
    except OSError:  # the working directory was deleted
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
                f"{file.where(name)}: unknown key {name!r}. "
                f"{did_you_mean(name, ['autoload', 'plugins'])} "
                "Put a plugin's settings into a table with its name."
            )
    return Choice(file, plugins, None if autoload else False, tables)


def _not_bool(file: ConfigFile, value: Any, *key: str) -> ConfigError:
    where, name = file.where(*key), ".".join(key)
    return ConfigError(f"{where}: {name} must be true or false, not {value!r}.")
