"""Generate functions from source text, and read and write their signatures.

The call of an op, as in `x * y`, is one function with the real signature of the op. A closure over
`*args` and `**kwargs` would cost 100 to 300 ns more per call. A function is compiled when it is
first called, because compiling takes 0.1 ms or more and a program uses only a few of the ops.
`inspect.getsource` shows the text.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import linecache
import weakref
from collections.abc import Callable, Iterable, Sequence
from types import CodeType, FunctionType
from typing import Any

import numpy as np

_serial = itertools.count()


def define(
    name: str,
    write: Callable[[dict[str, Any]], str],
    names: dict[str, Any],
    signature: inspect.Signature | None = None,
) -> Callable[..., Any]:
    r"""Return a function that is generated from text when it is first called.

    Args:
        name: the function's name, shown in tracebacks and by `help`.
        write: called as `write(names)`, returns the text of one `def call(...)`. It may add to
            `names`. Equal texts are compiled once.
        names: the global names that the text uses; it becomes the function's globals.
        signature: what `inspect.signature` shows; if None, the arguments are unknown until the
            first call.

    >>> text = "def call(x, by=_two):\n    return x * by\n"
    >>> double = define("double", lambda names: text, {"_two": 2})
    >>> double(4), double.__name__
    (8, 'double')
    >>> print(inspect.getsource(double))
    def double(x, by=_two):
        return x * by
    <BLANKLINE>
    """
    file = f"tinytorch-{next(_serial)}:{name}"
    renamed: Any = {"co_name": name, "co_qualname": name, "co_filename": file, "co_firstlineno": 1}
    function: Any = FunctionType(_first_call.__code__.replace(**renamed), names, name)
    if signature is not None:
        function.__signature__ = signature

    def compiled() -> Callable[..., Any]:
        # The function object stays the same, so references to it stay valid.
        exec(_compiled(write(names)), names)
        call = names.pop("call", function)
        function.__defaults__, function.__kwdefaults__ = call.__defaults__, call.__kwdefaults__
        function.__code__ = call.__code__.replace(**renamed)
        return function

    names |= {"_compiled_function": compiled, "_write": write}
    reference = weakref.ref(function, _forget)
    _files[reference] = file
    # linecache calls a one-element entry for the text when the text is needed. The entry must not
    # keep the function alive, and `write` may refer to it.
    linecache.cache[file] = (functools.partial(_text, reference),)
    return function


# The file names of the functions that are alive. `weakref.finalize` would take 1 µs for each.
_files: dict[weakref.ref[Any], str] = {}


def _forget(function: weakref.ref[Any]) -> None:
    linecache.cache.pop(_files.pop(function), None)


def _text(reference: weakref.ref[Any]) -> str:
    function = reference()
    if function is None:
        return ""
    text: str = function.__globals__["_write"]({})
    return text.replace("def call(", f"def {function.__name__}(", 1)


def _first_call(*args: Any, **kwargs: Any) -> Any:
    return _compiled_function()(*args, **kwargs)  # type: ignore[name-defined] # noqa: F821


@functools.cache
def _compiled(source: str) -> CodeType:
    return compile(source, "tinytorch", "exec")


def signature_text(
    arguments: Iterable[inspect.Parameter], names: dict[str, Any]
) -> tuple[str, str]:
    """Return the text of a signature, and of a call that passes the same arguments on.

    Default values that cannot be written as text are added to `names`, the globals of the
    function that gets the signature.
    """
    signature: list[str] = []
    passed: list[str] = []
    for p in arguments:
        if p.kind is p.KEYWORD_ONLY and not any(text.startswith("*") for text in signature):
            signature.append("*")
        default = ""
        if type(p.default) in (type(None), bool, int, str):  # not enums, whose repr differs
            default = f"={p.default!r}"
        elif p.default is not p.empty:
            default = f"=_default_{p.name}"
            names[f"_default_{p.name}"] = p.default
        star = "*" if p.kind is p.VAR_POSITIONAL else "**" if p.kind is p.VAR_KEYWORD else ""
        signature.append(f"{star}{p.name}{default}")
        passed.append(f"{p.name}={p.name}" if p.kind is p.KEYWORD_ONLY else f"{star}{p.name}")
    return ", ".join(signature), ", ".join(passed)


# NumPy's and PyTorch's spellings of the same arguments.
SPELLINGS = {"axis": "dim", "dim": "axis", "keepdims": "keepdim", "keepdim": "keepdims"}


def with_spellings(
    arguments: Sequence[inspect.Parameter], names: dict[str, Any]
) -> tuple[list[inspect.Parameter], list[str]]:
    """Return the arguments, and the other spelling of `axis` and the like as further ones.

    Also return the text that assigns the other spelling, if it is passed, to the argument, and
    add to `names` the globals of that text.
    """
    others, lines = [], []
    given = {p.name for p in arguments}
    for p in arguments:
        other = SPELLINGS.get(p.name)
        if other and p.default is not p.empty and other not in given:
            others.append(p.replace(name=other, default=None, annotation=p.empty))
            names[f"_default_{p.name}"] = p.default
            error = f"{p.name} and {other} are two names of one argument; pass only one of them"
            lines += [
                f"    if {other} is not None:",
                f"        if {p.name} != _default_{p.name}:",
                f"            raise TypeError({error!r})",
                f"        {p.name} = {other}",
            ]
    return sorted([*arguments, *others], key=lambda p: p.kind), lines


def tuple_text(names: Iterable[str]) -> str:
    """Return the text of a tuple.

    >>> tuple_text(["x"]), tuple_text(["x", "y"])
    ('(x,)', '(x, y)')
    """
    text = ", ".join(names := list(names))
    return f"({text},)" if len(names) == 1 else f"({text})"


def arguments_of(
    function: Callable[..., Any],
) -> tuple[tuple[str, ...], tuple[str, ...], str | None, str | None]:
    """Return the names of a function's arguments.

    Returns:
        All names but that of `**kwargs`, in order; those that have no default and can be passed
        by position, `*args` included; the name of `*args` and that of `**kwargs`, or None.

    Raises:
        TypeError, ValueError: the signature cannot be read.
    """
    if isinstance(function, FunctionType) and _REPLACED.isdisjoint(function.__dict__):
        code = function.__code__  # a thirtieth of the time of `inspect.signature`
        names, count = code.co_varnames, code.co_argcount
        last = count + code.co_kwonlyargcount
        star = names[last] if code.co_flags & inspect.CO_VARARGS else None
        found = (star,) if star else ()
        double_star = names[last + len(found)] if code.co_flags & inspect.CO_VARKEYWORDS else None
        required = names[: count - len(function.__defaults__ or ())]
        return names[:count] + found + names[count:last], required + found, star, double_star
    given = inspect.signature(function).parameters.values()
    by_kind = {p.kind: p.name for p in given}
    double_star = by_kind.get(inspect.Parameter.VAR_KEYWORD)
    return (
        tuple(p.name for p in given if p.name != double_star),
        tuple(p.name for p in given if p.default is p.empty and p.kind < p.KEYWORD_ONLY),
        by_kind.get(inspect.Parameter.VAR_POSITIONAL),
        double_star,
    )


_REPLACED = {"__wrapped__", "__signature__"}


def argument_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a function's arguments, `*args` and `**kwargs` not included."""
    names, _, star, _ = arguments_of(function)
    return names if star is None else tuple(name for name in names if name != star)


@functools.lru_cache(maxsize=1024)
def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a function, cached: one in C takes 0.4 ms to read.

    Raises:
        TypeError, ValueError: the signature cannot be read.
    """
    return inspect.signature(function)


def is_in_c(function: Callable[..., Any], inputs: Sequence[str] | None) -> bool:
    """Return whether a function takes its arguments by position only, so any names will do."""
    return isinstance(function, np.ufunc) or bool(inputs and inspect.isbuiltin(function))


def numpy_name(function: Any) -> str:
    """Return the name of a NumPy function as users write it.

    >>> numpy_name(np.linalg.svd), numpy_name(np.add.reduce), numpy_name(np.exp)
    ('np.linalg.svd', 'np.add.reduce', 'np.exp')
    """
    ufunc = getattr(function, "__self__", function)
    name = getattr(function, "__name__", type(function).__name__)
    if isinstance(ufunc, np.ufunc):
        # A ufunc does not know its module.
        known = getattr(np, ufunc.__name__, None) is ufunc
        owner = f"np.{ufunc.__name__}" if known else f"ufunc {ufunc.__name__}"
        return owner if ufunc is function else f"{owner}.{name}"
    module = getattr(function, "__module__", None) or "numpy"
    package, _, rest = module.partition(".")
    if package != "numpy":
        return f"{module}.{name}"
    public = rest in ("linalg", "fft", "lib.stride_tricks") or rest.startswith(("polynomial", "ma"))
    return f"np.{rest}.{name}" if public else f"np.{name}"
