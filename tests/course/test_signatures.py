"""The names, arguments, defaults and constants are those of the course.

`signatures.txt` lists them, with the methods of a class below it.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).with_name("signatures.txt")


def listed() -> Iterator[tuple[str, str, str]]:
    """Yield the module, the dotted name and the text of each signature."""
    module = owner = ""
    for line in FILE.read_text("utf-8").splitlines():
        name = line.strip().partition("(")[0]
        if line.startswith("# "):
            module = line.removeprefix("# ")
        elif line.startswith("    "):
            yield module, f"{owner}.{name}", line.strip()
        else:
            owner = name
            yield module, name, line


def arguments(signature: str, names: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the names and the default values of the arguments in a signature's text."""
    (function,) = ast.parse(f"def {signature}: pass").body
    assert isinstance(function, ast.FunctionDef)
    args = function.args
    missing = [inspect.Parameter.empty] * (len(args.args) - len(args.defaults))
    defaults = [eval(ast.unparse(node), names) for node in args.defaults]
    pairs = [(a.arg, d) for a, d in zip(args.args, missing + defaults, strict=True)]
    return pairs + ([(args.vararg.arg, inspect.Parameter.empty)] if args.vararg else [])


# A method of the core's Tensor with further arguments and other default values.
WIDER = {"Tensor.transpose"}


@pytest.mark.parametrize("module", sorted({module for module, _, _ in listed()}))
@pytest.mark.usefixtures("course")
def test_the_signatures_are_those_of_the_course(module: str) -> None:
    names = vars(importlib.import_module(f"tinytorch.core.{module}"))
    for name, signature in [(n, s) for m, n, s in listed() if m == module]:
        owner, _, method = name.partition(".")
        found: Any = getattr(names[owner], method) if method else names[owner]
        parameters = list(inspect.signature(found).parameters.values())
        own = parameters[1:] if method else parameters
        wanted = [] if name in WIDER else arguments(signature, dict(names))
        assert [(p.name, p.default) for p in own[: len(wanted)]] == wanted, name
        for further in own[len(wanted) :]:
            optional = further.default is not further.empty
            assert optional or further.kind in (further.VAR_POSITIONAL, further.VAR_KEYWORD), name
