"""`jit`: a function or a training step, compiled by XLA."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from tinytorch_core import Tensor

from tinytorch_xla.arguments import collected, filled, flattened, key_of
from tinytorch_xla.array import Array
from tinytorch_xla.checks import FailedCheckError
from tinytorch_xla.devices import to_numpy
from tinytorch_xla.draws import tracing
from tinytorch_xla.engine import enabled, is_traced
from tinytorch_xla.guards import CHANGED
from tinytorch_xla.places import Places, modes
from tinytorch_xla.program import (
    ChangedNumbersError,
    Program,
    UnfinishedError,
    unknown_state,
)
from tinytorch_xla.sharding import active_mesh

# How often a step may create state before it is given up.
_MOST_UNFINISHED = 3
# The most programs for one structure of arguments.
_MOST_PROGRAMS = 8


def jit(step: Callable[..., Any] | None = None, *, donate: bool = True) -> Any:
    """Return a function that does the same as `step`, compiled by XLA for the devices of JAX.

    The step may have state: the parameters, buffers and random generators of modules, the state and
    options of optimizers, and tensors, arrays and lists that it refers to. It is carried along as
    inputs and outputs. A call that creates state, such as the first step of Adam, runs as it is.

    If anything changes that is not an array, a number of an optimizer or a random generator, such
    as the mode of a module or the shape of an argument, the step is compiled again.

    Args:
        step: a function, a method, or another object that can be called. Its arguments and its
            result are tensors, arrays, numbers, and tuples, lists and dicts of them. Without it, a
            decorator is returned.
        donate: let the new state use the memory of the old, which cannot be read afterwards.

    Returns:
        A `Jitted` step. Its results are detached from the graph.

    Raises:
        TypeError: `step` cannot be called.
        ModuleNotFoundError: JAX is not installed.
    """
    if step is None:
        return functools.partial(jit, donate=donate)
    if isinstance(step, Jitted):
        step = step.step
    if not callable(step) or isinstance(step, type):
        raise TypeError(f"jit() takes a function, not {step!r:.60}")
    return Jitted(step, donate)


class Jitted:
    """A step that is compiled by XLA; see `jit`.

    Attributes:
        step: the function itself.
    """

    def __init__(self, step: Callable[..., Any], donate: bool) -> None:
        functools.update_wrapper(self, step, updated=())
        self.step, self._donate = step, donate
        self._programs: dict[Any, list[Program]] = {}
        self._wanted: set[Any] = set()
        self._unfinished: dict[Any, int] = {}
        self._latest: Program | None = None  # the program of the latest call
        self._lock = threading.RLock()
        # Entered again in each call, because creating one takes time; never twice at once, because
        # a program that holds does not call the step.
        self._in_64_bits = enabled(True)

    def __repr__(self) -> str:
        count = sum(map(len, self._programs.values()))
        name = getattr(self.step, "__name__", type(self.step).__name__)
        return f"<jit {name}: {count} program{'' if count == 1 else 's'}>"

    def __reduce__(self) -> Any:
        return type(self), (self.step, self._donate)  # a copy compiles again

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if tracing.get():
            return self.step(*args, **kwargs)  # it becomes part of the function that is traced
        try:
            with self._lock, self._in_64_bits:
                if (latest := self._latest) is not None:
                    result = latest.call(args, kwargs)
                    if result is not CHANGED:
                        return result
            with enabled(True), self._lock:
                return self._called(args, kwargs)
        except FailedCheckError:
            pass
        with enabled(True), self._lock:
            # Run the step as it is, which raises the error from its own line.
            return self._as_it_is(Places(self.step, _objects(args, kwargs)), args, kwargs)

    def _called(self, args: Any, kwargs: Any) -> Any:
        """Run the step if the program of the latest call does not hold."""
        arrays: list[Any] = []
        tree = flattened((args, kwargs), arrays, "jit()")
        if any(is_traced(getattr(a, "value", a)) for a in arrays):
            return self.step(*args, **kwargs)
        shapes = tuple((a.shape, a.dtype) for a in arrays)
        key = key_of(tree), shapes, modes(), active_mesh()
        self._latest = None
        for program in self._programs.get(key, ()):
            result = program.call_with_arrays(arrays)
            if result is not CHANGED:
                self._latest = program
                return result
        return self._compiled(key, tree, arrays, args, kwargs)

    def _compiled(self, key: Any, tree: Any, arrays: Any, args: Any, kwargs: Any) -> Any:
        """Compile the step for new arguments or a new state, and run it."""
        while True:
            places = Places(self.step, _objects(args, kwargs))
            mesh = active_mesh()
            program = Program(self.step, tree, places, self._wanted, self._donate, mesh)
            seen = self._unfinished.get(key, 0)
            program.may_create_gradients = seen > 0
            try:
                program.build(arrays)
            except ChangedNumbersError as error:
                if error.found <= self._wanted:
                    raise unknown_state("a number") from None
                self._wanted |= error.found
            except UnfinishedError as error:
                if seen >= _MOST_UNFINISHED:
                    raise unknown_state(error.path) from None
                self._unfinished[key] = seen + 1
                return self._as_it_is(places, args, kwargs)
            else:
                break
        known = self._programs.setdefault(key, [])
        known.insert(0, program)
        del known[_MOST_PROGRAMS:]
        result = program.call_with_arrays(arrays)
        assert result is not CHANGED  # its guards hold for this call
        self._latest = program
        return result

    def _as_it_is(self, places: Places, args: Any, kwargs: Any) -> Any:
        """Run the step by NumPy, which takes less time than compiling each op, and move it back."""
        for _, tensor in places.tensors:
            tensor.data = to_numpy(tensor.data)
            if getattr(tensor, "grad", None) is not None:
                tensor.grad = to_numpy(tensor.grad)
        for box in places.boxes:
            for name, value in box.items().items():
                if isinstance(value, Array):
                    box.set(name, to_numpy(value))
        args, kwargs = to_numpy((args, kwargs))
        outputs: list[Any] = []
        return filled(collected(self.step(*args, **kwargs), outputs), outputs)


def _objects(args: Any, kwargs: Any) -> list[Any]:
    """Return the arguments that may hold state: objects that are not arrays or containers."""
    found = [*args, *kwargs.values()]
    return [a for a in found if hasattr(a, "__dict__") and not isinstance(a, Tensor)]
