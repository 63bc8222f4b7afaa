"""The text of stubs for NumPy whose functions return Tensors for Tensors.

NumPy's own stubs say that `np.linalg.norm(x)` is a number and `np.where(x > 0, x, 0)` an array,
whatever `x` is. Their text is copied, and functions, ufuncs and operators of arrays get further
overloads before their own: one for each required parameter that accepts arrays, with the type
`Tensor`. Modules without such functions are not copied; type-checkers find them in NumPy.
"""

from __future__ import annotations

import ast
import functools
import itertools
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

_HEADER = """\
# Written by `tinytorch stubs` from the stubs of NumPy {version}, with overloads for Tensor. Run it
# again after updating NumPy.
# mypy: ignore-errors
# pyright: basic, reportAttributeAccessIssue=false, reportSelfClsParameterName=false
from collections.abc import Sequence
from typing import Any, NamedTuple, overload
from tinytorch_core import Tensor
"""

_PUBLIC = (np, np.linalg, np.fft)
_FOLDERS = ("", "_core", "_typing", "fft", "lib", "linalg")
# Results that are the same for Tensors: others are arrays or NumPy's scalars, or contain them.
_SAME = re.compile(
    r"(py_)?bool|int|str|bytes|None|NoReturn|Never|\.\.\.|_AnyShape|_ShapeT|(_2Tup\[)?poly1d\]?"
    r"|(TypeIs|Unique\w+Result)\[.*|(np\.)?dtype(\[.*)?"
)
_CONTAINER = re.compile(r"tuple|list|_\dP?Tuple|_Tuple\d")
_TUPLE_ALIAS = re.compile(r"_(Mesh\d|Histogram2D)\[.*")
_ARRAYS = re.compile(r"Array|ndarray")
_NOT_ARRAYS = re.compile(r"\bstr\b|Callable|DType|^Literal|^L\[")
_SEVERAL = re.compile(r"Sequence|Iterable|list|SupportsLenAndGetItem")
_OPTIONS = {"axis", "out", "where", "dtype", "indices", "repeats", "initial", "like", "shape"}
_DATES = re.compile(r".*(busday|datetime).*")
_METHODS = {"__call__", "accumulate", "outer", "reduce", "reduceat"}
_BINARY = "add sub mul truediv floordiv mod pow matmul and or xor divmod"
_OPERATORS = {
    *(f"__{side}{name}__" for name in _BINARY.split(" ") for side in ("", "r")),
    *("__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"),
}
_NONE = ast.Constant(None)


@functools.cache
def numpy_stub_files() -> Mapping[str, str]:
    """Return the text of each stub file by its path."""
    root = Path(np.__file__).parent
    functions = {id(f) for module in _PUBLIC for f in vars(module).values() if _dispatches(f)}
    files = {}
    for folder in _FOLDERS:
        for file in sorted(root.joinpath(folder).glob("*.pyi")):
            stub = _Stub(root, file, functions)
            if text := stub.text():
                files[stub.path] = text
            elif file.stem == "__init__":
                files[stub.path] = stub.source
    package = _Stub(root, root / "_typing" / "__init__.py", functions)  # it has only a source
    files[f"{package.path}i"] = package.source
    return {path: _HEADER.format(version=np.__version__) + text for path, text in files.items()}


def _dispatches(function: Any) -> bool:
    """Return whether a function calls `__array_function__` of its arguments."""
    return hasattr(function, "_implementation")


class _Stub:
    """A stub file of NumPy.

    Args:
        root: the folder of NumPy.
        file: the file.
        functions: the ids of the functions that get overloads.

    Attributes:
        path: the path of the file in the folder of stubs.
        source: its text, with absolute imports, because not all modules are copied.
    """

    def __init__(self, root: Path, file: Path, functions: set[int]) -> None:
        self.path = file.relative_to(root.parent).as_posix()
        self.names = self.path.rpartition(".")[0].split("/")
        relative = re.compile(r"^( *)from (\.+)([\w.]*) import", re.MULTILINE)
        self.source = relative.sub(self._absolute, file.read_text("utf-8"))
        if file.stem == "__init__" and "\n__all__ = " in self.source:
            self.source = self._with_submodules()
        self.body = ast.parse(self.source).body
        self.functions = functions
        self.named_tuples = {node.name: node for node in self.body if _is_named_tuple(node)}

    def _absolute(self, match: re.Match[str]) -> str:
        indent, dots, name = match.groups()
        parts = [*self.names[: len(self.names) - len(dots)], *filter(None, [name])]
        return f"{indent}from {'.'.join(parts)} import"

    def _with_submodules(self) -> str:
        """Return the text of a package, which imports its modules by their full names.

        pyright would look for `from numpy import random` in the folder of stubs only. Without
        `__all__`, as in NumPy 2.1, mypy would not export these names.
        """
        package, lines = ".".join(self.names[:-1]), self.source.splitlines()
        for node in ast.walk(ast.parse(self.source)):
            if isinstance(node, ast.ImportFrom) and node.module == package:
                indent = " " * node.col_offset
                texts = [f"{indent}import {package}.{n.name} as {n.name}" for n in node.names]
                after = [""] * ((node.end_lineno or node.lineno) - node.lineno)
                lines[node.lineno - 1 : node.end_lineno] = ["\n".join(texts), *after]
        return "\n".join(lines)

    def text(self) -> str:
        """Return the text with the overloads, or an empty text if none is added."""
        added: dict[int, list[str]] = {}
        for group in self._groups():
            overloads = dict.fromkeys(
                text for function in group for text in self._overloads(function)
            )
            if overloads:
                decorators = [node.lineno for node in group[0].decorator_list]
                first = min([group[0].lineno, *decorators])
                lines = [line for text in overloads for line in ("@overload", text)]
                own = [] if group[0].decorator_list else ["@overload"]
                added[first] = [" " * group[0].col_offset + line for line in [*lines, *own]]
        if not added:
            return ""
        lines = self.source.splitlines()
        merged = [text for i, line in enumerate(lines, 1) for text in [*added.get(i, []), line]]
        return "\n".join([*merged, *map(_tuple_of_tensors, self.named_tuples.values()), ""])

    def _groups(self) -> Iterator[list[ast.FunctionDef]]:
        """Yield the overloads of each function or method that gets further ones."""
        yield from _by_name(self.body, self._is_dispatching)
        for node in self.body:
            if isinstance(node, ast.ClassDef) and "UFunc_Nin" in node.name:
                yield from _by_name(node.body, _METHODS.__contains__)
            elif isinstance(node, ast.ClassDef) and node.name == "ndarray":
                yield from _by_name(node.body, _OPERATORS.__contains__)

    def _is_dispatching(self, name: str) -> bool:
        module = sys.modules.get(".".join(self.names).removesuffix(".__init__"))
        return id(getattr(module, name, None)) in self.functions and not _DATES.match(name)

    def _overloads(self, function: ast.FunctionDef) -> Iterator[str]:
        """Yield an overload for each required parameter that accepts arrays, with Tensors."""
        result, own = self._result(function.returns), ast.unparse(function.returns or _NONE)
        if own in (result, _type_of_out(function)):
            return
        arrays = [argument for argument in _positional(function) if _accepts_arrays(argument)]
        kinds = [argument.annotation for argument in arrays]
        for chosen in arrays:
            if chosen in _with_default(function):
                continue
            for argument, kind in zip(arrays, kinds, strict=True):
                argument.annotation = _of_tensors(kind) if argument is chosen else ast.Name("Any")
            yield f"def {function.name}({ast.unparse(function.args)}) -> {result}: ..."

    def _result(self, node: ast.expr | None) -> str:
        """Return the text of what a function returns for Tensors."""
        text = ast.unparse(node or _NONE)
        if _SAME.fullmatch(text):
            return text
        if text in self.named_tuples:
            return f"_Tensor{text}"
        if _TUPLE_ALIAS.fullmatch(text):
            return "tuple[Tensor, ...]"
        if isinstance(node, ast.Subscript) and _CONTAINER.fullmatch(ast.unparse(node.value)):
            items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return f"{ast.unparse(node.value)}[{', '.join(map(self._result, items))}]"
        return "Tensor"


def _is_named_tuple(node: ast.stmt) -> TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef) and "NamedTuple" in map(ast.unparse, node.bases)


def _tuple_of_tensors(node: ast.ClassDef) -> str:
    """Return the text of a class like a NamedTuple of arrays, with Tensors."""
    fields = [ast.unparse(n.target) for n in node.body if isinstance(n, ast.AnnAssign)]
    lines = [
        f"class _Tensor{node.name}(NamedTuple):",
        *(f"    {field}: Tensor" for field in fields),
    ]
    return "\n".join(lines)


def _by_name(
    body: Sequence[ast.stmt], wanted: Callable[[str], bool]
) -> Iterator[list[ast.FunctionDef]]:
    """Yield the definitions of each wanted name, which follow one another."""
    functions = [node for node in body if isinstance(node, ast.FunctionDef)]
    for name, group in itertools.groupby(functions, key=lambda node: node.name):
        if wanted(name):
            yield list(group)


def _positional(function: ast.FunctionDef) -> list[ast.arg]:
    several = [function.args.vararg] if function.args.vararg else []
    return [*function.args.posonlyargs, *function.args.args, *several]


def _type_of_out(function: ast.FunctionDef) -> str:
    """Return the text of the type of the array that a function writes into and returns."""
    arguments = [*_positional(function), *function.args.kwonlyargs]
    kinds = [argument.annotation for argument in arguments if argument.arg == "out"]
    return ast.unparse(kinds[0]) if kinds and kinds[0] else ""


def _with_default(function: ast.FunctionDef) -> list[ast.arg]:
    # An overload with the default None for a Tensor would be chosen where it is not passed.
    named = [*function.args.posonlyargs, *function.args.args]
    return named[len(named) - len(function.args.defaults) :]


def _accepts_arrays(argument: ast.arg) -> bool:
    kind = ast.unparse(argument.annotation) if argument.annotation else ""
    is_array = _ARRAYS.search(kind) and not _NOT_ARRAYS.search(kind)
    return bool(is_array) and argument.arg not in _OPTIONS


def _of_tensors(kind: ast.expr | None) -> ast.expr:
    several = kind is not None and _SEVERAL.match(ast.unparse(kind))
    return ast.parse("Sequence[Tensor]" if several else "Tensor", mode="eval").body
