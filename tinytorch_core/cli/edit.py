"""Change a configuration file and keep its comments and layout."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.items import InlineTable

from tinytorch_core.errors import ConfigError


def switched(path: str, text: str, above: tuple[str, ...], plugins: Mapping[str, bool]) -> str:
    """Return the text of a configuration file with some plugins enabled or disabled.

    Args:
        path: the file, for messages.
        text: its present text.
        above: the keys above the table for TinyTorch.
        plugins: on or off, by plugin.

    Raises:
        ConfigError: the change would affect other parts of the file.
    """
    document = tomlkit.parse(text)
    _set(document, above, plugins)
    changed = _newlines_as_in(text, tomlkit.dumps(document))
    wanted = copy.deepcopy(tomllib.loads(text))
    _set(wanted, above, plugins)
    if tomllib.loads(changed) != wanted:
        lines = " ".join(f"{name} = {str(on).lower()}" for name, on in plugins.items())
        table = ".".join((*above, "plugins"))
        raise ConfigError(
            f"{path} cannot be changed safely. Add these lines below [{table}]: {lines}"
        )
    return changed


def _set(table: Any, above: tuple[str, ...], plugins: Mapping[str, bool]) -> None:
    for key in above:
        table = table[key]
    if "plugins" not in table:
        # An inline table can contain only inline tables.
        inline = isinstance(table, InlineTable)
        table["plugins"] = tomlkit.inline_table() if inline else tomlkit.table()
    for name, on in plugins.items():
        table["plugins"][name] = on


def _newlines_as_in(text: str, changed: str) -> str:
    if "\r\n" not in text:
        return changed
    return changed.replace("\r\n", "\n").replace("\n", "\r\n")
