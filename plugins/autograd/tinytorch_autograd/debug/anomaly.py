"""detect_anomaly: report the line that produced the first nan or inf, forward or backward.

While it is on, each op of the surface is wrapped: the wrapper checks the result and makes the new
node check itself in the backward pass. While it is off, ops are not wrapped and cost nothing more.
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
from tinytorch_autograd.debug.location import Location, find_nonfinite, users_location
from tinytorch_autograd.debug.watched_nodes import watch
from tinytorch_autograd.errors import AnomalyError

Wrapped = TypeVar("Wrapped", bound=Callable[..., Any])

# Whether the current thread or task is inside a block.
_inside_block: ContextVar[bool] = ContextVar("inside_block", default=False)


class detect_anomaly:
    """Raise an error at the first nan or inf, inside a `with` block or a decorated function.

    An op that produces nan or inf raises AnomalyError with the line of your program that ran it. If
    its backward pass produces them, the error shows the line that ran the op forward. An op whose
    saved arrays were modified before its backward pass raises the same error. An inf that was in an
    op's input already, as in a mask, is allowed; a nan never is.

    The forward pass must run inside the block; the backward pass may run after it. A block applies
    to its own thread or task. To check a whole program, set `detect_anomaly = true` in the table
    `[tool.tinytorch.autograd]` of pyproject.toml, or call
    `plugins.configure("autograd", detect_anomaly=True)`. Small ops take about ten times as long
    while it is on, and no longer than usual while it is off.

    >>> from tinytorch_core import Tensor
    >>> x = Tensor([4.0, 0.0], requires_grad=True)
    >>> with detect_anomaly():
    ...     loss = np.sqrt(x).sum()
    ...     loss.backward()
    Traceback (most recent call last):
        ...
    tinytorch_autograd.errors.AnomalyError: the backward pass of sqrt produced inf at element (1,) \
of the gradient of its input 'x', though the gradient of its output was finite. sqrt ran here:
      File "<doctest tinytorch_autograd.debug.anomaly.detect_anomaly[2]>", line 2, in <module>
        loss = np.sqrt(x).sum()
    """

    def __init__(self) -> None:
        self._open: list[ExitStack] = []

    def __enter__(self) -> None:
        block = ExitStack()
        # Wrap the ops, unless they are wrapped for the whole program already.
        if settings.detect_anomaly is not True:
            block.enter_context(plugins.configure("autograd", detect_anomaly="blocks"))
        block.callback(_inside_block.reset, _inside_block.set(True))
        self._open.append(block)

    def __exit__(self, *error: object) -> None:
        self._open.pop().close()

    def __call__(self, function: Wrapped) -> Wrapped:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with detect_anomaly():  # a new one for each call, because threads may run it at once
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


def watched(op: Op, call: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `call` in the checks of its result and of its backward pass."""
    whole_program = settings.detect_anomaly is True

    @functools.wraps(call)
    def function(*args: Any, **kwargs: Any) -> Any:
        if not (whole_program or _inside_block.get()):
            return call(*args, **kwargs)
        # NumPy's warnings contain less, and may be turned into errors.
        with np.errstate(all="ignore"):
            results = call(*args, **kwargs)
        location = users_location()
        for result in tree.leaves(results):
            if isinstance(result, Tensor):
                _check_result(op.name, result, (args, kwargs), location)
                watch(result, location)
        return results

    return function


def _check_result(name: str, result: Any, arguments: Any, location: Location) -> None:
    found = find_nonfinite(result.data)
    if found is None:
        return
    kind, index = found
    inputs = [a for a in map(_floats_of, tree.leaves(arguments)) if a is not None]
    bad_inputs = [f for f in map(find_nonfinite, inputs) if f is not None]
    if kind != "nan" and bad_inputs:
        return
    for bad, bad_index in bad_inputs:
        if bad == "nan":
            raise AnomalyError(
                f"{name} received nan, at element {bad_index} of an input. The nan was produced "
                "before detect_anomaly began, or comes from the data; check where the input "
                f"comes from. {name} ran here:{location}"
            )
    finite = [a for a in inputs if a.size and not bad_inputs]
    spans = ", ".join(f"from {a.min():.6g} to {a.max():.6g}" for a in finite if a.dtype.kind != "c")
    given = f" of inputs {spans}" if spans else " of inputs with inf" if bad_inputs else ""
    raise AnomalyError(f"{name} produced {kind} at element {index}{given}. It ran here:{location}")


def _floats_of(value: Any) -> Any:
    """Return the floating-point array of an argument, or None if it has none."""
    data = np.asarray(value) if isinstance(value, float | complex) else unwrap(value)
    return data if isinstance(data, np.ndarray) and data.dtype.kind in "fc" else None
