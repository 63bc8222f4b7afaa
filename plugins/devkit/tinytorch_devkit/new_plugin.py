"""New plugins: a name that is free, and the files of a package made from templates."""

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

from tinytorch_core import Tensor, TinyTorchError, __version__, plugins
from tinytorch_core.missing import hints

# Where each template goes; the templates lie as data in the folder of that name.
FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "LICENSE.txt": "LICENSE",
    "gitignore.txt": ".gitignore",
    "ci.yml.txt": ".github/workflows/ci.yml",
    "package.py.txt": "src/%{module}/__init__.py",
    "ops.py.txt": "src/%{module}/ops.py",
    "plugin.py.txt": "src/%{module}/plugin.py",
    "samples.py.txt": "src/%{module}/samples.py",
    "test_conformance.py.txt": "tests/test_conformance.py",
    "test_values.py.txt": "tests/test_values.py",
}


# What stands in the templates under these names.
_USED = {"np", "op", "ops", "rules", "samples", "x"}


class NewPluginError(TinyTorchError):
    """A plugin of that name cannot be made. Nothing was written."""


class _Template(string.Template):
    """Text with places such as %{name}: the usual $ has a meaning in workflows."""

    delimiter = "%"


def write_plugin(name: str, parent: Path | None = None) -> Path:
    """Writes a plugin with one op of its name, into a new folder `tinytorch-NAME`.

    Args:
        name: the plugin's name.
        parent: where the folder is made; by default the working directory.

    Returns:
        The folder.

    Raises:
        NewPluginError: the name will not do, or the folder exists. Nothing is written.
    """
    check_name(name)
    folder = (parent or Path()) / f"tinytorch-{name}"
    written = rendered(name)
    try:
        folder.mkdir()
    except FileExistsError:
        raise NewPluginError(
            f"{folder} exists already, and is left as it is; choose another name, or move it away"
        ) from None
    try:
        for file, text in written.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
    except BaseException:
        shutil.rmtree(folder)
        raise
    return folder


def check_name(name: str) -> None:
    """Raises `NewPluginError` unless a plugin, its package and its op can have this name."""
    plain = (
        re.sub(r"[^a-z0-9]+", "-", name.lower().removeprefix("tinytorch"))
        .lstrip("-0123456789")
        .rstrip("-")
    )
    hint = f" Did you mean {plain!r}?" if plain and plain != name else ""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or name.startswith("tinytorch"):
        raise NewPluginError(
            f"{name!r} cannot name a plugin: write lower-case letters, digits and single hyphens, "
            f"beginning with a letter, without the prefix tinytorch.{hint}"
        )
    op, module = name.replace("-", "_"), _module(name)
    if keyword.iskeyword(op) or hasattr(builtins, op):
        raise NewPluginError(f"{name!r} is a word of Python, which no op should have as its name")
    if op in _USED:
        raise NewPluginError(f"{name!r} is what plugins call something else; choose another name")
    for known in plugins.status():
        if known.name == name:
            raise NewPluginError(
                f"a plugin {name!r} is installed already, from {known.distribution}; "
                "choose another name"
            )
    if importlib.util.find_spec(module) is not None:
        raise NewPluginError(f"a package {module!r} is installed already; choose another name")
    if (owner := _owner(op)) is not None:
        raise NewPluginError(
            f"{op!r} is a name that Tensor has already, from {owner}; choose another one, for a "
            "new op cannot take its place"
        )


def _owner(op: str) -> str | None:
    """Who brings an op or an attribute of Tensor, also of a well-known plugin that is absent."""
    ops = plugins.surface().ops
    if op in ops:
        return ops[op].provider
    for hint in hints():
        if op in hint.names:
            return hint.distribution
    return "the core or a plugin" if hasattr(Tensor, op) else None


def _module(name: str) -> str:
    return f"tinytorch_{name.replace('-', '_')}"


def rendered(name: str) -> dict[str, str]:
    """The files of the plugin `name`: the text of each, by its path."""
    author = _from_git("user.name") or "Your Name"
    op = name.replace("-", "_")
    places = {
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
        files[_Template(file).substitute(places)] = text.substitute(places)
    return files


def _versions() -> str:
    """The versions of the core that a plugin made with this one can be expected to work with."""
    major, minor, _ = __version__.split(".", 2)
    return f">={major}.{minor},<{major}.{int(minor) + 1}"


def _from_git(key: str) -> str | None:
    try:
        done = subprocess.run(["git", "config", key], capture_output=True, text=True)
    except OSError:  # git is not installed
        return None
    return done.stdout.strip() or None
