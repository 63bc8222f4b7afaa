"""The text of type stubs for Tensor, as the active plugins make it.

One stub stands in for `tinytorch_core/tensor.py`: what the plain tensor declares there or inherits,
without the `__getattr__` that lets every name pass, and after it what the surface has beyond that.
The other one only makes a package around it. All other modules speak for themselves.
"""

from __future__ import annotations

import ast
import inspect
import keyword
import textwrap
from collections.abc import Iterator
from typing import Any

import tinytorch_core
from tinytorch_core import __version__, array_methods, tensor
from tinytorch_core.extend import Keyword, Op, Surface

from tinytorch_devkit.commands.annotations import (
    BUILTINS,
    hints_of,
    signature_of,
    signature_text,
    text_of,
)

HEADER = """\
# Written by `tinytorch stubs`. Write it anew when plugins come, go or change.
# {made_of}
# mypy: disable-error-code="override, misc"
# pyright: reportIncompatibleMethodOverride=false

import builtins
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np

"""

# What the plain tensor declares for want of knowing what plugins will add.
_OPEN = ("__getattr__", "__setattr__", "__init__")


def package_stub() -> str:
    """The text of `__init__.pyi`."""
    module = ast.parse(inspect.getsource(tinytorch_core))
    imports = [_import(node) for node in module.body if isinstance(node, ast.ImportFrom)]
    names = f"__all__ = {tinytorch_core.__all__!r}"
    return "\n".join([*imports, "", "__version__: str", names, ""])


def _import(node: ast.ImportFrom) -> str:
    if node.module != "tinytorch_core":
        return ast.unparse(node)
    # In the form that leads out of the stubs, to modules that have none.
    return "\n".join(f"import {node.module}.{n.name} as {n.name}" for n in node.names)


def tensor_stub(surface: Surface) -> str:
    """The text of `tensor.pyi` for a surface that is computed."""
    module = ast.parse(inspect.getsource(tensor))
    (base,) = _classes(module)
    (inherited,) = _classes(ast.parse(inspect.getsource(array_methods)))
    base.body += [node for node in inherited.body if isinstance(node, ast.FunctionDef)]
    base.bases = []
    _declare(base)
    base.body += ast.parse("\n".join(_additions(surface, _names(base)))).body
    module.body = [_declared(n) for n in module.body if _is_declaration(n)]
    shadowed = _names(base) & {kind.__name__ for kind in BUILTINS}
    text = ast.unparse(ast.fix_missing_locations(_Unshadowed(shadowed).visit(module)))
    plugins = [f"{p.name} ({p.origin})" for p in surface.plugins]
    made_of = ", ".join([f"tinytorch-core {__version__}", *plugins])
    return f"{HEADER.format(made_of=made_of)}{text}\n"


def _classes(module: ast.Module) -> list[ast.ClassDef]:
    return [node for node in module.body if isinstance(node, ast.ClassDef)]


class _Unshadowed(ast.NodeTransformer):
    """Writes `builtins.float` for `float` where Tensor has a method of that name."""

    def __init__(self, shadowed: set[str]) -> None:
        self.shadowed = shadowed

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.shadowed:
            return node
        return ast.Attribute(ast.Name("builtins", node.ctx), node.id, node.ctx)


def _is_declaration(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return False
    return isinstance(node, ast.Import | ast.ImportFrom | ast.If | ast.ClassDef | ast.FunctionDef)


def _declared(node: ast.stmt, indent: int = 4) -> ast.stmt:
    """The node with the bodies of functions left out."""
    if isinstance(node, ast.FunctionDef):
        doc = ast.get_docstring(node)
        node.body = [ast.Expr(ast.Constant(_indented(doc, indent)))] if doc else []
        node.body.append(ast.Expr(ast.Constant(...)))
    elif isinstance(node, ast.ClassDef):
        node.body = [_declared(n, indent + 4) for n in node.body]
    return node


def _indented(doc: str, indent: int) -> str:
    lines = textwrap.indent(doc, " " * indent).lstrip()
    return f"{lines}\n{' ' * indent}" if "\n" in doc else lines


def _declare(base: ast.ClassDef) -> None:
    """Takes what stands below `if TYPE_CHECKING` into the class, and the open ends out of it."""
    body: list[ast.stmt] = []
    for node in base.body:
        body += node.body if isinstance(node, ast.If) else [node]
    base.body = [n for n in body if not (isinstance(n, ast.FunctionDef) and n.name in _OPEN)]


def _names(base: ast.ClassDef) -> set[str]:
    names = {node.name for node in base.body if isinstance(node, ast.FunctionDef)}
    return names | {
        node.target.id
        for node in base.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def _additions(surface: Surface, declared: set[str]) -> Iterator[str]:
    """What the surface has beyond the names that the plain tensor declares."""
    yield _constructor(surface.keywords)
    runs = {name: op for op in surface.ops.values() for name in (*op.methods, op.reflected) if name}
    for name in surface.providers:
        if name not in declared and _can_be_written(name) and (name in runs or name[0] != "_"):
            op = runs.get(name)
            yield _op(name, op) if op else _attribute(name, surface.namespace[name])


def _can_be_written(name: str) -> bool:
    """Whether a name is one that a program can write; `setattr` takes any."""
    return name.isidentifier() and not keyword.iskeyword(name)


def _constructor(keywords: dict[str, Keyword]) -> str:
    texts = [
        f"{name}: {_keyword_type(added)} = ..."
        for name, added in keywords.items()
        if _can_be_written(name)
    ]
    more = ["*", *texts] if texts else []
    return _function(
        "__init__", ", ".join(["self", "data: Any", "dtype: Any = None", *more]), "None"
    )


def _keyword_type(added: Keyword) -> str:
    hints = hints_of(added.set)
    hints.pop("return", None)
    given = list(hints.values())
    return text_of(given[-1] if given else type(added.default) if added.default else Any)


def _op(name: str, op: Op) -> str:
    hints = hints_of(op.forward)
    if name == op.reflected:
        return _function(name, "self, other: Any", "Self", op.doc)
    arguments = signature_text(op.signature, hints, op.inputs)
    return _function(name, arguments, _result(op, hints.get("return", Any)), op.doc)


def _result(op: Op, hint: Any) -> str:
    if op.raw:
        return text_of(hint)
    if op.in_place:
        return "Self" if op.operator else "None"
    # Where a forward returns arrays its op returns Tensors.
    return text_of(hint).replace("np.ndarray[Any, Any]", "Self").replace("Any", "Self")


def _attribute(name: str, value: Any) -> str:
    if isinstance(value, property):
        return _property(name, value)
    if isinstance(value, staticmethod | classmethod):
        return f"{name}: Any"
    if inspect.isroutine(value):
        hints = hints_of(value)
        arguments = signature_text(signature_of(value), hints)
        return _function(name, arguments, text_of(hints.get("return", Any)), value.__doc__)
    return f"{name}: {text_of(type(value)) if value is not None else 'Any'}"


def _property(name: str, value: property) -> str:
    hint = text_of(hints_of(value.fget).get("return", Any)) if value.fget else "Any"
    text = f"@property\n{_function(name, 'self', hint, value.__doc__)}"
    if value.fset is not None:
        given = list(hints_of(value.fset).items())
        types = [text_of(h) for n, h in given if n not in ("return", "self")]
        kind = types[-1] if types else "Any"
        text += f"\n@{name}.setter\n{_function(name, f'self, value: {kind}', 'None')}"
    return text


def _function(name: str, arguments: str, result: str, doc: str | None = None) -> str:
    body = f"    {inspect.cleandoc(doc)!r}\n    ..." if doc else "    ..."
    return f"def {name}({arguments}) -> {result}:\n{body}"
