"""Read one configuration file and find the lines of its keys."""

from __future__ import annotations

import functools
import re
from typing import Any

from tinytorch_core.errors import ConfigError


class ConfigFile:
    """A TOML file that may contain a table for TinyTorch.

    Args:
        path: the file.
        above: the keys above the table; `tinytorch.toml` has none.

    Raises:
        ConfigError: the file cannot be read.
    """

    def __init__(self, path: str, *above: str) -> None:
        self.path = path
        self.above = above
        self._bytes = _read(path)

    def mentions(self, word: str) -> bool:
        """Return whether the word occurs in the file; if not, parsing can be skipped."""
        return word.encode() in self._bytes

    def table(self) -> Any:
        """Return TinyTorch's table, or None if the file has none.

        Raises:
            ConfigError: the file is not valid TOML.
        """
        import tomllib  # here: it takes 3 ms, and most programs have no such file

        try:
            table: Any = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            at = re.search(r"at line (\d+)", str(error))
            line = int(at[1]) if at else len(self.text.splitlines())
            raise self._not_toml(line, error) from error
        for key in self.above:
            table = table.get(key) if isinstance(table, dict) else None
        return table

    @property
    def text(self) -> str:
        """The text of the file.

        Raises:
            ConfigError: the file is not UTF-8.
        """
        try:
            return self._bytes.decode("utf-8")
        except UnicodeDecodeError as error:
            line = self._bytes.count(b"\n", 0, error.start) + 1
            raise self._not_toml(line, error) from error

    def where(self, *key: str) -> str:
        """Return `file:line` of a key of the table."""
        line = self._lines.get((*self.above, *key))
        return self.path if line is None else f"{self.path}:{line}"

    @functools.cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        return lines_of_keys(self.text)

    def _not_toml(self, line: int, error: ValueError) -> ConfigError:
        return ConfigError(f"{self.path}:{line} is not valid TOML: {error}. Correct the file.")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
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
            paths = _paths(tomllib.loads(statement))
        except tomllib.TOMLDecodeError:
            continue
        is_header = statement.lstrip().startswith("[")
        for path in paths:
            found.setdefault(path if is_header else header + path, begin)
        header = paths[-1] if is_header else header
        statement, begin = "", number + 1
    return found


def _paths(table: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the path of each key in a table, outer keys first."""
    paths: list[tuple[str, ...]] = []
    for key, value in table.items():
        inner = _paths(value) if isinstance(value, dict) else []
        paths += [(key,), *((key, *path) for path in inner)]
    return paths
