"""Checks of `tinytorch doctor` on distributions: versions, names, editable installs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from tinytorch_core.cli.report import Finding, Report
from tinytorch_core.discovery import (
    ATTRIBUTES,
    COMMANDS,
    PLUGINS,
    EntryPoint,
    entry_points,
    entry_points_in,
    normalised,
)

# -P and --isolated: neither a file in the working directory nor pip's settings change the result.
PIP_CHECK = (sys.executable, "-P", "-m", "pip", "--isolated", "check")


def check_versions() -> Report:
    """Report what `pip check` says about the core and the distributions of plugins."""
    done = subprocess.run(PIP_CHECK, capture_output=True, text=True)
    if not done.stdout:
        return Report(f"not checked, because pip failed: {done.stderr.strip()[-200:]}", [])
    names = {normalised(point.distribution) for point in _distributions()}
    # Environments often contain other conflicts, which do not concern TinyTorch.
    lines = [
        line
        for line in done.stdout.splitlines()
        if not names.isdisjoint(map(normalised, re.findall(r"\w[\w.-]*", line)))
    ]
    return Report("`pip check` reports nothing about TinyTorch", [_conflict(x) for x in lines])


def _conflict(line: str) -> Finding:
    return Finding(
        line.rstrip("."),
        "it was tested with other versions: it may fail or give wrong results",
        f"install versions that fit: pip install -U {line.split()[0]}",
    )


def _distributions() -> list[EntryPoint]:
    """Return one entry point of the core and of each distribution of plugins or commands."""
    core = [p for p in entry_points("console_scripts") if p.value == "tinytorch_core.cli:main"]
    points = [*core, *entry_points(PLUGINS), *entry_points(COMMANDS)]
    return list({point.folder: point for point in points}.values())


def check_names() -> Report:
    """Find plugins and commands that several distributions provide under one name."""
    groups: dict[tuple[str, str], list[EntryPoint]] = {}
    for kind, group in (("plugin", PLUGINS), ("command", COMMANDS)):
        for point in entry_points(group):
            groups.setdefault((kind, point.name), []).append(point)
    findings = [_duplicate(*key, points) for key, points in groups.items() if len(points) > 1]
    return Report("each plugin and command comes from one distribution", findings)


def _duplicate(kind: str, name: str, points: list[EntryPoint]) -> Finding:
    origins = " and ".join(f"{point.distribution} {point.version}" for point in points)
    return Finding(
        f"{origins} provide the same {kind} {name!r}",
        "none of them can be used, because the name does not identify one",
        f"uninstall all but one: pip uninstall {points[-1].distribution}",
    )


def check_editable() -> Report:
    """Compare the metadata of editable installs with their sources."""
    sources = [(point, folder) for point in _distributions() if (folder := _source(point.folder))]
    findings = [finding for source in sources for finding in _outdated(*source)]
    return Report(", ".join(point.distribution for point, _ in sources) or "none", findings)


def _source(metadata: str) -> Path | None:
    """Return the source folder of an editable install, or None if it is not editable."""
    try:
        origin = json.loads(Path(metadata, "direct_url.json").read_text("utf-8"))
        if not origin.get("dir_info", {}).get("editable"):
            return None
        return Path(url2pathname(urlparse(origin["url"]).path))
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        return None


def _outdated(point: EntryPoint, folder: Path) -> Iterator[Finding]:
    name = point.distribution
    again = f"install it again: pip install -e {folder}"
    if not folder.is_dir():
        yield Finding(
            f"{name} is installed from {folder}, which does not exist",
            "Python lists the distribution but cannot import it",
            f"uninstall it: pip uninstall {name}",
        )
        return
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return
    version = _source_version(project, folder)
    if version is not None and version != point.version:
        yield Finding(
            f"{name} is installed as version {point.version}, but its source has {version}",
            "pip and `tinytorch` see the old version",
            again,
        )
    for group in (PLUGINS, ATTRIBUTES, COMMANDS):
        table = _table(project, "project", "entry-points", group)
        source = {name: str(value).replace(" ", "") for name, value in table.items()}
        installed = {p.name: p.value for p in entry_points_in(point.folder, group)}
        if changed := sorted(dict(source.items() ^ installed.items())):
            yield Finding(
                f"the entry points of {name} have changed since it was installed: "
                f"{', '.join(changed)} in [{group}]",
                "plugins and commands are found by the entry points of the installation",
                again,
            )


def _source_version(project: Mapping[str, Any], folder: Path) -> str | None:
    """Return the version in pyproject.toml, or in the module that it names, without running it."""
    if (version := _table(project, "project").get("version")) is not None:
        return str(version)
    dynamic = _table(project, "tool", "setuptools", "dynamic", "version")
    module, _, name = str(dynamic.get("attr", "")).rpartition(".")
    path = folder.joinpath(*module.split("."))
    for file in (path / "__init__.py", path.with_suffix(".py")) if module else ():
        if file.is_file():
            assigned = rf"^{re.escape(name)}\s*=\s*['\"](.*?)['\"]"
            found = re.search(assigned, file.read_text("utf-8", "replace"), re.MULTILINE)
            return found[1] if found else None
    return None


def _table(table: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """Return the table below `keys`, or an empty one."""
    for key in keys:
        inner = table.get(key)
        table = inner if isinstance(inner, dict) else {}
    return table
