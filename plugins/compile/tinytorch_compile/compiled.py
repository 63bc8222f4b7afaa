"""`compile`: a function whose calls are captured once, and then replayed."""

from __future__ import annotations

import functools
import inspect
import threading
import warnings
from collections.abc import Callable
from typing import Any

from tinytorch_compile.adopting import adopt, own
from tinytorch_compile.capture import Captured, ChangedNumbers, Place, capture, is_capturing
from tinytorch_compile.comparing import OTHER_DECISION, difference, wrong_end
from tinytorch_compile.errors import CaptureError, RecaptureWarning, UnfinishedError
from tinytorch_compile.explain import explanation
from tinytorch_compile.replay import CHANGED, HELD, Replay, replay_of

# The most programs of one step; a step that needs more runs as it is.
_MOST_PROGRAMS = 8
# How often a step may create state before it is given up.
_MOST_UNFINISHED = 3
# The backends.
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
                    try:
                        result = replay.run(*args, **kwargs)
                    except Exception as error:
                        if not replay.undo(error):
                            raise
                        return self.step(*args, **kwargs)  # raises it again, from its own line
                    if result is HELD:
                        return self._copying(replay, args, kwargs)
                    if result is not CHANGED:
                        return result
            return self._capture(args, kwargs)

    def explain(self) -> str:
        """Return what was captured and what a replay checks, and what was not captured and why."""
        replays = [replay for group in self._replays.values() for replay in group]
        return explanation(self._name, replays, self.reason)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def _capture(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Capture a call and replay it; run it as it is if that is not possible."""
        if is_capturing():
            return self.step(*args, **kwargs)
        try:
            replay = self._replay_for(args, kwargs)
        except CaptureError as error:
            self._note(error)
            return self.step(*args, **kwargs)
        except Exception as error:
            result = self.step(*args, **kwargs)  # raises the same error, or one is ours
            self._note(CaptureError(f"capturing raised {type(error).__name__}: {error}"))
            return result
        if replay.verified:
            result = replay.run(*args, **kwargs)
            if result is not CHANGED:
                return result
        result = self.step(*args, **kwargs)
        self.reason = None
        if not replay.verified:
            if (what := wrong_end(replay.captured, result)) is not None:
                self._note(self._explained(replay, what, args, kwargs))
            elif adopt(replay.captured):
                self._rebuilt(replay, args, kwargs)
        return result

    def _rebuilt(
        self, replay: Replay, args: tuple[Any, ...], kwargs: dict[str, Any], copies: bool = False
    ) -> Replay:
        """Replace a replay by a new one for the same captured call, and return it."""
        replays = self._replays[(len(args), *kwargs)]
        new = replay_of(self._name, replay.captured, self._named(args, kwargs), copies)
        replays[replays.index(replay)] = self._latest = new
        return new

    def _copying(self, replay: Replay, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the step although the user holds gradients, into which a replay would write."""
        if own(replay.captured, all_gradients=True):
            return self._capture(args, kwargs)
        self._rebuilt(replay, args, kwargs, copies=True).verify()
        return self(*args, **kwargs)

    def _explained(
        self, replay: Replay, what: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> CaptureError:
        """Return the error for a program that differs from the step, if possible with the line."""
        try:
            reason = difference(replay.captured.program, self._captured(args, kwargs).program)
        except CaptureError as error:
            return error
        return CaptureError(reason or f"{what} if the calls of NumPy are replayed")

    def _replay_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Replay:
        """Return a replay for a call: a new one, or an earlier one that a second capture equals."""
        replays = self._replays.setdefault((len(args), *kwargs), [])
        earlier = [r for r in replays if not r.verified and r.holds(*args, **kwargs)]
        captured = self._captured(args, kwargs)
        for replay in earlier:
            if captured.numbers == replay.captured.numbers:
                reason = difference(replay.captured.program, captured.program)
                if reason is OTHER_DECISION:
                    continue
                if reason is not None:
                    raise CaptureError(reason)
                if own(replay.captured):
                    replay = self._rebuilt(replay, args, kwargs)
                replay.verify()
                return replay
            replays.remove(replay)
        if sum(map(len, self._replays.values())) >= _MOST_PROGRAMS:
            raise CaptureError(
                f"{self._name} was captured {_MOST_PROGRAMS} times, because what it depends on "
                "keeps changing; explain() lists the programs"
            )
        self._latest = replay_of(self._name, captured, self._named(args, kwargs))
        replays.insert(0, self._latest)
        return self._latest

    def _captured(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Captured:
        """Capture a call, with all numbers as state that change between calls or within one."""
        if self._latest is not None:
            self._numbers |= _changed_numbers(self._latest.captured)
        while True:
            try:
                return capture(self.step, args, kwargs, self._numbers)
            except ChangedNumbers as changed:
                if changed.places <= self._numbers:
                    raise CaptureError("the type of a number of the state changes") from None
                self._numbers |= changed.places

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by the names that the replay gives them."""
        try:
            parameters = list(inspect.signature(self.step).parameters)
        except Exception:  # what `__getattr__` of the step raises, too
            parameters = []
        names = [*parameters, *(f"argument_{i}" for i in range(len(parameters), len(args)))]
        return {**dict(zip(names, args, strict=False)), **kwargs}

    @property
    def _name(self) -> str:
        name = getattr(self.step, "__name__", type(self.step).__name__)
        return name if name.isidentifier() else "step"

    def _note(self, error: CaptureError) -> None:
        """Note why a call was not compiled, and whether the next one may be."""
        self.reason = str(error)
        self._unfinished += 1
        if isinstance(error, UnfinishedError) and self._unfinished < _MOST_UNFINISHED:
            return
        self._given_up = True
        self._replays.clear()
        if self._strict:
            raise error
        warnings.warn(
            f"{self._name} runs without being compiled: {error}", RecaptureWarning, stacklevel=4
        )


def _changed_numbers(captured: Captured) -> set[Place]:
    """Return the places of the numbers of the state that have changed since the capture."""
    found = set()
    for box in captured.state.boxes:
        now = {} if box.private else box.current()
        for key, value in box.items.items():
            new = now.get(key)
            if type(value) in (int, float) and type(new) is type(value) and new is not value:
                found.add((id(box.thing), key))
    return found
