"""Packages whose names are imported on first use, so that programs start faster."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(
    package: str, names: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package whose names are imported on first use.

    Type checkers need the same imports below `if TYPE_CHECKING`.

    Args:
        package: the name of the package, `__name__`.
        names: for each module of the package the names to import from it, separated by spaces; a
            name that equals the module's stands for the module itself.

    >>> __getattr__, __dir__ = lazy_names("json", {"decoder": "JSONDecoder decoder"})
    >>> __getattr__("JSONDecoder"), __dir__()[:2]
    (<class 'json.decoder.JSONDecoder'>, ['JSONDecodeError', 'JSONDecoder'])
    """
    modules = {name: module for module, found in names.items() for name in found.split()}

    def __getattr__(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(f"{package}.{modules[name]}")
        value = module if name == modules[name] else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return __getattr__, __dir__
