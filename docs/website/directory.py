"""The directory of plugins, from docs/plugin-directory.toml."""

from __future__ import annotations

import tomllib
from typing import NamedTuple

from docs.website.repository import ROOT, Distribution, distributions

FILE = ROOT / "docs" / "plugin-directory.toml"

INTRODUCTION = """\
# Plugins

Install a plugin with pip, and it is on. `tinytorch plugins` lists what is installed, and
[a line of configuration](../plugins.md) turns a plugin off.

To list a plugin here, add a table to `docs/plugin-directory.toml` in a pull request.
[Publish an op in ten minutes](../publish-an-op.md) explains how to write one.
"""


class Entry(NamedTuple):
    """A plugin in the directory.

    Attributes:
        name: its name in `tinytorch plugins`.
        distribution: the name to install it by.
        install: the command that installs it.
        summary: a sentence that says what it is for.
        adds: a line for each thing that it adds.
        url: its documentation elsewhere.
    """

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
    known = {distribution.name: distribution for distribution in distributions()}
    found = [(entry, known.get(entry.distribution)) for entry in entries()]
    groups: dict[str, list[tuple[Entry, Distribution | None]]] = {
        "Plugins of TinyTorch": [(e, d) for e, d in found if d and not d.is_example],
        "Example plugins": [(e, d) for e, d in found if d and d.is_example],
        "Plugins by others": [(e, d) for e, d in found if not d],
    }
    parts = [INTRODUCTION]
    for title, group in groups.items():
        if group:
            parts += [f"## {title}", *(_section(entry, own) for entry, own in group)]
    return "\n\n".join(parts) + "\n"


def _section(entry: Entry, distribution: Distribution | None) -> str:
    """Return what the page says about a plugin; the distribution is None if it is not ours."""
    links = [f"[Documentation]({entry.url})"] if entry.url else []
    if distribution is not None:
        links.append(f"[README](../{distribution.readme})")
        if distribution.reference:
            links.append(f"[Reference](../{distribution.reference})")
    added = "\n".join(f"- {line}" for line in entry.adds)
    return (
        f"### {entry.name}\n\n{entry.summary}\n\n"
        f"```console\n$ {entry.install}\n```\n\n{added}\n\n{' · '.join(links)}"
    )
