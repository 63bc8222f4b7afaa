"""Find installed plugins and commands without importing them, and import only what is used.

`importlib.metadata` gives the same answer, but importing it takes about 30 ms. So this module reads
the metadata files itself: plain text in a documented format (PyPA, "Entry points specification").
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, NamedTuple

# The groups of entry points: plugins, and commands of `tinytorch`.
PLUGINS = "tinytorch"
COMMANDS = "tinytorch.commands"
# Attributes that a plugin adds to Tensor, each with the plugin's name. With it, the error for a
# missing attribute can name a plugin that has never been imported.
ATTRIBUTES = "tinytorch.attributes"


class EntryPoint(NamedTuple):
    """One line `name = module:attribute` in the metadata of an installed distribution."""

    name: str
    folder: str
    value: str
    attributes: frozenset[str] = frozenset()

    @property
    def distribution(self) -> str:
        """The distribution's name; read on request, because few callers need it."""
        return _header(self.folder, "Name") or self.folder

    @property
    def version(self) -> str:
        """The distribution's version."""
        return _header(self.folder, "Version") or "unknown"


def entry_points(
    group: str, path: Sequence[str] | None = None
) -> dict[str, tuple[EntryPoint, ...]]:
    """Return the entry points of a group on `path`, by name; those of one name by distribution.

    The working directory is skipped, because its files are not installed. If a distribution
    occurs twice, the first on the path counts, as for imports. The default path is `sys.path`.
    """
    found: dict[str, list[EntryPoint]] = {}
    for folder in sys.path if path is None else path:
        if folder and not _is_working_directory(folder):
            for metadata in _metadata_folders(folder):
                distribution = normalised(metadata.removesuffix(".egg-info").partition("-")[0])
                if distribution not in found:
                    found[distribution] = _entry_points_in(os.path.join(folder, metadata), group)
    groups: dict[str, tuple[EntryPoint, ...]] = {}
    for distribution in sorted(found):
        for point in found[distribution]:
            groups[point.name] = (*groups.get(point.name, ()), point)
    return dict(sorted(groups.items()))


def _is_working_directory(folder: str) -> bool:
    try:
        return os.path.samefile(folder or os.curdir, os.curdir)
    except OSError:  # one of them does not exist
        return False


def _metadata_folders(folder: str) -> list[str]:
    try:
        return sorted(n for n in os.listdir(folder) if n.endswith((".dist-info", ".egg-info")))
    except OSError:  # a zip file, or the path does not exist
        return []


def _entry_points_in(metadata: str, group: str) -> list[EntryPoint]:
    text = _read(os.path.join(metadata, "entry_points.txt"))
    if f"[{group}]" not in text:
        return []
    attributes = list(_section(text, ATTRIBUTES)) if group == PLUGINS else []
    return [
        EntryPoint(name, metadata, value, frozenset(a for a, owner in attributes if owner == name))
        for name, value in _section(text, group)
    ]


def _section(text: str, name: str) -> Iterator[tuple[str, str]]:
    section = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section == name and "=" in line and line[0] not in "#;":
            key, _, value = line.partition("=")
            yield key.strip(), "".join(value.partition("[")[0].split())


@functools.cache
def _header(metadata: str, name: str) -> str | None:
    file = "PKG-INFO" if metadata.endswith(".egg-info") else "METADATA"
    headers = _read(os.path.join(metadata, file)).partition("\n\n")[0]
    found = re.search(rf"^{name}:(.*)", headers, re.MULTILINE)
    return found and found[1].strip()


def _read(file: str) -> str:
    try:
        # Reading unbuffered bytes takes half as long as reading text.
        with open(file, "rb", buffering=0) as stream:
            return stream.read().decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError:
        return ""


def normalised(name: str) -> str:
    """Return a distribution's name in the form in which names are compared (PEP 503)."""
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def lazy_names(
    package: str, names: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package whose names are imported on first use.

    `names` has for each module of the package the names to import from it, separated by spaces; the
    name of the module itself stands for the module. Type checkers need the same imports below
    `if TYPE_CHECKING`.
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


def import_installed(module: str) -> ModuleType:
    """Import a module of an installed distribution, never a file of the working directory.

    Python puts the program's folder or the working directory first in `sys.path`. A file there
    that happens to have the name of a plugin's package must not run in its place.
    """
    finder = _InstalledFinder(module.partition(".")[0])
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module(module)
    finally:
        sys.meta_path.remove(finder)


class _InstalledFinder:
    """Finds one package as Python does, but not in the working directory."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != self.package:
            return None
        # Skip the first folder if it is the working directory, which may be listed as "".
        first = _is_working_directory(sys.path[0])
        for finder in sys.meta_path:
            if finder is not self:
                folders = sys.path[first:] if finder is PathFinder else path
                if (spec := finder.find_spec(name, folders, target)) is not None:
                    return spec
        raise ModuleNotFoundError(f"No module named {name!r} is installed", name=name)
