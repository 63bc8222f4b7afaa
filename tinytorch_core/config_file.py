"""Read one configuration file and find the lines of its keys."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from tinytorch_core.errors import ConfigError

# The parts of a TOML file that matter for finding where a statement ends. Each match is possessive,
# so the time is linear, also for a string that is never closed.
_TOKEN = (
    r'''"""(?:[^"\\]|\\.|"(?!""))*+(?:"{3,5})?'''
    r"""|'''(?:[^']|'(?!''))*+(?:'{3,5})?"""
    r"""|"(?:[^"\\\n]|\\[^\n])*+"?|'[^'\n]*+'?|#[^\n]*+|[\[\]{}\n.]"""
)
_MAX_DEPTH = 100


class ConfigFile:
    """A TOML file that may contain a table for TinyTorch.

    Args:
        path: the file.
        above: the keys above the table; `tinytorch.toml` has none.
        text: the content; by default it is read from the file.

    Attributes:
        text: the content, without the byte order mark.
        bom: the byte order mark if the file begins with one, or an empty string.

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
        self.text = text.removeprefix("\ufeff")
        self.bom = text[: len(text) - len(self.text)]

    def __str__(self) -> str:
        return self.path

    def table(self) -> Any:
        """Return TinyTorch's table, or None; ConfigError if the file is not valid TOML."""
        if self.text.startswith(("\udcff\udcfe", "\udcfe\udcff")):
            raise ConfigError(f"{self.path} is encoded as UTF-16. Save it as UTF-8.")
        if not all(key in self.text for key in self.above):
            return None
        import tomllib  # here: it takes 3 ms, and most programs have no such file

        # The time of tomllib is quadratic in the depth of a key.
        if len(self.text) > 10_000:
            self._check_depth()
        try:
            table = _below(tomllib.loads(self.text), self.above)
            shown = repr(table)
        except tomllib.TOMLDecodeError as error:
            at = re.search(r"at line (\d+)", str(error))
            line = at[1] if at else len(self.text.splitlines())
            message = f"{self.path}:{line} is not valid TOML: {error}. Correct the file."
            raise ConfigError(message) from error
        except RecursionError as error:
            raise ConfigError(f"{self.path} is nested too deeply. Correct the file.") from error
        except ValueError as error:  # Python converts at most 4,300 digits
            message = f"{self.path} contains a number with too many digits. Correct the file."
            raise ConfigError(message) from error
        if wrong := re.search(r"(?<!\\)\\udc[89a-f][0-9a-f]", shown):
            line = self.text.count("\n", 0, self.text.find(chr(int(wrong[0][2:], 16)))) + 1
            raise ConfigError(f"{self.path}:{line} is not UTF-8. Save the file as UTF-8.")
        return table

    def where(self, *key: str) -> str:
        r"""Return `file:line` of a key of the table.

        >>> ConfigFile("a.toml", text="autoload = true\n[plugins]\nlosses = false").where("plugins")
        'a.toml:2'
        """
        line = self._lines.get((*self.above, *key))
        return f"{self.path}:{line}" if line else self.path

    @functools.cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        """The line of each key; tomllib does not report lines, so it parses each statement."""
        import tomllib

        found: dict[tuple[str, ...], int] = {}
        header: tuple[str, ...] = ()
        for line, statement in self._statements():
            paths = list(_paths(tomllib.loads(statement), _MAX_DEPTH))
            above = () if statement.startswith("[") else header
            for path in paths:
                found.setdefault((*above, *path), line)
            if statement.startswith("["):
                header = paths[-1]
        return found

    def _statements(self) -> Iterator[tuple[int, str]]:
        """Yield the line and the text of each statement: a header, or a key with its value."""
        begin, line, depth, lines = 0, 1, 0, 1
        for token in _tokens(self.text):
            depth += (token[0] in "[{") - (token[0] in "]}")
            lines += token[0].count("\n")
            if token[0] == "\n" and depth == 0:
                if statement := self.text[begin : token.start()].strip():
                    yield line, statement
                begin, line = token.end(), lines
        if statement := self.text[begin:].strip():
            yield line, statement

    def _check_depth(self) -> None:
        """Raise ConfigError if a key or value has more than `_MAX_DEPTH` levels."""
        dots = depth = 0
        line = 1
        for token in _tokens(self.text):
            dots = 0 if token[0] == "\n" else dots + (token[0] == ".")
            depth += (token[0] in "[{") - (token[0] in "]}")
            if max(dots, depth) > _MAX_DEPTH:
                raise ConfigError(f"{self.path}:{line} is nested too deeply. Correct the file.")
            line += token[0].count("\n")


def _below(table: Any, keys: tuple[str, ...]) -> Any:
    """Return the value below these keys, or None."""
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _paths(table: Any, depth: int) -> Iterator[tuple[str, ...]]:
    """Yield the path of each key in a table, down to a depth; arrays of tables are skipped."""
    if depth > 0 and isinstance(table, dict):
        for key, value in table.items():
            yield (key,)
            for path in _paths(value, depth - 1):
                yield (key, *path)


def _tokens(text: str) -> Iterator[re.Match[str]]:
    # Compiled here, because most programs do not need it, and it takes 0.6 ms.
    return re.compile(_TOKEN, re.DOTALL).finditer(text)
