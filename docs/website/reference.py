"""The pages of the reference: every public name, with its docstring.

The names are read from the source, because some packages cannot be imported without others: those
in `__all__`, and of a public module without `__all__` its public functions and classes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from docs.website.repository import Distribution, distributions

# Public modules that are not in `__all__` of their packages, because they need an import.
FURTHER = {"tinytorch_core": ("extend",)}
# Names with a page of their own.
ELSEWHERE = {"tinytorch_core.Tensor": "tinytorch_core.Tensor.md"}
KINDS = ("Constants", "Classes", "Functions", "Exceptions and warnings", "Modules")


class Name(NamedTuple):
    """A public name of a module."""

    name: str
    kind: str
    # The package that defines it, and its full name there.
    package: str
    path: str


class Module(NamedTuple):
    """A public module, with its public names."""

    path: str
    summary: str
    names: tuple[Name, ...]

    @property
    def page(self) -> str:
        """The page of the site with its names."""
        return f"reference/{self.path}.md"


def file_of(distribution: Distribution, path: str) -> Path | None:
    """Return the file of a module of a distribution, if it is one."""
    base = distribution.folder.joinpath(*path.split("."))
    return next((f for f in (base / "__init__.py", base.with_suffix(".py")) if f.exists()), None)


def modules() -> Iterator[Module]:
    """Yield every public module, a package before the modules in it."""
    for distribution in distributions():
        if distribution.reference is not None:
            yield from _modules(distribution, distribution.package)


def _modules(distribution: Distribution, path: str) -> Iterator[Module]:
    file = file_of(distribution, path)
    assert file is not None
    tree = ast.parse(file.read_text("utf-8"))
    names = tuple(_names(distribution, path, tree))
    yield Module(path, _summary(tree), names)
    within = [name.name for name in names if name.kind == "Modules"]
    for name in sorted({*within, *FURTHER.get(path, ())}):
        yield from _modules(distribution, f"{path}.{name}")


def _summary(tree: ast.Module) -> str:
    return (ast.get_docstring(tree) or "").partition("\n\n")[0].replace("\n", " ")


def _names(distribution: Distribution, path: str, tree: ast.Module) -> Iterator[Name]:
    origins = {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for name in sorted(_public(tree), key=str.lower):
        module, original = origins.get(name, (path, name))
        package = module.partition(".")[0]
        full = f"{path}.{name}"
        if package != distribution.package:
            yield Name(name, _kind(name), package, f"{package}.{original}")
        else:
            is_module = file_of(distribution, full) is not None and module in {path, full}
            yield Name(name, "Modules" if is_module else _kind(name), package, full)


def _public(tree: ast.Module) -> Iterator[str]:
    defined = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            yield from ast.literal_eval(node.value)
            return
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            defined.append(node.name)
    yield from defined


def _kind(name: str) -> str:
    if name.endswith(("Error", "Warning")):
        return "Exceptions and warnings"
    if name.isupper() and "_" in name:
        return "Constants"
    return "Classes" if name[0].isupper() else "Functions"


def markdown(module: Module) -> str:
    """Return the page of a module."""
    parts = [f"# {module.path}", module.summary]
    for kind in KINDS:
        names = [name for name in module.names if name.kind == kind]
        if names:
            parts += [f"## {kind}", *(_entry(module, name) for name in names)]
    return "\n\n".join(parts) + "\n"


def _entry(module: Module, name: Name) -> str:
    full = f"{module.path}.{name.name}"
    if full in ELSEWHERE:
        return f"### {name.name}\n\nSee [{name.name}]({ELSEWHERE[full]})."
    if name.kind == "Modules":
        return f"### {name.name} {{ #{full} }}\n\nSee [{full}]({full}.md)."
    if not name.path.startswith(f"{module.path}."):
        return f"### {name.name} {{ #{full} }}\n\nThe same object as [`{name.path}`][]."
    return f"::: {full}"
