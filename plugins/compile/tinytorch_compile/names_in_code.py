"""The names that the code of a function uses."""

from __future__ import annotations

import dis
import functools
from collections.abc import Iterator
from types import CodeType

_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL")


@functools.lru_cache(maxsize=1024)
def globals_in(code: CodeType) -> tuple[str, ...]:
    """Return the global names that code uses, and those that the functions inside it use."""
    return tuple(dict.fromkeys(_arguments_of(code, _GLOBAL)))


@functools.lru_cache(maxsize=1024)
def imports_in(code: CodeType) -> tuple[str, ...]:
    """Return the modules that code imports when it runs."""
    return tuple(dict.fromkeys(_arguments_of(code, ("IMPORT_NAME",))))


@functools.lru_cache(maxsize=1024)
def names_in(code: CodeType) -> frozenset[str]:
    """Return the global names and the attributes that code and the functions inside it use."""
    return frozenset(name for part in _parts(code) for name in part.co_names)


def _arguments_of(code: CodeType, names: tuple[str, ...]) -> Iterator[str]:
    for part in _parts(code):
        yield from (i.argval for i in dis.get_instructions(part) if i.opname in names)


def _parts(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts(constant)
