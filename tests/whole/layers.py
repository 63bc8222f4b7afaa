"""The layers of the packages, as docs/architecture.md lists them, and the modules themselves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = {
    file.parent.name: file.parent
    for pattern in ("", "plugins/*/", "examples/plugins/*/")
    for file in sorted(ROOT.glob(f"{pattern}tinytorch_*/__init__.py"))
}


def lines(block: str) -> list[list[str]]:
    """Return the names in a fenced block of the page, by line.

    An indented line continues the line before it.
    """
    text = PAGE.read_text("utf-8")
    (found,) = re.findall(rf"```layers {block}\n(.*?)```", text, flags=re.DOTALL)
    return [line.split() for line in found.replace("\n  ", " ").splitlines()]


def layers(package: str) -> list[list[str]]:
    """Return the full names of the modules in each layer of a package, the lowest layer first."""
    return [
        [package if name == "__init__" else f"{package}.{name}" for name in line]
        for line in lines(package)
    ]


def modules(package: str) -> dict[str, Path]:
    """Return the files of a package by the full names of their modules."""
    folder = PACKAGES[package]
    named = {file.relative_to(folder.parent).with_suffix(""): file for file in folder.rglob("*.py")}
    return {".".join(path.parts).removesuffix(".__init__"): file for path, file in named.items()}


MODULES = {name for package in PACKAGES for name in modules(package)}


def imports(file: Path) -> Iterator[str]:
    """Yield the full names of the modules that a file imports, at the top or in functions."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{file} has a relative import"
            for name in node.names:
                submodule = f"{node.module}.{name.name}"
                yield submodule if submodule in MODULES else node.module
