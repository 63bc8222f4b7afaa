"""Read the configuration: which plugins are on, and which setting applies.

Precedence, highest first: code, the variable `TINYTORCH_PLUGINS`, `tinytorch.toml`, the table
`[tool.tinytorch]` of `pyproject.toml`. Without any of them an installed plugin is on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tinytorch_core.config_file import ConfigFile
from tinytorch_core.errors import ConfigError, did_you_mean

VARIABLE = "TINYTORCH_PLUGINS"
STRICT = "TINYTORCH_STRICT"
OWN_FILE = "tinytorch.toml"
# Names with another meaning in the variable or in files, so no plugin can have them.
RESERVED = ("all", "none", "plugins", "autoload")


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


class Config(tuple[Choice, ...]):
    """All sources, the one with the highest precedence first."""

    __slots__ = ()

    def wrong_names(self, known: Iterable[str]) -> Iterator[ConfigError]:
        """Yield an error for each name that is not a known plugin."""
        known = set(known)
        for choice in self:
            keys = [("plugins", name) for name in choice.plugins]
            for *above, name in [*keys, *((name,) for name in choice.tables)]:
                if name not in known:
                    # The name of a table may be a misspelt `plugins`.
                    hint = did_you_mean(name, known if above else {*known, "plugins"})
                    yield ConfigError(
                        f"{_where(choice.source, *above, name)} names the plugin {name!r}, which "
                        f"is not installed. {hint} `tinytorch plugins` lists what is installed."
                    )


def decisions(choices: Iterable[Choice], names: Iterable[str]) -> dict[str, Decision]:
    """Return the decision about each plugin; a later choice takes precedence."""
    found = dict.fromkeys(names, Decision(True, "installed"))
    for choice in choices:
        if choice.others is not None:
            found = dict.fromkeys(found, Decision(choice.others, choice.source, ("autoload",)))
        for name, on in choice.plugins.items():
            if name in found:
                found[name] = Decision(on, choice.source, ("plugins", name))
    return found


def _where(source: str | ConfigFile, *key: str) -> str:
    return source if isinstance(source, str) else source.where(*key)


def read_config() -> Config:
    """Return the settings of the environment and of the files.

    ConfigError if a source cannot be read or is invalid.
    """
    text = os.environ.get(VARIABLE, "").strip()
    variable = (parse_variable(text),) if text else ()
    return Config((*variable, *file_choices()))


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
    >>> choice.plugins, choice.others
    ({'layers': True, 'activations': True}, False)
    """
    plugins: dict[str, bool] = {}
    others: bool | None = None
    for word in filter(None, map(str.strip, text.split(","))):
        if word in ("all", "none"):
            others = word == "all"
            continue
        name = word.removeprefix("no:").strip()
        on = name == word
        if not name or ":" in name or plugins.setdefault(name, on) != on:
            raise ConfigError(
                f"{VARIABLE}={text!r}: {word!r} is not valid here. Write plugin names, "
                "no:NAME, all or none, separated by commas."
            )
    if others is None and any(plugins.values()):
        others = False
    return Choice(VARIABLE, plugins, others)


def file_choices() -> tuple[Choice, ...]:
    """Return the settings of the nearest files in or above the working directory.

    If a directory has both files, both count; `tinytorch.toml` has precedence.
    """
    try:
        folder = os.path.realpath(os.getcwd())
    except OSError:  # the working directory was deleted
        return ()
    before = None
    while folder != before:
        if found := tuple(_choices_in(folder)):
            return found
        before, folder = folder, os.path.dirname(folder)
    return ()


def _choices_in(folder: str) -> Iterator[Choice]:
    for name, above in ((OWN_FILE, ()), ("pyproject.toml", ("tool", "tinytorch"))):
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            _check_regular(path)
            file = ConfigFile(path, *above)
            if (table := file.table()) is not None:
                yield _choice(file, table)


def _check_regular(path: str) -> None:
    """Raise ConfigError if a file of this name exists, but cannot be read as one."""
    if os.path.isfile(path):
        return
    if os.path.islink(path) and not os.path.exists(path):
        reason = f"is a link to {os.path.realpath(path)}, which does not exist"
        remedy = "Correct or remove the link"
    else:
        reason = f"is {'a directory' if os.path.isdir(path) else 'not a regular file'}"
        remedy = "Remove or rename it"
    raise ConfigError(f"{path} {reason}. {remedy}.")


def _choice(file: ConfigFile, table: Any) -> Choice:
    def check(value: Any, kind: type, *key: str) -> Any:
        if not isinstance(value, kind):
            name = ".".join((*file.above, *key))
            expected = "true or false" if kind is bool else "a table"
            raise ConfigError(f"{file.where(*key)}: {name} must be {expected}, not {value!r:.60}.")
        return value

    tables = dict(check(table, dict))
    autoload = check(tables.pop("autoload", True), bool, "autoload")
    plugins = check(tables.pop("plugins", {}), dict, "plugins")
    for name, on in plugins.items():
        check(on, bool, "plugins", name)
    for name, value in tables.items():
        if not isinstance(value, dict):
            raise ConfigError(
                f"{file.where(name)}: unknown key {name!r}. "
                f"{did_you_mean(name, ['autoload', 'plugins'])} "
                "Put a plugin's settings into a table with its name."
            )
    return Choice(file, plugins, None if autoload else False, tables)
