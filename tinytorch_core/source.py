"""Functions written out as source, compiled once, and readable with `inspect.getsource`.

What runs for `x * y` is one flat function with the real signature of its op. Closures over
`*args` and `**kwargs` would say the same and cost each call 100 to 300 ns more.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import linecache
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any

_serial = itertools.count()


def define(name: str, source: str, names: dict[str, Any]) -> Callable[..., Any]:
    r"""Returns the function `call` that `source` defines, renamed to `name`.

    Args:
        name: what the function is called in tracebacks and by `help`.
        source: the text of one `def call(...)`. Equal texts are compiled once.
        names: what the text's global names stand for; it becomes the function's globals.

    >>> double = define("double", "def call(x, by=two):\n    return x * by\n", {"two": 2})
    >>> double(4), double.__name__
    (8, 'double')
    """
    exec(_compiled(source), names)
    function: Any = names.pop("call")
    function.__code__ = function.__code__.replace(co_name=name, co_qualname=name)
    function.__name__ = function.__qualname__ = name
    return function  # type: ignore[no-any-return]


@functools.cache
def _compiled(source: str) -> CodeType:
    filename = f"<tinytorch {next(_serial)}>"
    # A modification time of None keeps linecache from dropping the entry.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    return compile(source, filename, "exec")


def signature_of(arguments: Iterable[inspect.Parameter], names: dict[str, Any]) -> tuple[str, str]:
    """The text of a signature and of a call with the same arguments.

    Default values that cannot be written out are added to `names`, the globals of the function
    that will have the signature.
    """
    signature, passed = [], []
    keyword_only = False
    for p in arguments:
        if p.kind is p.VAR_POSITIONAL:
            keyword_only = True
            signature.append(f"*{p.name}")
            passed.append(f"*{p.name}")
            continue
        if p.kind is p.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            signature.append("*")
        if p.default is p.empty:
            signature.append(p.name)
        elif p.default is None or isinstance(p.default, bool | int | str):
            signature.append(f"{p.name}={p.default!r}")
        else:
            names[f"default_{p.name}"] = p.default
            signature.append(f"{p.name}=default_{p.name}")
        passed.append(f"{p.name}={p.name}" if keyword_only else p.name)
    return ", ".join(signature), ", ".join(passed)


def tuple_of(names: Iterable[str]) -> str:
    """The text of a tuple.

    >>> tuple_of(["x"]), tuple_of(["x", "y"])
    ('(x,)', '(x, y)')
    """
    text = ", ".join(names := list(names))
    return f"({text},)" if len(names) == 1 else f"({text})"
