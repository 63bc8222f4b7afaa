"""A step as one function of XLA: the trace of the step, and what its calls read and replace."""

from __future__ import annotations

import contextlib
import itertools
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinytorch_xla.arguments import as_jax, collected, filled
from tinytorch_xla.array import Array
from tinytorch_xla.calls import Plan
from tinytorch_xla.checks import Checks, checking
from tinytorch_xla.draws import tracing
from tinytorch_xla.engine import jax, jnp
from tinytorch_xla.errors import XlaError
from tinytorch_xla.guards import Guards, Slot
from tinytorch_xla.numbers import Number, Tape
from tinytorch_xla.places import Box, Places, same
from tinytorch_xla.random import TracedGenerator
from tinytorch_xla.sharding import gathered, is_spread


class UnfinishedError(Exception):
    """The step creates state, so it must run once as it is.

    Attributes:
        path: how the step reaches the new state.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class ChangedNumbersError(Exception):
    """The step changes numbers that were taken as constants.

    Attributes:
        found: the ids of the things that hold them, and their keys.
    """

    def __init__(self, found: set[Any]) -> None:
        super().__init__()
        self.found = found


class Program:
    """A step for arguments of one structure, and for one value of everything that is not an array.

    Args:
        step: the function.
        tree: its arguments, with leaves in place of the arrays.
        places: its state.
        wanted: the places of numbers that are state besides those of optimizers.
        donate: whether the memory of the arrays that the step replaces is used for new ones.
        mesh: the mesh of the devices, or None.
    """

    def __init__(
        self,
        step: Callable[..., Any],
        tree: Any,
        places: Places,
        wanted: set[Any],
        donate: bool,
        mesh: Any,
    ) -> None:
        self._step, self._tree, self._donate, self._mesh = step, tree, donate, mesh
        self._places = places
        self._slots: list[Slot] = []
        self._generators: list[tuple[Box, Any, Any]] = []
        self._numbers: list[tuple[Box, Any]] = []
        self._fixed: list[tuple[Box, int, list[tuple[Any, Any]]]] = []
        for path, tensor in places.tensors:
            self._slots.append(Slot(path, tensor, "data"))
            if hasattr(tensor, "grad"):
                self._slots.append(Slot(f"{path}.grad", tensor, "grad"))
        for box in places.boxes:
            self._sort_items(box, wanted)
        for slot in self._slots:
            if mesh is None and is_spread(value := slot.read()):
                slot.write(gathered(value))
        self._guards = Guards(self._fixed, self._slots)
        self._missing = self._guards.missing
        self._read: list[int] = []
        self._changed: list[int] = []
        self._ends: list[tuple[Box, Any, Any]] = []
        self._result: Any = None
        self._checks = Checks([])
        self._checked = False
        self._first_equal = _first_equal(self._numbers)
        self.tape = Tape([box.get(key) for box, key in self._numbers])
        self._uses: list[int] = []
        self._drawing: list[int] = []
        # Functions of the arguments, and of the arrays among them; see `Plan`.
        self.call: Callable[[Any, Any], Any]
        self.call_with_arrays: Callable[[Any], Any]

    def _sort_items(self, box: Box, wanted: set[Any]) -> None:
        fixed = []
        items = box.items()
        for key, value in items.items():
            if isinstance(value, Array) or type(value) is np.ndarray:
                self._slots.append(Slot(box.name_of(key), box, key))
            elif isinstance(value, np.random.Generator):
                self._generators.append((box, key, value))
            elif type(value) in (int, float) and (box.options or (id(box.thing), key) in wanted):
                self._numbers.append((box, key))
            else:
                fixed.append((key, value))
        self._fixed.append((box, box.count(), fixed))

    # Tracing.

    def build(self, inputs: Sequence[Any]) -> None:
        """Trace the step, and compile it.

        Raises:
            UnfinishedError: the step creates state.
            ChangedNumbersError: the step changes numbers that were taken as constants.
        """
        values = [as_jax(v) for slot in self._slots if (v := slot.read()) is not None]
        seeds = [np.uint32(0) for _ in self._generators]
        closed = jax.make_jaxpr(self._first)(values, seeds, [as_jax(i) for i in inputs])
        jaxpr = closed.jaxpr
        used = {id(v) for equation in jaxpr.eqns for v in equation.invars}
        used |= {id(v) for v in jaxpr.outvars}
        present = [i for i, missing in enumerate(self._missing) if not missing]
        variables = jaxpr.invars[: len(values)]
        read = [i for i, v in zip(present, variables, strict=True) if id(v) in used]
        # If a callback fails while the program runs, the old state must still exist.
        may_fail = _has_callback(jaxpr)
        reuses = self._donate and not may_fail
        donated = [i for i in read if i in self._changed and reuses]
        self._read = [*donated, *(i for i in read if i not in donated)]
        self._uses = list(self.tape.uses)
        plan = Plan(
            tree=self._tree,
            inputs=[(i.shape, np.dtype(i.dtype)) for i in inputs],
            mesh=self._mesh,
            guards=self._guards,
            slots=self._slots,
            read=self._read,
            changed=list(self._changed),
            dropped=self._dropped,
            numbers=self._numbers,
            first_equal=self._first_equal,
            tape=self.tape,
            uses=self._uses,
            ends=self._ends,
            generators=self._generators,
            drawing=list(self._drawing),
            checks=self._checks.of_inputs,
            is_checked=self._checked,
            waits=may_fail,
            outputs=self._outputs_count,
            result=self._result,
            program=jax.jit(self._second, donate_argnums=tuple(range(len(donated)))),
        )
        name = getattr(self._step, "__name__", "step")
        self.call = plan.function(name)
        self.call_with_arrays = plan.function_of_arrays(name)

    def _first(self, values: Any, seeds: Any, inputs: Any) -> Any:
        """Trace the step with all of its state, and with its numbers as constants."""
        present = [i for i, missing in enumerate(self._missing) if not missing]
        self.tape.inputs = lambda position, value: jnp.asarray(value)
        return self._traced(dict(zip(present, values, strict=True)), seeds, inputs)

    def _second(self, *given: Any) -> Any:
        """Trace the step with what its calls pass: the state, numbers, seeds and arguments.

        Without lists, which JAX would take apart in each call.
        """
        remaining = iter(given)
        values = dict(zip(self._read, remaining, strict=False))
        numbers = list(itertools.islice(remaining, len(self._uses)))
        seeds = dict(zip(self._drawing, remaining, strict=False))
        self.tape.inputs = lambda position, value: numbers[position]
        every = [seeds.get(i, np.uint32(0)) for i in range(len(self._generators))]
        return self._traced(values, every, list(remaining))

    def _traced(self, values: dict[int, Any], seeds: Any, inputs: Any) -> Any:
        """Run the step on traced arrays, restore its state, and return all outputs."""
        before = [slot.read() for slot in self._slots]
        boxes = [(box, box.items()) for box in self._places.boxes]
        token = tracing.set(True)
        try:
            for i, (slot, old) in enumerate(zip(self._slots, before, strict=True)):
                if old is not None:
                    slot.write(Array(values[i] if i in values else as_jax(np.zeros_like(old))))
            started = [slot.read() for slot in self._slots]
            for index, (box, key) in enumerate(self._numbers):
                box.set(key, self.tape.number(self._first_equal[index]))
            generators = [TracedGenerator(seed) for seed in seeds]
            for (box, key, _), generator in zip(self._generators, generators, strict=True):
                box.set(key, generator)
            args, kwargs = filled(self._tree, inputs)
            with checking(inputs) as checks, _without_draws_from(self._places.foreign):
                result = self._step(*args, **kwargs)
            self._drawing = [i for i, generator in enumerate(generators) if generator.draws]
            return self._outputs(result, started, checks)
        finally:
            tracing.reset(token)
            for box, items in boxes:
                box.restore(items)
            for slot, old in zip(self._slots, before, strict=True):
                slot.write(old)

    def _outputs(self, result: Any, started: Sequence[Any], checks: Checks) -> Any:
        self._check_state()
        outputs: list[Any] = []
        self._result = collected(result, outputs)
        ends = enumerate((box, key, box.get(key)) for box, key in self._numbers)
        self._ends = [end for i, end in ends if not _is_number(end[2], self._first_equal[i])]
        after = [slot.read() for slot in self._slots]
        self._changed, replaced = [], []
        masks = [jnp.all(mask) for mask in checks.masks]
        ok = jnp.all(jnp.stack(masks)) if masks else None
        self._checks, self._checked = checks, ok is not None
        self._outputs_count = len(outputs)
        for i, (start, end) in enumerate(zip(started, after, strict=True)):
            if end is not start and end is not None and not _is_same(start, end):
                new = as_jax(end)
                if ok is not None and start is not None:
                    new = jnp.where(ok, new, as_jax(start))
                self._changed.append(i)
                replaced.append(new)
        self._dropped = [i for i, end in enumerate(after) if end is None and started[i] is not None]
        return (*outputs, *replaced) if ok is None else (*outputs, *replaced, ok)

    def _check_state(self) -> None:
        """Raise an error if the step has changed more than arrays and known numbers."""
        numbers = {(id(box.thing), key) for box, key in self._numbers}
        arrays = {(id(s.owner.thing), s.key) for s in self._slots if isinstance(s.owner, Box)}
        changed: set[Any] = set()
        for box, _, fixed in self._fixed:
            now = box.items()
            for key, value in fixed:
                if key not in now or not same(now[key], value):
                    if type(value) not in (int, float) or key not in now:
                        raise UnfinishedError(box.name_of(key))
                    changed.add((id(box.thing), key))
            known = {key for key, _ in fixed}
            for key in now:
                place = id(box.thing), key
                if key not in known and place not in numbers | arrays and not _is_random(now[key]):
                    raise UnfinishedError(box.name_of(key))
        if changed:
            raise ChangedNumbersError(changed)
        for slot, missing in zip(self._slots, self._missing, strict=True):
            if missing and slot.read() is not None and not self.may_create_gradients:
                raise UnfinishedError(slot.path)

    may_create_gradients = False


@contextlib.contextmanager
def _without_draws_from(foreign: Sequence[tuple[str, Any]]) -> Iterator[None]:
    """Raise XlaError if generators draw that JAX cannot replace: their numbers would never change.

    Args:
        foreign: further generators than the global ones, with how the step reaches them.
    """
    generators = [("the global generator of np.random", np.random), *foreign]
    generators.append(("the global generator of random", random))
    before = [_state_of(generator) for _, generator in generators]
    yield
    for (name, generator), state in zip(generators, before, strict=True):
        if _state_of(generator) != state:
            raise XlaError(
                f"the step draws from {name}, so every call would use the same numbers; use a "
                "np.random.Generator that the step can reach"
            )


def _state_of(generator: Any) -> Any:
    """Return the state of a module or an object with random numbers, to compare it."""
    if hasattr(generator, "getstate"):
        return generator.getstate()
    return pickle.dumps(generator.get_state(legacy=False))


def _is_same(start: Any, end: Any) -> bool:
    return isinstance(start, Array) and isinstance(end, Array) and start.value is end.value


def _has_callback(jaxpr: Any) -> bool:
    """Return whether a program calls Python functions while it runs, also in its parts."""
    for equation in jaxpr.eqns:
        if "callback" in equation.primitive.name:
            return True
        for value in equation.params.values():
            for part in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(part, "jaxpr", part)
                if hasattr(inner, "eqns") and _has_callback(inner):
                    return True
    return False


def _first_equal(numbers: Sequence[tuple[Box, Any]]) -> list[int]:
    """Return the index of the first number that stands for each number while they are equal.

    The counts of steps of all parameters are one number, so that an optimizer computes with it
    once, and not for each parameter.
    """
    firsts: dict[Any, int] = {}
    found = []
    for index, (box, key) in enumerate(numbers):
        value = box.get(key)
        same = (key, value) if type(value) is int else index
        found.append(firsts.setdefault(same, index))
    return found


def _is_number(value: Any, index: int) -> bool:
    """Return whether a value is a number at the start of the step."""
    return isinstance(value, Number) and value.index == index


def _is_random(value: Any) -> bool:
    return isinstance(value, np.random.Generator)


def unknown_state(path: str) -> XlaError:
    """Return the error for a step that creates state in every call."""
    return XlaError(
        f"the step creates or replaces {path or 'something'} in every call, which a compiled step "
        "cannot do; return the value instead, or keep it outside of the step"
    )
