"""The repository: its packages, and where the site shows files outside docs/."""

from __future__ import annotations

import functools
import posixpath
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

# The pages of the section "Project", from files in the root of the repository.
PROJECT = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CODE_OF_CONDUCT.md": "project/code-of-conduct.md",
    "LICENSE": "project/licence.md",
}
LINK = re.compile(r"(?<=\]\()([^)\s:#]+)(?=[#)])")


class Distribution(NamedTuple):
    """A distribution of this repository."""

    name: str
    summary: str
    folder: Path
    entry_points: dict[str, dict[str, str]]

    @property
    def package(self) -> str:
        """The name to import."""
        return self.name.replace("-", "_")

    @property
    def is_example(self) -> bool:
        """Whether it is an example of a third-party plugin."""
        return self.folder.parent.parent.name == "examples"

    @property
    def readme(self) -> str:
        """The page of the site that shows its README."""
        return f"packages/{self.name}.md"

    @property
    def reference(self) -> str | None:
        """The page of the site with its public names, or None if it is a single module."""
        is_package = (self.folder / self.package / "__init__.py").exists()
        return f"reference/{self.package}.md" if is_package else None


def distributions() -> Iterator[Distribution]:
    """Yield the distributions: the core, then plugins and example plugins, by name."""
    for pattern in ("", "plugins/*/", "examples/plugins/*/"):
        for file in sorted(ROOT.glob(f"{pattern}pyproject.toml")):
            project = tomllib.loads(file.read_text("utf-8"))["project"]
            entry_points = project.get("entry-points", {})
            yield Distribution(project["name"], project["description"], file.parent, entry_points)


@functools.cache
def pages() -> dict[str, str]:
    """Return the page of the site for files and folders of the repository, by their paths."""
    found = {
        "README.md": "index.md",
        "docs/README.md": "index.md",
        "docs/plugin-directory.toml": "directory/index.md",
        "examples": "gallery/index.md",
        "examples/plugins": "directory/index.md",
        **PROJECT,
    }
    for distribution in distributions():
        folder = distribution.folder.relative_to(ROOT).as_posix()
        if folder != ".":
            found[folder] = found[f"{folder}/README.md"] = distribution.readme
    for file in ROOT.glob("examples/*.py"):
        found[f"examples/{file.name}"] = f"gallery/{file.stem}.md"
    for file in ROOT.glob("docs/learn/*.py"):
        found[f"docs/learn/{file.name}"] = f"learn/{file.stem}.md"
    return found


def relink(text: str, source: str, page: str) -> str:
    """Return Markdown whose relative links lead to pages of the site.

    Args:
        text: the Markdown.
        source: the path of its file in the repository, to which its links are relative.
        page: the page of the site that shows it.
    """
    known = pages()

    def target(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[1]))
        shown = known.get(path, path.removeprefix("docs/") if path.startswith("docs/") else None)
        return match[1] if shown is None else posixpath.relpath(shown, posixpath.dirname(page))

    return LINK.sub(target, text)
