"""Find installed plugins and commands without importing them.

`importlib.metadata` gives the same answer, but importing it takes about 30 ms, three times what
this package may add to `import numpy`. So this module reads the metadata files itself: plain text
in a documented format (PyPA, "Entry points specification").
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import re
import sys
from collections.abc import Iterator, Sequence
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
        return _name_and_version(self.folder)[0]

    @property
    def version(self) -> str:
        """The distribution's version."""
        return _name_and_version(self.folder)[1]


def installed(path: Sequence[str] | None = None) -> list[EntryPoint]:
    """Return the entry points of all plugins on `path`, as `entry_points` does."""
    return entry_points(PLUGINS, path)


def entry_points(group: str, path: Sequence[str] | None = None) -> list[EntryPoint]:
    """Return the entry points of a group on `path`, sorted by name and distribution.

    The working directory is skipped, because its files are not installed. If a distribution
    occurs twice, the first on the path counts, as for imports.

    Args:
        group: the name of the group.
        path: the folders to search; by default `sys.path`.
    """
    found: dict[str, list[tuple[str, str, EntryPoint]]] = {}
    here = os.path.realpath(os.curdir)
    for folder in sys.path if path is None else path:
        if folder and os.path.realpath(folder) != here:
            for stem, metadata in _metadata_folders(folder):
                distribution = normalised(stem.partition("-")[0])
                if distribution not in found:
                    points = entry_points_in(metadata, group)
                    found[distribution] = [(p.name, distribution, p) for p in points]
    return [point for *_, point in sorted(itertools.chain(*found.values()))]


def entry_points_in(metadata: str, group: str) -> list[EntryPoint]:
    """Return the entry points of a group in one metadata folder, in the order of the file."""
    text = _read(os.path.join(metadata, "entry_points.txt"))
    if f"[{group}]" not in text:
        return []
    attributes: dict[str, set[str]] = {}
    if group == PLUGINS and ATTRIBUTES in text:
        for attribute, plugin in _section(text, ATTRIBUTES):
            attributes.setdefault(plugin, set()).add(attribute)
    return [
        EntryPoint(key, metadata, value, frozenset(attributes.get(key, ())))
        for key, value in _section(text, group)
    ]


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
        first = bool(sys.path) and _is_here(sys.path[0])
        for finder in sys.meta_path:
            if finder is not self:
                folders = sys.path[first:] if finder is PathFinder else path
                if (spec := finder.find_spec(name, folders, target)) is not None:
                    return spec
        raise ModuleNotFoundError(f"No module named {name!r} is installed", name=name)


def _is_here(folder: str) -> bool:
    """Return whether a folder is the working directory, which `sys.path` may list as `""`."""
    try:
        return os.path.samefile(folder or os.curdir, os.curdir)
    except OSError:  # the path does not exist
        return False


def _metadata_folders(folder: str) -> list[tuple[str, str]]:
    """Return the metadata folders in a folder as pairs of `name-version` and path."""
    try:
        names = sorted(n for n in os.listdir(folder) if n.endswith((".dist-info", ".egg-info")))
    except OSError:  # a zip file, or the path does not exist
        return []
    return [(name.rpartition(".")[0], os.path.join(folder, name)) for name in names]


@functools.cache
def _name_and_version(metadata: str) -> tuple[str, str]:
    file = os.path.join(metadata, "PKG-INFO" if metadata.endswith(".egg-info") else "METADATA")
    # Name and version come first; a long description may follow.
    for size in (500, -1):
        lines = _read(file, size).partition("\n\n")[0].split("\n")
        if size > 0:
            lines.pop()  # the last line may be incomplete
        found = dict(line.split(":", 1) for line in lines if ":" in line)
        if "Name" in found and "Version" in found:
            break
    return found.get("Name", metadata).strip(), found.get("Version", "unknown").strip()


def _section(text: str, name: str) -> Iterator[tuple[str, str]]:
    section = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section == name and "=" in line and line[0] not in "#;":
            key, _, value = line.partition("=")
            yield key.strip(), "".join(value.partition("[")[0].split())


def _read(file: str, size: int = -1) -> str:
    try:
        # Reading unbuffered bytes takes half as long as reading text.
        with open(file, "rb", buffering=0) as stream:
            return stream.read(size).decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError:
        return ""


def normalised(name: str) -> str:
    """Return a distribution's name in the form in which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
