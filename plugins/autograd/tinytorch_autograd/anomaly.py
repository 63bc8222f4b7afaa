"""detect_anomaly: which line made the first nan or inf, forward or backward.

While it is on, the surface has a callable around each op that looks at what the op made, and has
each node check itself on the way back: that its saved arrays are as they were, and its gradients
finite. Off, there is nothing around an op, and nothing to pay.
"""

from __future__ import annotations

import functools
import linecache
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from tinytorch_core import Op, plugins
from tinytorch_core.tensor import TensorBase

from tinytorch_autograd import settings, tree
from tinytorch_autograd.errors import AnomalyError
from tinytorch_autograd.guards import tensors
from tinytorch_autograd.node import Function
from tinytorch_autograd.outputs import Output

Wrapped = TypeVar("Wrapped", bound=Callable[..., Any])

# Whether this thread or task is inside a block.
_looking: ContextVar[bool] = ContextVar("looking", default=False)


class detect_anomaly:
    """Says which line made the first nan or inf, inside a `with` block or a decorated function.

    An op that makes nan or inf raises AnomalyError then, which shows the line of your program that
    ran it; and so does one whose backward pass makes them, with the line that ran the op forward.
    So does the backward pass of an op whose saved arrays were written into in between. An inf that
    was in an op's input already, as in a mask, is no anomaly; a nan always is.

    The forward pass must run inside; the backward pass may follow outside. Blocks hold for their
    own thread or task. For a whole program, set `detect_anomaly = true` in the table
    `[tool.tinytorch.autograd]` of pyproject.toml, or call
    `plugins.configure("autograd", detect_anomaly=True)`. Small ops take some ten times as long
    while it is on, and not a bit longer when it is off.

    >>> from tinytorch_core import Tensor
    >>> x = Tensor([4.0, 0.0], requires_grad=True)
    >>> with detect_anomaly():
    ...     loss = np.sqrt(x).sum()
    ...     loss.backward()
    Traceback (most recent call last):
        ...
    tinytorch_autograd.errors.AnomalyError: the backward pass of sqrt made inf at element (1,) of \
the gradient of its input 'x', though the gradient that came in was finite. sqrt ran here:
      File "<doctest tinytorch_autograd.anomaly.detect_anomaly[2]>", line 2, in <module>
        loss = np.sqrt(x).sum()
    """

    def __init__(self) -> None:
        self._open: list[tuple[Token[bool], AbstractContextManager[Any]]] = []

    def __enter__(self) -> None:
        # Callables come around the ops, unless they are there for the whole program.
        always = settings.detect_anomaly is True
        block = nullcontext() if always else plugins.configure("autograd", detect_anomaly="blocks")
        block.__enter__()
        self._open.append((_looking.set(True), block))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        token, block = self._open.pop()
        _looking.reset(token)
        block.__exit__(kind, error, traceback)

    def __call__(self, function: Wrapped) -> Wrapped:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


def watched(op: Op, call: Callable[..., Any]) -> Callable[..., Any]:
    """`call`, looking at what it makes."""
    everywhere = settings.detect_anomaly is True

    @functools.wraps(call)
    def function(*args: Any, **kwargs: Any) -> Any:
        if not (everywhere or _looking.get()):
            return call(*args, **kwargs)
        # NumPy's warnings would say less, and may be errors themselves.
        with np.errstate(all="ignore"):
            made = call(*args, **kwargs)
        place = _users_line()
        for result in tensors(made, TensorBase):
            _check_result(op, result, (args, kwargs), place)
            _watch(result, place)
        return made

    return function


class Place(NamedTuple):
    """A line of a program."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        text = linecache.getline(self.file, self.line).strip()
        return f'\n  File "{self.file}", line {self.line}, in {self.function}\n    {text}'


_OURS = re.compile(
    r"[/\\]tinytorch_(core|autograd|activations|losses|layers|training)[/\\]|^tinytorch-"
)
_NUMPY = os.path.dirname(np.__file__) + os.sep


def _users_line() -> Place:
    """The innermost line that is neither ours nor NumPy's."""
    frame = outermost = sys._getframe(1)
    while frame.f_back is not None:
        code = frame.f_code
        if not (_OURS.search(code.co_filename) or code.co_filename.startswith(_NUMPY)):
            return Place(code.co_filename, frame.f_lineno, code.co_name)
        frame = frame.f_back
    return Place(outermost.f_code.co_filename, outermost.f_lineno, outermost.f_code.co_name)


def _check_result(op: Op, result: Any, arguments: Any, place: Place) -> None:
    found = _not_finite(result._data)
    if found is None:
        return
    kind, where = found
    inputs = [a for a in map(_array, tree.leaves(arguments)) if a is not None]
    bad = [f for f in map(_not_finite, inputs) if f is not None]
    name = _name(op, arguments)
    if kind != "nan" and bad:
        return
    if any(b == "nan" for b, _ in bad):
        at = next(at for b, at in bad if b == "nan")
        raise AnomalyError(
            f"{name} was given nan, at element {at} of an input: it comes from before what is "
            f"watched, perhaps from the data. {name} ran here:{place}"
        )
    finite = [a for a in inputs if a.size and not bad]
    spans = ", ".join(f"from {a.min():.6g} to {a.max():.6g}" for a in finite if a.dtype.kind != "c")
    given = f" of inputs {spans}" if spans else " of inputs with inf" if bad else ""
    raise AnomalyError(f"{name} made {kind} at element {where}{given}. It ran here:{place}")


def _name(op: Op, arguments: Any) -> str:
    """The op's name, or the function's for the op that stands for all of NumPy."""
    if op.name != "numpy_function":
        return op.name
    function = arguments[0][0]
    return f"np.{getattr(function, '__name__', function)}"


def _array(value: Any) -> Any:
    """The array of numbers in an argument, or None."""
    data = value._data if isinstance(value, TensorBase) else value
    if isinstance(data, float | complex):
        data = np.asarray(data)
    return data if isinstance(data, np.ndarray) and data.dtype.kind in "fc" else None


def _not_finite(array: Any) -> tuple[str, tuple[int, ...]] | None:
    """The kind and the place of the first nan, or else of the first inf."""
    if not isinstance(array, np.ndarray | np.generic) or array.dtype.kind not in "fc":
        return None
    if np.isfinite(array).all():
        return None
    for test in (np.isnan, np.isinf):
        places = np.argwhere(test(array))
        if len(places):
            at = tuple(int(i) for i in places[0])
            value = np.asarray(array)[at]
            return ("nan" if test is np.isnan else f"{value.real:g}"), at
    return None


class _Origin(NamedTuple):
    """Where a node comes from, and its saved arrays in short."""

    place: Place
    saved: tuple[tuple[str, int], ...]


_origins: WeakKeyDictionary[Function, _Origin] = WeakKeyDictionary()


def _watch(result: Any, place: Place) -> None:
    """Lets the node of a result check itself when it is walked through."""
    node = getattr(result, "_node", None)
    if isinstance(node, Output) and node.edges:
        node = node.edges[0]
    if isinstance(node, Function) and node.has_rule and node not in _origins and node.edges:
        kind = type(node)
        if "_watching" not in vars(kind):
            body = {"__slots__": (), "__module__": kind.__module__, "__doc__": kind.__doc__}
            kind._watching = type(kind.__name__, (_Watching, kind), body)  # type: ignore[attr-defined]
        node.__class__ = kind._watching  # type: ignore[attr-defined]
        _origins[node] = _Origin(place, _fingerprints(node))


def _fingerprints(node: Function) -> tuple[tuple[str, int], ...]:
    return tuple(
        (name, zlib.crc32(np.ascontiguousarray(array).data))
        for name, value in zip(node.saves, node.saved, strict=True)
        for array in tree.leaves(value if isinstance(value, list | tuple) else [value])
        if isinstance(array, np.ndarray) and array.size
    )


class _Watching:
    """What a watched node does besides."""

    __slots__ = ()

    def gradients(self: Any, grad: Any) -> tuple[Any, ...]:
        origin = _origins.get(self)
        if origin is None:
            return super().gradients(grad)  # type: ignore[misc, no-any-return]
        _check_saved(self, origin)
        try:
            with np.errstate(all="ignore"):
                parts = super().gradients(grad)  # type: ignore[misc]
        except AnomalyError as error:
            raise AnomalyError(
                f"the backward pass of {self.op.name} made nan or inf. {self.op.name} ran here:"
                f"{origin.place}"
            ) from error
        _check_gradients(self, origin, grad, parts)
        return parts  # type: ignore[no-any-return]

    def lifted(self: Any) -> Function:
        origin = _origins.get(self)
        node: Function = super().lifted()  # type: ignore[misc]
        if origin is not None:
            _check_saved(self, origin)
            _origins[node] = origin._replace(saved=())
        return node


def _check_saved(node: Function, origin: _Origin) -> None:
    if not origin.saved:
        return
    for (name, before), (_, now) in zip(origin.saved, _fingerprints(node), strict=True):
        if before != now:
            raise AnomalyError(
                f"the array that {node.op.name} had saved as {name!r} for its backward pass was "
                "written into since, so its gradient would be wrong; write into a copy. "
                f"{node.op.name} ran here:{origin.place}"
            )


def _check_gradients(node: Function, origin: _Origin, grad: Any, parts: Iterable[Any]) -> None:
    came = next(filter(None, map(_not_finite, map(_data, _parts_of(grad)))), None)
    for i, part in enumerate(parts):
        found = _not_finite(_data(part))
        if found is None or (came is not None and found[0] != "nan"):
            continue
        names = node.op.inputs
        name = names[i] if i < len(names) and not node.op.variadic else str(i)
        given = "was finite" if came is None else f"held {came[0]} already"
        raise AnomalyError(
            f"the backward pass of {node.op.name} made {found[0]} at element {found[1]} of the "
            f"gradient of its input {name!r}, though the gradient that came in {given}. "
            f"{node.op.name} ran here:{origin.place}"
        )


def _parts_of(grad: Any) -> Iterable[Any]:
    return grad.values() if isinstance(grad, dict) else (grad,)


def _data(value: Any) -> Any:
    return value._data if isinstance(value, TensorBase) else value
