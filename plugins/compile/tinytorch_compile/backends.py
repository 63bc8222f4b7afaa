"""The backends: what becomes of a program after it was simplified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tinytorch_compile.passes.grouping import grouped
from tinytorch_compile.program import Program
from tinytorch_compile.source import Placed


@dataclass(frozen=True)
class Backend:
    """How a program runs.

    Attributes:
        change: takes a simplified program; returns it with blocks of calls in place of those that
            the backend compiles, and lines for `explain()`.
        link: takes these blocks; returns their functions by name, and lines for `explain()`.
    """

    change: Callable[[Program], tuple[Program, list[str]]]
    link: Callable[[Sequence[Placed]], tuple[dict[str, Any], list[str]]]


def _numpy() -> Backend:
    return Backend(lambda program: (grouped(program), []), lambda blocks: ({}, []))


def _native() -> Backend:
    from tinytorch_compile.native.backend import change, check, link

    check()
    return Backend(change, link)


_BACKENDS: dict[str, Callable[[], Backend]] = {"numpy": _numpy, "native": _native}


def backend_of(name: str) -> Backend:
    """Return the backend of a name.

    Raises:
        ValueError: the name is unknown.
        ImportError: the backend needs a package that is not installed.
    """
    if name not in _BACKENDS:
        raise ValueError(f"compile() has no backend {name!r}; choose one of {(*_BACKENDS,)}")
    return _BACKENDS[name]()
