"""Which plugins are installed, found without importing any of them.

The standard library's `importlib.metadata` gives the same answer; importing it costs about 30 ms,
three times what the whole of this package may add to `import numpy`. So the metadata files are
read here: they are plain text of a documented format (PyPA, "Entry points specification").
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

GROUP = "tinytorch"


class EntryPoint(NamedTuple):
    """One line `name = module:attribute` in the metadata of an installed distribution."""

    name: str
    distribution: str
    version: str
    value: str


def installed(path: Sequence[str] | None = None) -> list[EntryPoint]:
    """The plugins on `path`, by default `sys.path`, sorted by name and distribution.

    The working directory is left out: what lies there is no installation. Of a distribution that
    is there twice, the first on the path counts, as for imports.
    """
    found: dict[str, list[EntryPoint]] = {}
    here = os.path.realpath(os.curdir)
    for folder in sys.path if path is None else path:
        if folder and os.path.realpath(folder) != here:
            for metadata in _metadata_folders(folder):
                stem = os.path.splitext(os.path.basename(metadata))[0]
                found.setdefault(_normalised(stem.partition("-")[0]), _plugins(metadata))
    return sorted(point for points in found.values() for point in points)


def _metadata_folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.name.endswith((".dist-info", ".egg-info")))
    except OSError:  # not a folder: a zip file, or a path that is not there
        return []
    return [os.path.join(folder, name) for name in names]


def _plugins(metadata: str) -> list[EntryPoint]:
    text = _read(os.path.join(metadata, "entry_points.txt"))
    if f"[{GROUP}]" not in text:
        return []
    name, version = _name_and_version(metadata)
    return [EntryPoint(key, name, version, value) for key, value in _group(text)]


def _name_and_version(metadata: str) -> tuple[str, str]:
    headers: dict[str, str] = {}
    for file in ("METADATA", "PKG-INFO"):
        for line in _read(os.path.join(metadata, file)).split("\n\n", 1)[0].splitlines():
            key, _, value = line.partition(":")
            headers.setdefault(key.strip().lower(), value.strip())
    return headers.get("name", metadata), headers.get("version", "unknown")


def _group(text: str) -> Iterator[tuple[str, str]]:
    section = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section == GROUP and "=" in line and line[0] not in "#;":
            key, _, value = line.partition("=")
            yield key.strip(), re.sub(r"\[.*\]\s*$|\s", "", value)


def _read(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def _normalised(name: str) -> str:
    """A distribution's name as the index compares them (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
