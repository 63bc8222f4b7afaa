"""Creating a plugin: check its name, and write its files from templates."""

from __future__ import annotations

import builtins
import datetime
import importlib.util
import json
import keyword
import re
import shutil
import string
import subprocess
from importlib import resources
from pathlib import Path

import tinytorch_core
from tinytorch_core import Tensor, TinyTorchError, plugins
from tinytorch_core.extend import well_known_provider

# The path of each template in the new plugin. The templates are data files of this package.
FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "LICENSE.txt": "LICENSE",
    "gitignore.txt": ".gitignore",
    "ci.yml.txt": ".github/workflows/ci.yml",
    "__init__.py.txt": "src/%{module}/__init__.py",
    "ops.py.txt": "src/%{module}/ops.py",
    "plugin.py.txt": "src/%{module}/plugin.py",
    "samples.py.txt": "src/%{module}/samples.py",
    "test_conformance.py.txt": "tests/test_conformance.py",
    "test_values.py.txt": "tests/test_values.py",
}

# Names that the templates themselves use.
_USED = {"np", "op", "ops", "rules", "samples", "x"}


class NewPluginError(TinyTorchError):
    """A plugin of this name cannot be created. Nothing was written."""


class _Template(string.Template):
    """Text with placeholders such as %{name}; `$` already has a meaning in the CI workflow."""

    delimiter = "%"


def write_plugin(name: str, parent: Path | None = None) -> Path:
    """Write a plugin with one op of the same name into a new folder `tinytorch-NAME`.

    Args:
        name: the plugin's name.
        parent: the folder that contains the new one; by default the working directory.

    Returns:
        The new folder.

    Raises:
        NewPluginError: the name is taken or invalid, or the folder exists. Nothing is written.
    """
    check_name(name)
    folder = (parent or Path()) / f"tinytorch-{name}"
    files = rendered(name)
    try:
        folder.mkdir()
    except FileExistsError:
        raise NewPluginError(
            f"{folder} exists and was not changed; choose another name, or move it away"
        ) from None
    try:
        for file, text in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
    except BaseException:
        shutil.rmtree(folder)
        raise
    return folder


def check_name(name: str) -> None:
    """Raise `NewPluginError` unless a plugin, its package and its op can have this name."""
    valid = (
        re.sub(r"[^a-z0-9]+", "-", name.lower().removeprefix("tinytorch"))
        .lstrip("-0123456789")
        .rstrip("-")
    )
    hint = f" Did you mean {valid!r}?" if valid and valid != name else ""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or name.startswith("tinytorch"):
        raise NewPluginError(
            f"{name!r} cannot name a plugin: write lower-case letters, digits and single hyphens, "
            f"beginning with a letter, without the prefix tinytorch.{hint}"
        )
    op, module = name.replace("-", "_"), _module(name)
    if keyword.iskeyword(op) or hasattr(builtins, op):
        raise NewPluginError(f"{name!r} is a keyword or builtin of Python; choose another name")
    if op in _USED:
        raise NewPluginError(
            f"{name!r} has another meaning in the code of plugins; choose another name"
        )
    for known in plugins.status():
        if known.name == name:
            raise NewPluginError(
                f"a plugin {name!r} is already installed, from {known.distribution}; "
                "choose another name"
            )
    if importlib.util.find_spec(module) is not None:
        raise NewPluginError(f"a package {module!r} is already installed; choose another name")
    if (owner := _owner(op)) is not None:
        raise NewPluginError(
            f"Tensor already has {op!r}, from {owner}; a new op cannot replace it, so choose "
            "another name"
        )


def _owner(op: str) -> str | None:
    """Return the provider of an op or attribute of Tensor, or None if the name is free.

    The provider may be a well-known distribution that is not installed.
    """
    ops = plugins.surface().ops
    if op in ops:
        return ops[op].provider
    if (distribution := well_known_provider(op)) is not None:
        return distribution
    return "the core or a plugin" if hasattr(Tensor, op) else None


def _module(name: str) -> str:
    return f"tinytorch_{name.replace('-', '_')}"


def rendered(name: str) -> dict[str, str]:
    """Return the text of each file of the plugin `name`, by its path."""
    author = _from_git("user.name") or "Your Name"
    op = name.replace("-", "_")
    values = {
        "name": name,
        "op": op,
        "module": _module(name),
        "distribution": f"tinytorch-{name}",
        "versions": _versions(),
        "author": author,
        "quoted_author": json.dumps(author, ensure_ascii=False),
        "year": str(datetime.date.today().year),
    }
    templates = resources.files("tinytorch_devkit") / "templates"
    files = {f"src/{_module(name)}/py.typed": ""}
    for template, file in FILES.items():
        text = _Template((templates / template).read_text("utf-8"))
        files[_Template(file).substitute(values)] = text.substitute(values)
    return files


def _versions() -> str:
    """Return the versions of the core that the new plugin supports: this minor version."""
    major, minor, _ = tinytorch_core.__version__.split(".", 2)
    return f">={major}.{minor},<{major}.{int(minor) + 1}"


def _from_git(key: str) -> str | None:
    try:
        done = subprocess.run(["git", "config", key], capture_output=True, text=True)
    except OSError:  # git is not installed
        return None
    return done.stdout.strip() or None
