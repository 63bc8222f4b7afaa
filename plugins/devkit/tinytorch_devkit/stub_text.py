"""The text of type stubs for Tensor with the active plugins.

Two modules of the core get a stub; type-checkers read all others from their sources. One is
`tinytorch_core/__init__.py`. The other is the module of the plain tensor: its stub declares what
the source declares, without the `__getattr__` that accepts every name, and what the surface adds.
`numpy_stubs` adds modules of NumPy.
"""

from __future__ import annotations

import ast
import inspect
import keyword
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import tinytorch_core
from tinytorch_core import Tensor
from tinytorch_core.extend import Keyword, Op, SurfaceBuilder

from tinytorch_devkit.annotations import BUILTINS, hints_of, signature_text, text_of
from tinytorch_devkit.numpy_stubs import numpy_stub_files
from tinytorch_devkit.signatures import signature_of

HEADER = """\
# Written by `tinytorch stubs`. Run it again after installing, removing or updating plugins.
# {contents}
# mypy: disable-error-code="override, misc"
# pyright: basic, reportIncompatibleMethodOverride=false

import builtins
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np

"""

# The plain tensor declares these so that a type-checker accepts what plugins add.
_OPEN = ("__getattr__", "__setattr__", "__init__")


def _anything(self: Any, *args: Any, **kwargs: Any) -> Any: ...


def stub_files(surface: SurfaceBuilder) -> dict[str, str]:
    """Return the text of each stub file by its path.

    Args:
        surface: the surface of Tensor, already computed.
    """
    home = _plain_class().__module__
    return {
        "tinytorch_core/__init__.pyi": _package_stub(),
        f"{home.replace('.', '/')}.pyi": _tensor_stub(surface),
        **numpy_stub_files(),
    }


def _package_stub() -> str:
    module = ast.parse(inspect.getsource(tinytorch_core))
    nodes = [node for node in module.body if isinstance(node, ast.ImportFrom)]
    for node in nodes:
        node.names = [name for name in node.names if name.name in tinytorch_core.__all__]
    imports = [_import(node) for node in nodes if node.names]
    names = f"__all__ = {tinytorch_core.__all__!r}"
    return "\n".join([*imports, "", "__version__: str", names, ""])


def _import(node: ast.ImportFrom) -> str:
    if node.module != "tinytorch_core":
        return ast.unparse(node)
    # pyright would look for `from tinytorch_core import plugins` in this stub itself.
    return "\n".join(f"import {node.module}.{n.name} as {n.name}" for n in node.names)


def _plain_class() -> type:
    """Return the class of the plain tensor, which implements NumPy's protocols."""
    return next(kind for kind in Tensor.__mro__ if "__array_ufunc__" in vars(kind))


def _tensor_stub(surface: SurfaceBuilder) -> str:
    plain = _plain_class()
    module = ast.parse(inspect.getsource(sys.modules[plain.__module__]))
    classes = (node for node in module.body if isinstance(node, ast.ClassDef))
    base = next(node for node in classes if node.name == plain.__name__)
    _close(base)
    declared = _names(base)
    base.body += ast.parse("\n".join(_additions(surface, declared))).body
    module.body = [_declaration(n) for n in module.body if _is_declaration(n)]
    shadowed = (declared | _names(base)) & {kind.__name__ for kind in BUILTINS}
    text = ast.unparse(ast.fix_missing_locations(_Unshadowed(shadowed).visit(module)))
    plugins = [f"{p.name} ({p.origin})" for p in surface.plugins]
    contents = ", ".join([f"tinytorch-core {tinytorch_core.__version__}", *plugins])
    return f"{HEADER.format(contents=contents)}{text}\n"


class _Unshadowed(ast.NodeTransformer):
    """Replaces `float` by `builtins.float` if Tensor has a method of that name."""

    def __init__(self, shadowed: set[str]) -> None:
        self.shadowed = shadowed

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.shadowed:
            return node
        return ast.Attribute(ast.Name("builtins", node.ctx), node.id, node.ctx)


def _is_declaration(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return False
    if isinstance(node, ast.Assign):  # a type variable
        return isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "TypeVar"
    return isinstance(node, ast.Import | ast.ImportFrom | ast.If | ast.ClassDef | ast.FunctionDef)


def _declaration(node: ast.stmt, indent: int = 4) -> ast.stmt:
    """Return the node without the bodies of functions."""
    if isinstance(node, ast.FunctionDef):
        doc = ast.get_docstring(node)
        node.body = [ast.Expr(ast.Constant(_indented(doc, indent)))] if doc else []
        node.body.append(ast.Expr(ast.Constant(...)))
    elif isinstance(node, ast.ClassDef):
        node.body = [_declaration(n, indent + 4) for n in node.body]
    return node


def _indented(doc: str, indent: int) -> str:
    lines = textwrap.indent(doc, " " * indent).lstrip()
    return f"{lines}\n{' ' * indent}" if "\n" in doc else lines


def _close(base: ast.ClassDef) -> None:
    """Unpack the declarations under `if TYPE_CHECKING`, and drop those that accept every name.

    Assignments there, such as `__sub__ = __add__`, are replaced by declarations of the ops.
    """
    body: list[ast.stmt] = []
    for node in base.body:
        unpacked = node.body if isinstance(node, ast.If) else [node]
        body += [n for n in unpacked if n is node or not isinstance(n, ast.Assign)]
    base.body = [n for n in body if not (isinstance(n, ast.FunctionDef) and n.name in _OPEN)]


def _names(base: ast.ClassDef) -> set[str]:
    names = {node.name for node in base.body if isinstance(node, ast.FunctionDef)}
    return names | {
        node.target.id
        for node in base.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def _additions(surface: SurfaceBuilder, declared: set[str]) -> Iterator[str]:
    """Yield declarations of what the surface has in addition to the names in `declared`."""
    yield _constructor(surface.keywords)
    ops = {name: op for op in surface.ops.values() for name in (*op.methods, op.reflected) if name}
    for name in surface.providers:
        if name not in declared and _is_name(name) and (name in ops or name[0] != "_"):
            op = ops.get(name)
            yield _op(name, op) if op else _attribute(name, surface.namespace[name])


def _is_name(name: str) -> bool:
    """Return whether a program can write this name; `setattr` accepts any text."""
    return name.isidentifier() and not keyword.iskeyword(name)


def _constructor(keywords: dict[str, Keyword]) -> str:
    texts = [
        f"{name}: {_keyword_type(added)} = ..."
        for name, added in keywords.items()
        if _is_name(name)
    ]
    more = ["*", *texts] if texts else []
    return _function(
        "__init__", ", ".join(["self", "data: Any", "dtype: Any = None", *more]), "None"
    )


def _keyword_type(added: Keyword) -> str:
    hints = hints_of(added.set)
    hints.pop("return", None)
    types = list(hints.values())
    return text_of(types[-1] if types else type(added.default) if added.default else Any)


def _op(name: str, op: Op) -> str:
    hints = hints_of(op.forward)
    if name == op.reflected:
        return _function(name, "self, other: Any", "Tensor", op.doc)
    arguments = signature_text(op.signature, hints, op.inputs)
    return _function(name, arguments, _result(op, hints.get("return", Any)), op.doc)


def _result(op: Op, hint: Any) -> str:
    if op.raw:
        return text_of(hint)
    if op.in_place:
        return "Self" if op.operator else "None"
    # The forward function returns arrays, the op Tensors.
    return text_of(hint).replace("np.ndarray[Any, Any]", "Any").replace("Any", "Tensor")


def _attribute(name: str, value: Any) -> str:
    if isinstance(value, property):
        return _property(name, value)
    if isinstance(value, staticmethod | classmethod):
        return f"{name}: Any"
    if inspect.isroutine(value):
        hints = hints_of(value)
        signature = signature_of(value) or inspect.signature(_anything)
        arguments = signature_text(signature, hints)
        return _function(name, arguments, text_of(hints.get("return", Any)), value.__doc__)
    return f"{name}: {text_of(type(value)) if value is not None else 'Any'}"


def _property(name: str, value: property) -> str:
    hint = text_of(hints_of(value.fget).get("return", Any)) if value.fget else "Any"
    text = f"@property\n{_function(name, 'self', hint, value.__doc__)}"
    if value.fset is not None:
        hints = hints_of(value.fset).items()
        types = [text_of(h) for n, h in hints if n not in ("return", "self")]
        kind = types[-1] if types else "Any"
        text += f"\n@{name}.setter\n{_function(name, f'self, value: {kind}', 'None')}"
    return text


def _function(name: str, arguments: str, result: str, doc: str | None = None) -> str:
    body = f"    {inspect.cleandoc(doc)!r}\n    ..." if doc else "    ..."
    return f"def {name}({arguments}) -> {result}:\n{body}"
