"""`compile`: a function whose calls are captured once, and then replayed."""

from __future__ import annotations

import functools
import inspect
import threading
import warnings
from collections.abc import Callable
from typing import Any

from tinytorch_compile.capture import Captured, ChangedNumbers, Place, capture
from tinytorch_compile.comparing import difference
from tinytorch_compile.errors import CaptureError, RecaptureWarning, UnfinishedError
from tinytorch_compile.replay import CHANGED, Replay, replay_of

# The most programs of one step; a step that needs more runs as it is.
_MOST_PROGRAMS = 8
# How often a step may create state before it is given up.
_MOST_UNFINISHED = 3
_BACKENDS = ("numpy",)


def compile(
    step: Callable[..., Any] | None = None, *, backend: str = "numpy", strict: bool = False
) -> Any:
    """Return a function that does the same as `step`, faster: it captures and replays the calls.

    The first call runs as it is, because it may create state. Later calls run as one function of
    NumPy calls. If anything changes that the captured calls depend on, such as the shape of an
    argument, the mode of a module or an option, the step is captured again.

    Args:
        step: a function of tensors, arrays and numbers. Without it, a decorator is returned.
        backend: "numpy".
        strict: raise CaptureError if the step cannot be captured, instead of running it as it is.

    Raises:
        TypeError: `step` is not callable.
        ValueError: the backend is unknown.

    >>> import numpy as np
    >>> double = compile(lambda x: np.exp(x) * 2)
    >>> for _ in range(3):
    ...     y = double(np.zeros(2))
    >>> y
    array([2., 2.])
    """
    if backend not in _BACKENDS:
        raise ValueError(f"compile() has no backend {backend!r}; choose one of {_BACKENDS}")
    if step is None:
        return functools.partial(compile, backend=backend, strict=strict)
    if not callable(step):
        raise TypeError(f"compile() takes a function, not {type(step).__name__}")
    return Compiled(step, strict)


class Compiled:
    """A step that is captured once and replayed; see `compile`.

    Attributes:
        step: the function itself.
        compiled: the function that replays the latest program, for `inspect.getsource`; None
            before the first one.
        reason: why the step is not compiled, or None.
    """

    def __init__(self, step: Callable[..., Any], strict: bool) -> None:
        functools.update_wrapper(self, step, updated=())
        self.step = step
        self.reason: str | None = None
        self._strict = strict
        self._lock = threading.RLock()
        # The programs, the latest first, by the number and names of the arguments.
        self._replays: dict[Any, list[Replay]] = {}
        self._latest: Replay | None = None
        self._numbers: set[Place] = set()
        self._unfinished = 0
        self._given_up = False

    @property
    def compiled(self) -> Callable[..., Any] | None:
        return None if self._latest is None else self._latest.run

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._given_up:
            return self.step(*args, **kwargs)
        with self._lock:
            for replay in self._replays.get((len(args), *kwargs), ()):
                if replay.verified:
                    result = replay.run(*args, **kwargs)
                    if result is not CHANGED:
                        return result
            return self._capture(args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def _capture(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Capture a call and replay it; run it as it is if that is not possible."""
        try:
            replay = self._replay_for(args, kwargs)
        except CaptureError as error:
            self._note(error)
            return self.step(*args, **kwargs)
        result = replay.run(*args, **kwargs)
        return self.step(*args, **kwargs) if result is CHANGED else result

    def _replay_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Replay:
        """Return a replay for the arguments, which is verified if it was captured before."""
        replays = self._replays.setdefault((len(args), *kwargs), [])
        captured = self._captured(args, kwargs)
        for replay in replays:
            if not replay.verified and self._verify(replay, captured):
                return replay
        if sum(map(len, self._replays.values())) >= _MOST_PROGRAMS:
            raise self._too_many()
        replay = replay_of(self._name(), captured, self._named(args, kwargs))
        replays.insert(0, replay)
        self._latest = replay
        return replay
