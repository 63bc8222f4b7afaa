"""`tinytorch stubs`: type-checkers know what plugins add, and report misspelt names."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import os
import re
import subprocess
import sys
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, TypeVar

import numpy as np
import pytest

import tinytorch_core
from tinytorch_core import Tensor, hookimpl, plugins
from tinytorch_core.cli import main

from tinytorch_devkit.annotations import text_of

T = TypeVar("T", bound=Tensor)
QUOTES = "Contains \\n and '''quotes''' and \"\"\"."


@hookimpl
def tinytorch_register_ops(ops: Any) -> None:
    def swish(x: Any, beta: float = 1.0, *, kind: Literal["a", "b"] = "a") -> Any:
        return x

    swish.__doc__ = QUOTES

    def halves(x: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        return x, x

    ops.add("swish", swish, method=True)
    ops.add("halves", halves, method=True)
    ops.add("lerp", lambda x, y, *, weight=0.5: x, method=True)


@hookimpl
def tinytorch_extend_tensor(tensor: Any) -> None:
    def get(self: Any) -> str:
        return ""

    def set(self: Any, value: str | None) -> None:
        pass

    def same(self: T, *more: int, **rest: bool) -> T:
        return self

    def float(self: T) -> T:
        return self

    def scaled(self: T, by: builtins.float) -> T:
        return self

    tensor.add("label", property(get, set))
    tensor.add("rank", 3)
    tensor.add("anything", None)
    tensor.add("same", same)
    # A method of this name must not hide the builtin type from other declarations.
    tensor.add("float", float)
    tensor.add("scaled", scaled)
    tensor.add_keyword("label", set, get, None)


# Each wrong line ends in a comment with a word of the expected error message.
PROGRAM = """\
import numpy as np
from tinytorch_core import Op, PluginError, Tensor, plugins
from tinytorch_core.errors import ConfigError
from tinytorch_core.tensor import as_array

x = Tensor([1.0, 2.0], requires_grad=True, label="it")
y: Tensor = x.swish(2.0, kind="b") + x.lerp(1.0, weight=0.3).same(1, rest=True) * 2
z: Tensor = x.relu().reshape(2, 1).T @ y.detach()
first, second = x.halves()
third: Tensor = first
z.sum().backward(retain_graph=True)
n: int = x.rank + z.ndim
s: str = x.label
x.label = None
f: Tensor = x.float().scaled(2.0).requires_grad_()
a: np.ndarray = z.numpy()
w: Tensor = np.linalg.norm(np.exp(x)) + np.stack([x, y], axis=1) * np.ones(2)
x += 1
y = x
plugins.disable("losses")
x.swsh()  # swsh
x.bakward()  # bakward
Tensor([1.0], requires_grda=True)  # requires_grda
x.swish("much")  # swish
x.swish(1.0, kind="c")  # swish
x.swish(1.0, "a")  # swish
x.scaled("much")  # scaled
x.label = 3  # int
m: int = x.swish()  # Tensor
x.requires_grad = "yes"  # bool
third.softmax(dmi=1)  # dmi
np.where(x > 0, x, 0).swsh()  # swsh
plugins.dsable("losses")  # dsable
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder with stubs for two installed plugins and the one in this file."""
    folder = tmp_path_factory.mktemp("stubs")
    mine = SimpleNamespace(
        tinytorch_register_ops=tinytorch_register_ops,
        tinytorch_extend_tensor=tinytorch_extend_tensor,
    )
    with plugins.only("autograd", "activations"):
        plugins.register(mine, name="mine")
        try:
            assert main(["stubs", "--output", str(folder / "typings")]) == 0
        finally:
            plugins.unregister("mine")
    return folder


def test_a_type_checker_knows_what_plugins_add_and_reports_misspelt_names(folder: Path) -> None:
    program = folder / "program.py"
    program.write_text(PROGRAM)
    sources = Path(tinytorch_core.__file__).parents[1]
    # mypy finds installed packages itself, but not those that are installed in editable mode.
    path = [folder / "typings", *([sources] if sources.name != "site-packages" else [])]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", folder / "cache", program],
        cwd=folder,
        env={**os.environ, "MYPYPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
    )
    found = re.findall(r"^program\.py:(\d+): error: (.*)$", done.stdout, re.MULTILINE)
    expected = [
        (number, line.partition("  # ")[2])
        for number, line in enumerate(PROGRAM.splitlines(), 1)
        if "  # " in line
    ]
    assert [int(number) for number, _ in found] == [n for n, _ in expected], done.stdout
    for (_, message), (_, word) in zip(found, expected, strict=True):
        assert f'"{word}"' in message
    # The stubs themselves are correct. `make check` checks the sources, whose errors depend on the
    # version of NumPy.
    assert not re.search(r"^typings\b.*: error: ", done.stdout, re.MULTILINE), done.stdout


def test_the_stub_does_not_accept_every_name_as_the_source_does(folder: Path) -> None:
    source = Path(tinytorch_core.__file__).with_name("tensor.py").read_text("utf-8")
    assert "def __getattr__(self, name: str) -> Any" in source
    assert "__getattr__" not in (folder / "typings/tinytorch_core/tensor.pyi").read_text("utf-8")


def stub_of(folder: Path) -> ast.ClassDef:
    text = (folder / "typings" / "tinytorch_core" / "tensor.pyi").read_text("utf-8")
    return next(n for n in ast.parse(text).body if isinstance(n, ast.ClassDef))


def test_the_stub_declares_exactly_what_tensor_has(tmp_path: Path) -> None:
    assert main(["stubs", "--output", str(tmp_path / "typings")]) == 0
    body = stub_of(tmp_path).body
    declared = {n.name for n in body if isinstance(n, ast.FunctionDef)}
    declared |= {ast.unparse(n.targets[0]) for n in body if isinstance(n, ast.Assign)}
    offered = {name for name in dir(Tensor) if hasattr(Tensor, name)}
    own = {name for name in offered if not name.startswith("_")}
    assert own - declared == set()
    assert {name for name in declared if not name.startswith("_")} - offered == set()

    class Plain:
        x: int

    assert Plain.__annotations__  # Python 3.14 adds them to the class when they are read
    # Special names that not every class has.
    added = {n for n in offered if n.startswith("__") and n not in dir(Plain)}
    # `__getattr__` only raises errors; declaring it would allow every name.
    assert added - declared - {"__slots__", "__getattr__"} == set()


def test_without_plugins_the_stub_has_only_the_plain_tensor(tmp_path: Path) -> None:
    with plugins.only():
        assert main(["stubs", "--output", str(tmp_path / "typings")]) == 0
    text = (tmp_path / "typings" / "tinytorch_core" / "tensor.pyi").read_text("utf-8")
    assert "backward" not in text
    assert "def exp(self) -> Tensor" in text


def test_the_stub_has_the_docstrings(folder: Path) -> None:
    functions = {n.name: n for n in stub_of(folder).body if isinstance(n, ast.FunctionDef)}
    assert ast.get_docstring(functions["swish"]) == QUOTES
    assert ast.get_docstring(functions["relu"]) == inspect.cleandoc(Tensor.relu.__doc__)


class Strange:
    """A plugin with every kind of attribute that a class can have."""

    class Colour(Enum):
        RED = 1

    @hookimpl
    def tinytorch_register_ops(self, ops: Any) -> None:
        ops.add("gather", lambda *arrays, axis=0: arrays[0], method=True)

    @hookimpl
    def tinytorch_extend_tensor(self, tensor: Any) -> None:
        def method(self: Any, a: NoSuchType, b: Literal[Strange.Colour.RED], /) -> Any:  # noqa: F821
            """\\ \x00 \"\"\" \N{SNOWMAN}"""

        def unsigned(self: Any) -> Any:
            """Has no signature, like some C functions."""

        unsigned.__signature__ = "nonsense"
        for name in ("no name", "class", "x.y", "1st"):
            tensor.add(name, 1)
            tensor.add_keyword(name, lambda t, v: None, lambda t: None, None)
        tensor.add("method", method)
        tensor.add("in_c", {}.get)
        tensor.add("unsigned", unsigned)
        tensor.add("of_the_class", classmethod(method))
        tensor.add("of_none", staticmethod(method))
        tensor.add("partial", functools.partial(method, 1))
        tensor.add("colour", self.Colour.RED)
        tensor.add("kind", Path)
        tensor.add("write_only", property(None, method))


def test_the_stub_is_valid_python_for_any_kind_of_attribute(tmp_path: Path) -> None:
    plugins.register(Strange(), name="strange")
    try:
        assert main(["stubs", "--output", str(tmp_path / "typings")]) == 0
    finally:
        plugins.unregister("strange")
    declared = {
        getattr(node, "name", None) or ast.unparse(node.target): ast.unparse(node)
        for node in stub_of(tmp_path).body
        if isinstance(node, ast.FunctionDef | ast.AnnAssign)
    }
    assert declared["gather"].startswith("def gather(self, *arrays: Any, axis: Any=0) -> Tensor")
    assert declared["unsigned"].startswith("def unsigned(self, *args: Any, **kwargs: Any)")
    assert declared["kind"] == declared["kind"].replace("Path", "") == "kind: Any"
    assert "class" not in declared
    assert {"method", "in_c", "of_the_class", "of_none", "partial", "colour"} <= declared.keys()


def test_the_stub_has_the_details_that_type_checkers_need(folder: Path) -> None:
    functions = {n.name: n for n in stub_of(folder).body if isinstance(n, ast.FunctionDef)}
    assert ast.unparse(functions["__iadd__"].returns) == "Self"
    assert ast.unparse(functions["__setitem__"].returns) == "None"
    # pyright would look for `from tinytorch_core import plugins` in this stub itself.
    package = (folder / "typings" / "tinytorch_core" / "__init__.pyi").read_text("utf-8")
    assert "import tinytorch_core.plugins as plugins\n" in package


def test_the_command_prints_the_files_and_the_plugins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with plugins.only("autograd"):
        assert main(["stubs"]) == 0
    output = capsys.readouterr().out
    files = [os.path.join("typings", "tinytorch_core", f) for f in ("__init__.pyi", "tensor.pyi")]
    core, numpy, names = output.splitlines()
    assert core == os.path.dirname(files[0])
    assert numpy == os.path.join("typings", "numpy")
    assert "autograd" in names
    assert "autograd (tinytorch-autograd" in Path(files[1]).read_text("utf-8")
    # A second run writes the same files.
    before = Path(files[1]).read_bytes()
    with plugins.only("autograd"):
        main(["stubs"])
    assert Path(files[1]).read_bytes() == before


def test_an_unwritable_folder_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["stubs", "--output", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (int, "int"),
        (None, "None"),
        (int | None, "int | None"),
        (tuple[int, ...], "tuple[int, ...]"),
        (list[Tensor], "list[Self]"),
        (dict[str, int], "dict[str, int]"),
        (Tensor, "Self"),
        (T, "Self"),
        (np.ndarray[Any, Any], "np.ndarray[Any, Any]"),
        (np.ndarray, "np.ndarray[Any, Any]"),
        (Literal["a", 2], "Literal['a', 2]"),
        (Any, "Any"),
        (int | Any, "Any"),
        (Path, "Any"),
        (Path | None, "Any"),
        (TypeVar("U"), "Any"),
        ("what is this", "Any"),
    ],
)
def test_types_are_written_as_text(hint: Any, text: str) -> None:
    assert text_of(hint) == text
