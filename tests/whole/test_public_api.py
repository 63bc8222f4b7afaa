"""Plugins, examples, templates and the programs in the docs use only public names.

From the core these are the names in `tinytorch_core.__all__` and `tinytorch_core.extend.__all__`.
From another plugin they are the names in `__all__` of its package.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import tinytorch_core
from tinytorch_core import extend
from tinytorch_core.tensor import TensorBase

from tests.together import together

ROOT = Path(__file__).parents[2]
AUTOGRAD = ROOT / "plugins" / "autograd"
TEMPLATES = ROOT / "plugins" / "devkit" / "tinytorch_devkit" / "templates"

PROGRAMS = sorted(
    file
    for folder in ("plugins", "examples", "benchmarks")
    for file in (ROOT / folder).rglob("*.py")
    if "build" not in file.parts
)
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "plugins").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
FILES = [*PROGRAMS, *PAGES, *sorted(TEMPLATES.glob("*.txt"))]

# The public names of the core that are not attributes of `tinytorch_core.extend`.
PUBLIC = {*tinytorch_core.__all__, "array_api", "extend", "__all__", "__version__"}
# The private attributes of every tensor: `_data`, `_calls` and the like, but not `_repr_html_`.
PRIVATE = {
    name
    for name in {*vars(TensorBase), *TensorBase.__annotations__, *TensorBase.__slots__}
    if name.startswith("_") and not name.endswith("_")
}
# The attributes that autograd itself adds to tensors.
OF_AUTOGRAD = {"_node", "_grad", "_retains"}

# What a package cannot be imported without, though its metadata does not require it.
NEEDED = {"tinytorch_torch": "torch", "tinytorch_xla": "jax"}
PACKAGES = {
    file.parent.name
    for folder in ("plugins", "examples/plugins")
    for file in (ROOT / folder).glob("*/tinytorch_*/__init__.py")
}


# The packages of plugins that import some of their names on first use.
LAZY = [
    file
    for file in sorted(ROOT.glob("plugins/*/tinytorch_*/__init__.py"))
    if "lazy_names" in file.read_text(encoding="utf-8")
]
lazy = pytest.mark.parametrize("file", LAZY, ids=[file.parent.name for file in LAZY])


@lazy
def test_every_public_name_of_a_package_can_be_imported_and_is_listed(file):
    package = file.parent.name
    if package in NEEDED:
        pytest.importorskip(NEEDED[package], reason=f"{NEEDED[package]} is not installed")
    program = (
        f"import {package} as package\n"
        "missing = set(package.__all__) - set(dir(package))\n"
        "assert not missing, missing\n"
        f"from {package} import *\n"
    )
    # In a new process, because this one has imported most modules.
    subprocess.run([sys.executable, "-c", program], check=True)


@lazy
def test_lazy_names_are_those_that_type_checkers_see(file):
    seen, lazy = set(), set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for imported in node.body:
                module = imported.module.removeprefix(file.parent.name).lstrip(".")
                seen |= {(module or name.name, name.name) for name in imported.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_names":
            table = ast.literal_eval(node.args[1])
            lazy |= {(module, name) for module, names in table.items() for name in names.split()}
    assert lazy == seen
    # Importing a module sets the attribute of its name, which must not hide another object.
    modules = {path.stem for path in file.parent.iterdir()}
    assert [name for module, name in lazy if name in modules and name != module] == []


def sources(file: Path) -> Iterator[str]:
    """Yield the Python programs in a file, and the examples in their docstrings."""
    text = re.sub(r"%\{\w+\}", "mish", file.read_text(encoding="utf-8"))
    if ".md" in file.suffixes:
        programs = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    else:
        programs = [text] if ".py" in file.suffixes else []
    for program in programs:
        yield program
        for node in ast.walk(ast.parse(program)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                examples = doctest.DocTestParser().get_examples(ast.get_docstring(node) or "")
                yield "".join(example.source for example in examples)


def wrong_uses(source: str, own: str | None, private: set[str]) -> Iterator[str]:
    """Yield what a program uses that is not public.

    Args:
        source: the program.
        own: the package that the program belongs to, if any, of which it may use everything.
        private: the attributes that it must not use.
    """
    in_text = re.compile(rf"\.({'|'.join(private)})\b")
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names if not is_public(name.name, own))
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for name in names:
                    if not is_public(f"{module}.{name.name}", own):
                        yield f"{module}.{name.name}"
            case ast.Attribute(value=ast.Name(id="tinytorch_core"), attr=name):
                if not is_public(f"tinytorch_core.{name}", own):
                    yield f"tinytorch_core.{name}"
            case ast.Attribute(attr=name) if name in private:
                yield name
            case ast.ClassDef(body=body):
                names = [part.name for part in body if isinstance(part, ast.FunctionDef)]
                yield from private.intersection(names)
            case ast.Constant(value=str(text)) if text in private or in_text.search(text):
                yield text


def is_public(name: str, own: str | None) -> bool:
    """Return whether a dotted name is public; a package itself and foreign names are."""
    package, _, rest = name.partition(".")
    if package == own or not rest or package not in {"tinytorch_core", *PACKAGES}:
        return True
    if package == "tinytorch_core":
        if rest.startswith("extend."):
            return rest.removeprefix("extend.") in extend.__all__
        return rest in PUBLIC
    imported = importlib.import_module(package)
    first, _, name = rest.partition(".")
    if first not in {*imported.__all__, "__version__"}:
        return False
    # Of a public module, the functions are public.
    return not name or (
        isinstance(getattr(imported, first), ModuleType) and not name.startswith("_")
    )


def own_package(file: Path) -> str | None:
    """Return the package that a file of a plugin belongs to."""
    folder = next((f for f in file.parents if f.parent.name == "plugins"), None)
    return folder and f"tinytorch_{folder.name.removeprefix('tinytorch-')}"


@together("file", FILES)
def test_only_public_names_are_used(file: Path) -> None:
    private = PRIVATE if file.is_relative_to(AUTOGRAD) else PRIVATE | OF_AUTOGRAD
    found = [use for s in sources(file) for use in wrong_uses(s, own_package(file), private)]
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "from tinytorch_core.tensor import Tensor",
        "from tinytorch_core.extend import speaks_numpy",
        "from tinytorch_core import registry",
        "import tinytorch_core.source",
        "import tinytorch_core; tinytorch_core.registry",
        "from tinytorch_autograd.node import Function",
        "from tinytorch_autograd import node",
        "x._data",
        "setattr(x, '_data', 1)",
        "text = 'y = x._data'",
        "class A(Tensor):\n    def _from_array(cls, array): ...",
    ],
)
def test_private_names_are_found(source: str) -> None:
    assert len(list(wrong_uses(source, "tinytorch_layers", PRIVATE))) == 1


def test_documented_names_of_the_core_are_public() -> None:
    """The docs, docstrings and comments name only public modules of the core."""
    for file in [*PAGES, *PROGRAMS]:
        named = re.findall(r"\btinytorch_core\.(\w+)", file.read_text(encoding="utf-8"))
        assert set(named) <= PUBLIC, file


def test_all_lists_are_complete_and_sorted() -> None:
    for module in (tinytorch_core, extend):
        assert all(hasattr(module, name) for name in module.__all__)
        assert len(set(module.__all__)) == len(module.__all__)
    assert not set(extend.__all__) & {"Tensor", "hookimpl", "hookspec"}
