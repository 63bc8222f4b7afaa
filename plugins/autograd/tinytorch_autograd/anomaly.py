"""detect_anomaly: which line made the first nan or inf, forward or backward.

While it is on, the surface has a callable around each op that looks at what the op made, and has
each node check itself on the way back. Off, there is nothing around an op, and nothing to pay.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from tinytorch_core import Op, Tensor, plugins
from tinytorch_core.extend import unwrap

from tinytorch_autograd import settings, tree
from tinytorch_autograd.anomaly_nodes import watch
from tinytorch_autograd.anomaly_where import Place, not_finite, users_line
from tinytorch_autograd.errors import AnomalyError
from tinytorch_autograd.numpy_lookup import called
from tinytorch_autograd.unrecorded import tensors

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
        self._open: list[ExitStack] = []

    def __enter__(self) -> None:
        block = ExitStack()
        # Callables come around the ops, unless they are there for the whole program.
        if settings.detect_anomaly is not True:
            block.enter_context(plugins.configure("autograd", detect_anomaly="blocks"))
        block.callback(_looking.reset, _looking.set(True))
        self._open.append(block)

    def __exit__(self, *error: object) -> None:
        self._open.pop().close()

    def __call__(self, function: Wrapped) -> Wrapped:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with detect_anomaly():  # one for each call: threads may be in it at once
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
        place = users_line()
        for result in tensors(made, Tensor):
            _check_result(op, result, (args, kwargs), place)
            watch(result, place)
        return made

    return function


def _check_result(op: Op, result: Any, arguments: Any, place: Place) -> None:
    found = not_finite(result.data)
    if found is None:
        return
    kind, where = found
    inputs = [a for a in map(_numbers, tree.leaves(arguments)) if a is not None]
    bad = [f for f in map(not_finite, inputs) if f is not None]
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
    return called(arguments[0][0]) if op.name == "numpy_function" else op.name


def _numbers(value: Any) -> Any:
    """The array of numbers in an argument, or None."""
    data = np.asarray(value) if isinstance(value, float | complex) else unwrap(value)
    return data if isinstance(data, np.ndarray) and data.dtype.kind in "fc" else None
