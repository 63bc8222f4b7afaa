"""Whether the installed distributions fit together: versions, names, and editable installs."""

from __future__ import annotations

import ast
import json
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from packaging.requirements import InvalidRequirement, Requirement

from tinytorch_core.cli.report import Finding, Report
from tinytorch_core.discovery import ATTRIBUTES, PLUGINS, EntryPoint, installed

CORE = "tinytorch-core"


def check_versions() -> Report:
    """Compares what each distribution with a plugin requires with what is installed."""
    findings = [finding for found in _distributions() for finding in _unmet(found)]
    return Report("all that is required is there", findings)


def _distributions() -> list[Distribution]:
    """The core's distribution and those that bring plugins, as far as they are found."""
    names = dict.fromkeys([CORE, *(point.distribution for point in installed())])
    return [found for name in names if (found := _distribution(name)) is not None]


def _distribution(name: str) -> Distribution | None:
    """The installed distribution of a name; what lies in the working directory is not installed."""
    here = os.path.realpath(os.curdir)
    folders = [folder for folder in sys.path if folder and os.path.realpath(folder) != here]
    return next(iter(Distribution.discover(name=name, path=folders)), None)


def _unmet(found: Distribution) -> Iterator[Finding]:
    for text in found.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        other = _distribution(requirement.name)
        there = other.version if other else None
        if there is None or not requirement.specifier.contains(there, prereleases=True):
            yield Finding(
                f"{found.name} {found.version} requires {requirement.name}"
                f"{requirement.specifier}, and {there or 'none'} is installed",
                "it was made for and tested with other versions: it may fail, or compute otherwise",
                f'install versions that fit: pip install -U {found.name} "{requirement}"',
            )


def check_names() -> Report:
    """Looks for plugins that several distributions bring under one name."""
    groups: dict[str, list[EntryPoint]] = {}
    for point in installed():
        groups.setdefault(point.name, []).append(point)
    findings = [_twins(name, points) for name, points in groups.items() if len(points) > 1]
    return Report("every plugin comes from one distribution", findings)


def _twins(name: str, points: list[EntryPoint]) -> Finding:
    titles = " and ".join(f"{point.distribution} {point.version}" for point in points)
    return Finding(
        f"{titles} bring a plugin of one name, {name!r}",
        "a name says which plugin is meant, so neither of them can be used",
        f"uninstall all but one: pip uninstall {points[-1].distribution}",
    )


def check_editable() -> Report:
    """Compares the metadata of editable installs with the sources they stand for."""
    sources = [(found, folder) for found in _distributions() if (folder := _source(found))]
    findings = [finding for found, folder in sources for finding in _stale(found, folder)]
    names = ", ".join(found.name for found, _ in sources)
    return Report(names or "none", findings)


def _source(found: Distribution) -> Path | None:
    """The folder that an editable install stands for."""
    try:
        origin = json.loads(found.read_text("direct_url.json") or "{}")
        if not origin.get("dir_info", {}).get("editable"):
            return None
        return Path(url2pathname(urlparse(origin["url"]).path))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _stale(found: Distribution, folder: Path) -> Iterator[Finding]:
    again = f"install it again: pip install -e {folder}"
    if not folder.is_dir():
        yield Finding(
            f"{found.name} is installed from {folder}, which is gone",
            "Python still lists it, and cannot import it",
            f"uninstall it: pip uninstall {found.name}",
        )
        return
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return
    version = _source_version(project, folder)
    if version is not None and version != found.version:
        yield Finding(
            f"{found.name} is installed as {found.version}, and its source says {version}",
            "what compares versions, pip and this program included, sees the old one",
            again,
        )
    for group in (PLUGINS, ATTRIBUTES):
        now, then = _source_points(project, group), _installed_points(found, group)
        if now != then:
            changed = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
            yield Finding(
                f"the entry points of {found.name} have changed since it was installed: "
                f"{', '.join(changed)} in [{group}]",
                "plugins are found by the entry points that were there then",
                again,
            )


def _source_points(project: Mapping[str, Any], group: str) -> dict[str, str]:
    points = _table(project, "project", "entry-points", group)
    return {name: str(value).replace(" ", "") for name, value in points.items()}


def _installed_points(found: Distribution, group: str) -> dict[str, str]:
    points = found.entry_points.select(group=group)
    return {point.name: point.value.replace(" ", "") for point in points}


def _source_version(project: Mapping[str, Any], folder: Path) -> str | None:
    """The version that stands in the project, or in the module that it takes it from."""
    if (version := _table(project, "project").get("version")) is not None:
        return str(version)
    dynamic = _table(project, "tool", "setuptools", "dynamic", "version")
    module, _, name = str(dynamic.get("attr", "")).rpartition(".")
    path = folder.joinpath(*module.split("."))
    for file in (path / "__init__.py", path.with_suffix(".py")) if module else ():
        if file.is_file():
            return _assigned(file, name)
    return None


def _table(table: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """The table to which the keys lead, empty where there is none."""
    for key in keys:
        inner = table.get(key)
        table = inner if isinstance(inner, dict) else {}
    return table


def _assigned(file: Path, name: str) -> str | None:
    """The text that a module assigns to a name. The module is not run for it."""
    try:
        nodes = ast.parse(file.read_text("utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return None
    assigned = {
        target.id: str(node.value.value)
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return assigned.get(name)
