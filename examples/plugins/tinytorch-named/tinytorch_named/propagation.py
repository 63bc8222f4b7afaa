"""The wrapper of each op, which gives names to its results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tinytorch_core import Op, Tensor

from tinytorch_named.arguments import Arguments, have_names
from tinytorch_named.names import Names, NamesError
from tinytorch_named.rules import Rule

# Whether an op with named tensors runs. The ops that it runs itself, such as those of which
# autograd composes a NumPy function, ignore names: they may combine the axes in any way.
_running: ContextVar[bool] = ContextVar("running", default=False)


@contextmanager
def ignoring_names() -> Iterator[None]:
    """Run ops without checking names; the results have none."""
    token = _running.set(True)
    try:
        yield
    finally:
        _running.reset(token)


def propagating(op: Op, call: Callable[..., Any], rule: Rule | None) -> Callable[..., Any]:
    """Return the call of an op that checks the names of its inputs and names its results.

    Args:
        op: the op.
        call: the call so far.
        rule: returns the names of the result. None if nothing is known: the results have none.
    """

    def run(*args: Any, **kwargs: Any) -> Any:
        if _running.get():
            return call(*args, **kwargs)
        if not (have_names(args) or (kwargs and have_names(kwargs.values()))):
            return _unnamed(op, call, args, kwargs)
        given = Arguments(op, args, kwargs)
        names = _names_of_result(rule, given)
        with ignoring_names():
            out = call(*given.args, **given.kwargs)
        _assign(out, names)
        _assign(kwargs.get("out"), names)
        return out

    return run


def _unnamed(op: Op, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    try:
        return call(*args, **kwargs)
    except TypeError:
        if any(isinstance(value, str) for value in (*args, *kwargs.values())):
            Arguments(op, args, kwargs)  # explains that the tensor does not have this name
        raise


def _names_of_result(rule: Rule | None, given: Arguments) -> Names | None:
    if rule is None:
        return None
    try:
        return rule(given)
    except NamesError:
        raise
    except (AttributeError, IndexError, TypeError, ValueError):
        return None  # invalid arguments, which the op itself reports


def _assign(out: Any, names: Names | None) -> None:
    if isinstance(out, tuple | list):
        for item in out:
            _assign(item, names)
    elif isinstance(out, Tensor):
        fits = names is not None and len(names) == out.ndim and any(names)
        if fits or getattr(out, "_names", None) is not None:
            out._names = names if fits else None
