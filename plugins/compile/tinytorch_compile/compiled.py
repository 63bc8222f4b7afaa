"""`compile`: a function whose calls are captured once, and then replayed."""

from __future__ import annotations

import functools
import inspect
import os
import threading
import warnings
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from tinytorch_compile.adopting import adopt, own
from tinytorch_compile.backends import Backend, backend_of
from tinytorch_compile.capture import Captured, ChangedNumbers, Place, capture, is_capturing
from tinytorch_compile.comparing import OTHER_DECISION, difference, wrong_end
from tinytorch_compile.errors import (
    CaptureError,
    ExportError,
    RecaptureWarning,
    UnfinishedError,
)
from tinytorch_compile.examples import Arguments
from tinytorch_compile.explain import changing, explanation
from tinytorch_compile.guards import is_recording
from tinytorch_compile.location import caller_level
from tinytorch_compile.replay import CHANGED, HELD, Replay, replay_of

# The most programs of one step; a step that needs more runs as it is.
_MOST_PROGRAMS = 8
# How often a step may create state before it is given up.
_MOST_UNFINISHED = 3
# The version of the operators in exported models: runtimes since June 2024 support it, onnxruntime
# 1.18 among them.
DEFAULT_OPSET = 21


def compile(
    step: Callable[..., Any] | None = None, *, backend: str = "numpy", strict: bool = False
) -> Any:
    """Return a function that does the same as `step`, faster: it captures and replays the calls.

    The first call runs as it is, because it may create state. Later calls run as one function of
    NumPy calls. If anything changes that the captured calls depend on, such as the shape of an
    argument, the mode of a module or an option, the step is captured again.

    Args:
        step: a function, a method, or another object that can be called, such as a `Module`. Its
            arguments and its result are tensors, arrays, numbers, and tuples, lists and dicts of
            them. Without it, a decorator is returned.
        backend: "numpy", or "native", which compiles the calls to machine code; it needs
            `pip install "tinytorch-compile[native]"`.
        strict: raise CaptureError if the step cannot be captured, instead of running it as it is
            with a RecaptureWarning.

    Returns:
        A `Compiled` step.

    Raises:
        TypeError: `step` cannot be called, or is a class, a generator function or a coroutine
            function.
        ValueError: the backend is unknown.
        ImportError: the backend needs a package that is not installed.

    >>> import numpy as np
    >>> double = compile(lambda x: np.exp(x) * 2)
    >>> for _ in range(3):
    ...     y = double(np.zeros(2))
    >>> y
    array([2., 2.])
    """
    chosen = backend_of(backend)
    if step is None:
        return functools.partial(compile, backend=backend, strict=strict)
    if isinstance(step, Compiled):
        step = step.step
    _check_step(step)
    return Compiled(step, strict, chosen)


def _check_step(step: Any) -> None:
    if isinstance(step, str):
        raise TypeError(f"compile() takes a function first; write compile(backend={step!r})")
    if isinstance(step, type):
        raise TypeError(
            f"compile() takes a function, not the class {step.__name__}; compile an instance that "
            "can be called, or a method"
        )
    if isinstance(step, staticmethod | classmethod | property):
        raise TypeError(
            f"compile() takes a function, not a {type(step).__name__}; write @compile below "
            f"@{type(step).__name__}"
        )
    if not callable(step):
        raise TypeError(f"compile() takes a function, not {type(step).__name__}")
    for is_unsuitable, kind in _UNSUITABLE:
        # Not of other objects, whose __getattr__ would be called.
        if isinstance(step, FunctionType | MethodType) and is_unsuitable(step):
            raise TypeError(
                f"compile() takes a function that returns its result, but {step.__name__} is a "
                f"{kind} function, which runs later; compile a function that it calls"
            )


_UNSUITABLE: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (inspect.isgeneratorfunction, "generator"),
    (inspect.iscoroutinefunction, "coroutine"),
    (inspect.isasyncgenfunction, "asynchronous generator"),
)


class Compiled:
    """A step that is captured once and replayed; see `compile`.

    Attributes:
        step: the function itself.
        compiled: the function that replays the latest program, for `inspect.getsource`; None
            before the first one.
        reason: why the step is not compiled, or None.
    """

    def __init__(self, step: Callable[..., Any], strict: bool, backend: Backend) -> None:
        functools.update_wrapper(self, step, updated=())
        self.step = step
        self.reason: str | None = None
        self._options = (strict, backend)
        self._strict, self._backend = strict, backend
        self._attribute = self._name
        self._lock = threading.RLock()
        # The programs, the latest first, by the `_form` of the arguments.
        self._replays: dict[Any, list[Replay]] = {}
        self._latest: Replay | None = None
        self._arguments: Arguments | None = None
        self._numbers: set[Place] = set()
        self._unfinished = 0
        # Whether operations were recorded in calls that could not be captured.
        self._given_up: set[bool] = set()

    @property
    def compiled(self) -> Callable[..., Any] | None:
        return None if self._latest is None else self._latest.run

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self._lock:
            # `_form(args, kwargs)`, without the time of a call
            form = (len(args), *kwargs) if kwargs else len(args)
            for replay in self._replays.get(form, ()):
                if replay.verified:
                    try:
                        result = replay.run(*args, **kwargs) if kwargs else replay.run(*args)
                    except Exception as error:
                        if not replay.undo(error):
                            raise
                        return self.step(*args, **kwargs)  # raises it again, from its own line
                    if result is HELD:
                        return self._copying(replay, args, kwargs)
                    if result is not CHANGED:
                        return result
            if not self._given_up or is_recording() not in self._given_up:
                return self._capture(args, kwargs)
        return self.step(*args, **kwargs)

    def __repr__(self) -> str:
        programs = sum(replay.verified for group in self._replays.values() for replay in group)
        state = f"{programs} program{'' if programs == 1 else 's'}"
        return f"<compiled {self._name}: {self.reason or state}>"

    def __reduce__(self) -> Any:
        return type(self), (self.step, *self._options)  # a copy captures again

    def explain(self) -> str:
        """Return what was captured and what a replay checks, and what was not captured and why."""
        replays = [replay for group in self._replays.values() for replay in group]
        return explanation(self._name, replays, self.reason)

    def export_onnx(
        self,
        path: str | os.PathLike[str],
        *args: Any,
        batch: str | None = None,
        opset: int = DEFAULT_OPSET,
        **kwargs: Any,
    ) -> None:
        """Write the step as an ONNX model, for arguments of the shapes and dtypes of these.

        Without arguments, those of the latest program are used, so the step must have been
        captured: call it twice before. The export captures the step once more, which has no effect
        on its state.

        The inputs of the model are the arrays and tensors among the arguments, under the names of
        the parameters; other arguments are constants. Its outputs are what the step returns:
        "output"; for a tuple "output_0", "output_1" and so on; for a dict its keys. State that
        the step does not change, such as the parameters of a prediction, is stored in the model.
        State that it changes, such as the parameters of a training step, and numbers such as a
        learning rate, are further inputs, whose defaults are the values at present. The new value
        of "model.0.weight" is the output "model.0.weight.next".

        Requires onnx: `pip install "tinytorch-compile[onnx]"`.

        Args:
            path: the file.
            args, kwargs: example arguments of the step. Only their shapes and dtypes matter.
            batch: a name for the first axis of all arguments, if it may have any length. By
                default the model takes arrays of the shapes of the arguments only. The step is
                captured for three lengths, and must make the same calls for each of them.
            opset: the version of ONNX's operators, at least 19.

        Raises:
            ExportError: the step contains something that ONNX does not have, such as a random draw
                or a decision that depends on values; the message names the line. No file is
                written.
            ModuleNotFoundError: onnx is not installed.
        """
        import importlib.metadata

        from tinytorch_compile.export.exporting import export

        with self._lock:
            if not args and not kwargs:
                args, kwargs = self._example()
            producer = "tinytorch-compile", importlib.metadata.version("tinytorch-compile")
            export(path, self._name, self.step, args, kwargs, self._numbers, batch, opset, producer)

    def _example(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return arguments of the shapes and dtypes of the latest program."""
        if self._arguments is not None:
            return self._arguments.example()
        try:
            inspect.signature(self.step).bind()
        except (TypeError, ValueError):
            raise ExportError(
                f"{self._name} was not captured; call it twice before export_onnx(), or pass "
                "example arguments" + (f" ({self.reason})" if self.reason else "")
            ) from None
        return (), {}

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Return the step as a method of an object, which keeps it: it has its own programs."""
        if instance is None or not isinstance(self.step, FunctionType):
            return self
        if not hasattr(instance, "__dict__"):
            raise TypeError(
                f"@compile cannot keep the programs of a method of {type(instance).__name__}, "
                f"which has no __dict__; call compile(x.{self._attribute}) instead"
            )
        bound = type(self)(MethodType(self.step, instance), *self._options)
        return vars(instance).setdefault(self._attribute, bound)

    def __set_name__(self, owner: type, name: str) -> None:
        self._attribute = name

    def _capture(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Capture a call and replay it; run it as it is if that is not possible."""
        if is_capturing():
            return self.step(*args, **kwargs)
        replay = failure = None
        try:
            replay = self._replay_for(args, kwargs)
        except CaptureError as error:
            # The traceback refers to this frame: with it, they would be a cycle.
            failure = error.with_traceback(None)
            if self._strict:
                self._note(failure)
        except Exception as error:
            failure = CaptureError(f"capturing raised {type(error).__name__}: {error}")
        if replay is None:
            result = self.step(*args, **kwargs)  # raises the same error, or one is ours
            if failure is not None:
                self._note(failure)
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
        replays = self._replays[_form(args, kwargs)]
        arguments = self._named(args, kwargs)
        new = replay_of(self._name, replay.captured, arguments, self._backend, copies)
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
        replays = self._replays.setdefault(_form(args, kwargs), [])
        earlier = [r for r in replays if not r.verified and r.holds(*args, **kwargs)]
        captured = self._captured(args, kwargs)
        if not self._unfinished and captured.creates_gradients():
            raise UnfinishedError("the step creates gradients")
        for replay in earlier:
            if replay in replays:
                reason = difference(replay.captured.program, captured.program)
                if reason is OTHER_DECISION:
                    continue
                if reason is not None:
                    raise CaptureError(reason)
                if own(replay.captured):
                    replay = self._rebuilt(replay, args, kwargs)
                replay.verify()
                return replay
        known = [replay for group in self._replays.values() for replay in group]
        if len(known) >= _MOST_PROGRAMS:
            raise CaptureError(
                f"{self._name} was captured {_MOST_PROGRAMS} times, because what it depends on "
                f"keeps changing{changing(known)}"
            )
        arguments = self._named(args, kwargs)
        self._latest = replay_of(self._name, captured, arguments, self._backend)
        self._arguments = Arguments(args, kwargs)
        replays.insert(0, self._latest)
        return self._latest

    def _captured(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Captured:
        """Capture a call, with all numbers as state that change between calls or within one."""
        if self._latest is not None:
            self._add_numbers(_changed_numbers(self._latest.captured))
        while True:
            try:
                return capture(self.step, args, kwargs, self._numbers)
            except ChangedNumbers as changed:
                if changed.places <= self._numbers:
                    raise CaptureError("the type of a number of the state changes") from None
                self._add_numbers(changed.places)

    def _add_numbers(self, places: set[Place]) -> None:
        """Let numbers be part of the state. Programs for which they were constants are useless."""
        if not places <= self._numbers:
            self._numbers |= places
            for replays in self._replays.values():
                replays.clear()

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
        step = inspect.unwrap(self.step)
        while isinstance(step, functools.partial):
            step = step.func
        name = getattr(step, "__name__", type(step).__name__)
        return name if name.isidentifier() else "step"

    def _note(self, error: CaptureError) -> None:
        """Note why a call was not compiled, and whether the next one may be."""
        self.reason = str(error)
        self._unfinished += 1
        if isinstance(error, UnfinishedError):
            if self._unfinished < _MOST_UNFINISHED:
                self.reason += "; the next call is captured"
                return
            error = CaptureError(f"{error} in each call; return what it stores instead")
            self.reason = str(error)
        self._given_up.add(is_recording())
        for replays in self._replays.values():
            replays[:] = [replay for replay in replays if replay.verified]
        if self._strict:
            raise error
        warnings.warn(
            f"{self._name} runs without being compiled: {error}",
            RecaptureWarning,
            stacklevel=caller_level(),
        )


def _form(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return how the arguments of a call are passed: how many by position, and the other names."""
    return (len(args), *kwargs) if kwargs else len(args)


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
