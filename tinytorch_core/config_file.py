"""Read one configuration file and find the lines of its keys."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from tinytorch_core.errors import ConfigError


class ConfigFile:
    """A TOML file that may contain a table for TinyTorch.

    Args:
        path: the file.
        above: the keys above the table; `tinytorch.toml` has none.
        text: the content; by default it is read from the file.

    Raises:
        ConfigError: the file cannot be read.
    """

    def __init__(self, path: str, *above: str, text: str | None = None) -> None:
        self.path = path
        self.above = above
        self.text = _read(path) if text is None else text

    def table(self) -> Any:
        """Return TinyTorch's table, or None if the file has none.

        Raises:
            ConfigError: the file is not valid TOML.
        """
        if not all(key in self.text for key in self.above):
            return None
        import tomllib  # here: it takes 3 ms, and most programs have no such file

        try:
            table: Any = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            at = re.search(r"at line (\d+)", str(error))
            line = at[1] if at else len(self.text.splitlines())
            message = f"{self.path}:{line} is not valid TOML: {error}. Correct the file."
            raise ConfigError(message) from error
        for key in self.above:
            table = table.get(key) if isinstance(table, dict) else None
        return table

    def where(self, *key: str) -> str:
        """Return `file:line` of a key of the table."""
        line = self._lines.get((*self.above, *key))
        return self.path if line is None else f"{self.path}:{line}"

    @functools.cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        return lines_of_keys(self.text)


def _read(path: str) -> str:
    try:
        # Bytes that are not UTF-8 may occur in the comments of other tools; they are kept.
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return stream.read()
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}. Check its permissions."
        raise ConfigError(message) from error


def lines_of_keys(text: str) -> dict[tuple[str, ...], int]:
    r"""Return the line, counted from 1, on which each key and table of a TOML text begins.

    tomllib does not report lines. But a statement ends with the first line that makes it valid
    TOML, so parsing line by line separates statements, whatever strings and arrays they contain.

    >>> lines_of_keys("autoload = true\n[plugins]\nlosses = false")
    {('autoload',): 1, ('plugins',): 2, ('plugins', 'losses'): 3}
    """
    import tomllib

    found: dict[tuple[str, ...], int] = {}
    header: tuple[str, ...] = ()
    statement, begin = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        statement += f"{line}\n"
        try:
            table = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        is_header = statement.lstrip().startswith("[")
        for path in _paths(table, () if is_header else header):
            found.setdefault(path, begin)
            header = path if is_header else header
        statement, begin = "", number + 1
    return found


def _paths(table: dict[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the path of each key in a table, outer keys first."""
    for key, value in table.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _paths(value, (*above, key))
