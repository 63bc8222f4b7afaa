"""Which plugins are installed, found without importing any of them.

The standard library's `importlib.metadata` gives the same answer; importing it costs about 30 ms,
three times what the whole of this package may add to `import numpy`. So the metadata files are
read here: they are plain text of a documented format (PyPA, "Entry points specification").
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

GROUP = "tinytorch"
# Names of attributes that a plugin gives to Tensor, each with the plugin's name: so a missing
# attribute can be explained although the plugin that would bring it has never been imported.
ATTRIBUTES = "tinytorch.attributes"


class EntryPoint(NamedTuple):
    """One line `name = module:attribute` in the metadata of an installed distribution."""

    name: str
    folder: str
    value: str
    attributes: frozenset[str] = frozenset()

    @property
    def distribution(self) -> str:
        """The distribution's name; read when it is asked for, as few of them are."""
        return _name_and_version(self.folder)[0]

    @property
    def version(self) -> str:
        """The distribution's version."""
        return _name_and_version(self.folder)[1]


def installed(path: Sequence[str] | None = None) -> list[EntryPoint]:
    """The plugins on `path`, by default `sys.path`, sorted by name and distribution.

    The working directory is left out: what lies there is no installation. Of a distribution that
    is there twice, the first on the path counts, as for imports.
    """
    found: dict[str, list[tuple[str, str, EntryPoint]]] = {}
    here = os.path.realpath(os.curdir)
    for folder in sys.path if path is None else path:
        if folder and os.path.realpath(folder) != here:
            for stem, metadata in _metadata_folders(folder):
                distribution = normalised(stem.partition("-")[0])
                if distribution not in found:
                    found[distribution] = [(p.name, distribution, p) for p in _plugins(metadata)]
    return [point for *_, point in sorted(itertools.chain(*found.values()))]


def import_installed(module: str) -> ModuleType:
    """Imports a module of an installed distribution.

    Python puts the folder of the program, or the working directory, first in `sys.path`. A file
    that lies there by chance, and has the name of a plugin's package, must not be run for it.
    """
    finder = _InstalledFinder(module.partition(".")[0])
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module(module)
    finally:
        sys.meta_path.remove(finder)


class _InstalledFinder:
    """Finds one package as Python would without the working directory."""

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
    """Whether the folder is the working directory, which `""` stands for in `sys.path`."""
    try:
        return os.path.samefile(folder or os.curdir, os.curdir)
    except OSError:  # a path that is not there
        return False


def _metadata_folders(folder: str) -> list[tuple[str, str]]:
    """The folders of metadata in a folder: name and version as one word, and the path."""
    try:
        names = sorted(n for n in os.listdir(folder) if n.endswith((".dist-info", ".egg-info")))
    except OSError:  # not a folder: a zip file, or a path that is not there
        return []
    return [(name.rpartition(".")[0], os.path.join(folder, name)) for name in names]


def _plugins(metadata: str) -> list[EntryPoint]:
    text = _read(os.path.join(metadata, "entry_points.txt"))
    if f"[{GROUP}]" not in text:
        return []
    brought: dict[str, set[str]] = {}
    for attribute, plugin in _group(text, ATTRIBUTES) if ATTRIBUTES in text else ():
        brought.setdefault(plugin, set()).add(attribute)
    return [
        EntryPoint(key, metadata, value, frozenset(brought.get(key, ())))
        for key, value in _group(text, GROUP)
    ]


@functools.cache
def _name_and_version(metadata: str) -> tuple[str, str]:
    file = os.path.join(metadata, "PKG-INFO" if metadata.endswith(".egg-info") else "METADATA")
    # Both stand at the beginning, before a description that may be long.
    for size in (500, -1):
        lines = _read(file, size).partition("\n\n")[0].split("\n")
        if size > 0:
            lines.pop()  # it may have been cut
        found = dict(line.split(":", 1) for line in lines if ":" in line)
        if "Name" in found and "Version" in found:
            break
    return found.get("Name", metadata).strip(), found.get("Version", "unknown").strip()


def _group(text: str, group: str) -> Iterator[tuple[str, str]]:
    section = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section == group and "=" in line and line[0] not in "#;":
            key, _, value = line.partition("=")
            yield key.strip(), "".join(value.partition("[")[0].split())


def _read(file: str, size: int = -1) -> str:
    try:
        # Unbuffered bytes, which are there in half the time of text.
        with open(file, "rb", buffering=0) as stream:
            return stream.read(size).decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError:
        return ""


def normalised(name: str) -> str:
    """A distribution's name as the index compares them (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
