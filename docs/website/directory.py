"""The directory of plugins, from docs/plugin-directory.toml."""

from __future__ import annotations

import tomllib
from typing import Any, NamedTuple

from docs.website.repository import ROOT, distributions

FILE = ROOT / "docs" / "plugin-directory.toml"

INTRODUCTION = """\
# Plugins

Install a plugin with pip, and it is on. `tinytorch plugins` lists what is installed, and
[a line of configuration](../plugins.md) turns a plugin off.

To list a plugin here, add a table to `docs/plugin-directory.toml` in a pull request.
[Publish an op in ten minutes](../publish-an-op.md) explains how to write one.
"""


class Entry(NamedTuple):
    """A plugin in the directory."""

    name: str
    distribution: str
    install: str
    summary: str
    adds: list[str]
    url: str = ""


def entries() -> list[Entry]:
    """Return the entries of the file.

    Raises:
        TypeError: an entry lacks a key, or has one that is unknown.
    """
    return [Entry(**table) for table in tomllib.loads(FILE.read_text("utf-8"))["plugin"]]


def markdown() -> str:
    """Return the page."""
    own = {distribution.name: distribution for distribution in distributions()}
    groups: dict[str, list[Entry]] = {
        "Plugins of TinyTorch": [],
        "Example plugins": [],
        "Plugins by others": [],
    }
    titles = list(groups)
    for entry in entries():
        found = own.get(entry.distribution)
        groups[titles[2 if found is None else int(found.is_example)]].append(entry)
    parts = [INTRODUCTION]
    for title, group in groups.items():
        if group:
            parts.append(f"## {title}")
            parts += [_section(entry, own.get(entry.distribution)) for entry in group]
    return "\n\n".join(parts) + "\n"


def _section(entry: Entry, own: Any) -> str:
    links = [f"[Documentation]({entry.url})"] if entry.url else []
    if own is not None:
        links.append(f"[README](../{own.readme})")
        if own.reference:
            links.append(f"[Reference](../{own.reference})")
    added = "\n".join(f"- {line}" for line in entry.adds)
    return (
        f"### {entry.name}\n\n{entry.summary}\n\n"
        f"```console\n$ {entry.install}\n```\n\n{added}\n\n{' · '.join(links)}"
    )
