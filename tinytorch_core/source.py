"""Functions that are written out as source, and compiled when they are first called.

What runs for `x * y` is one flat function with the real signature of its op, which closures over
`*args` and `**kwargs` would imitate at 100 to 300 ns a call. Compiling takes 0.1 ms and more, so
an op that a program never runs costs it next to nothing. `inspect.getsource` shows the text.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import linecache
import weakref
from collections.abc import Callable, Iterable
from types import CodeType, FunctionType
from typing import Any

_serial = itertools.count()


def define(
    name: str,
    write: Callable[[dict[str, Any]], str],
    names: dict[str, Any],
    signature: inspect.Signature | None = None,
) -> Callable[..., Any]:
    r"""Returns the function `call` whose text `write` gives, renamed to `name`.

    Args:
        name: what the function is called in tracebacks and by `help`.
        write: given `names`, to which it may add, gives the text of one `def call(...)`. Equal
            texts are compiled once.
        names: what the text's global names stand for; it becomes the function's globals.
        signature: what `inspect.signature` shows before the first call.

    >>> text = "def call(x, by=two):\n    return x * by\n"
    >>> double = define("double", lambda names: text, {"two": 2})
    >>> double(4), double.__name__
    (8, 'double')
    >>> print(inspect.getsource(double))
    def double(x, by=two):
        return x * by
    <BLANKLINE>
    """
    file = f"tinytorch-{next(_serial)}:{name}"
    renamed = {"co_name": name, "co_qualname": name, "co_filename": file, "co_firstlineno": 1}
    code = _on_first_call.__code__.replace(**renamed)  # type: ignore[arg-type]
    function: Any = FunctionType(code, names, name)
    if signature is not None:
        function.__signature__ = signature

    def written_out() -> Callable[..., Any]:
        # The function stays the same object, so nobody who holds it need know.
        exec(_compiled(write(names)), names)
        call = names.pop("call", function)
        function.__defaults__, function.__kwdefaults__ = call.__defaults__, call.__kwdefaults__
        function.__code__ = call.__code__.replace(**renamed)
        return function  # type: ignore[no-any-return]

    names["written_out"] = written_out
    names["write"] = write
    reference = weakref.ref(function, _forget)
    _files[reference] = file
    # An entry of one function is asked for the text when somebody wants to see it. It must not
    # keep the function alive, and `write` may lead to it.
    linecache.cache[file] = (functools.partial(_text, reference),)
    return function  # type: ignore[no-any-return]


# The file names of the functions that are alive. `weakref.finalize` would take 1 µs for each.
_files: dict[weakref.ref[Any], str] = {}


def _forget(function: weakref.ref[Any]) -> None:
    linecache.cache.pop(_files.pop(function), None)


def _text(reference: weakref.ref[Any]) -> str:
    function = reference()
    if function is None:
        return ""
    text: str = function.__globals__["write"]({})
    return text.replace("def call(", f"def {function.__name__}(", 1)


def _on_first_call(*args: Any, **kwargs: Any) -> Any:
    return written_out()(*args, **kwargs)  # type: ignore[name-defined] # noqa: F821


@functools.cache
def _compiled(source: str) -> CodeType:
    return compile(source, "tinytorch", "exec")


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
