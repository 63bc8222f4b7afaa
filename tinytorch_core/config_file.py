"""Read one configuration file and find the lines of its keys."""

from __future__ import annotations

import re
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
        try:
            if text is None:
                # Bytes that are not UTF-8 may occur in the comments of other tools; they are kept.
                with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
                    text = stream.read()
        except OSError as error:
            message = f"{path} cannot be read: {error.strerror}. Check its permissions."
            raise ConfigError(message) from error
        self.text = text

    def __str__(self) -> str:
        return self.path

    def table(self) -> Any:
        """Return TinyTorch's table, or None; ConfigError if the file is not valid TOML."""
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
        return _below(table, self.above)

    def where(self, *key: str) -> str:
        r"""Return `file:line` of a key of the table.

        tomllib does not report lines. But a statement ends with the first line that makes it
        valid TOML, so parsing line by line separates statements, whatever strings and arrays
        they contain.

        >>> ConfigFile("a.toml", text="autoload = true\n[plugins]\nlosses = false").where("plugins")
        'a.toml:2'
        """
        import tomllib

        header, statement, begin = "", "", 1
        for number, line in enumerate(self.text.split("\n"), 1):
            statement += f"{line}\n"
            is_header = statement.lstrip().startswith("[")
            try:
                table = tomllib.loads(statement if is_header else header + statement)
            except tomllib.TOMLDecodeError:
                continue
            if _below(table, (*self.above, *key)) is not None:
                return f"{self.path}:{begin}"
            header = statement if is_header else header
            statement, begin = "", number + 1
        return self.path


def _below(table: Any, keys: tuple[str, ...]) -> Any:
    """Return the value below these keys, or None."""
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table
