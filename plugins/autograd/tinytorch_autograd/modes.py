"""no_grad and its relatives: whether operations are recorded, per thread and asynchronous task."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, TypeVar

Wrapped = TypeVar("Wrapped", bound=Callable[..., Any])

_recording: ContextVar[bool] = ContextVar("recording", default=True)

# Called by every op on a tracked tensor.
is_grad_enabled = _recording.get


class set_grad_enabled:
    """Turn recording on or off inside a `with` block or a decorated function.

    Blocks can be nested. Each thread and asynchronous task has its own mode.

    >>> from tinytorch_core import Tensor
    >>> x = Tensor([1.0], requires_grad=True)
    >>> with set_grad_enabled(False):
    ...     (x * 2).requires_grad
    False
    """

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self._tokens.append(_recording.set(self.mode))

    def __exit__(self, *error: object) -> None:
        _recording.reset(self._tokens.pop())

    def __call__(self, function: Wrapped) -> Wrapped:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with set_grad_enabled(self.mode):
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


class no_grad(set_grad_enabled):
    """Turn recording off inside a `with` block or a function decorated with `@no_grad()`."""

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(set_grad_enabled):
    """Turn recording on inside a `with` block or a function decorated with `@enable_grad()`."""

    def __init__(self) -> None:
        super().__init__(True)
