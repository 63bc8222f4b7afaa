"""Captures one call of a step as a program, without any effect on the state of the step."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import fork_safe_lock, from_array, unwrap

from tinytorch_compile import effects
from tinytorch_compile.arguments import (
    check_container,
    check_tensor,
    is_container,
    is_fixed,
    is_plain,
    own_attributes,
    parts,
    rebuilt,
)
from tinytorch_compile.arguments import items as items_of
from tinytorch_compile.boxes import Box
from tinytorch_compile.errors import CaptureError, UnfinishedError
from tinytorch_compile.program import Constant, Program, Value
from tinytorch_compile.slots import State
from tinytorch_compile.tracing import Number, Recorder, Traced, TracedGenerator, owner_of

# A number of the state: the id of the dict or list that holds it, and its key.
Place = tuple[int, Any]


@dataclass
class Leaf:
    """A place in the result of a step where an output of the program goes.

    Attributes:
        index: the index of the output.
        kind: the class of the Tensor; None for an array or a number.
        scalar: it is a NumPy scalar, not an array.
        attributes: attributes of the Tensor that plugins have added.
    """

    index: int
    kind: type[Tensor] | None = None
    scalar: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Gradient:
    """The gradient of a tensor before and after the step.

    Attributes:
        tensor: the tensor.
        before: the array, or None.
        slot: its value in the program, or None.
        after: the value at the end, or None.
    """

    tensor: Any
    before: Any
    slot: Value | None
    after: Value | Constant | None = None


@dataclass
class Captured:
    """A captured call.

    Attributes:
        program: the calls of NumPy.
        step: the function.
        state: what the step can reach.
        arrays: the array of each slot; for a number the dict or list that holds it, and its key.
        numbers: the places of the numbers among the slots.
        tensors: the tensors of the state with their arrays.
        gradients: the gradients of these tensors.
        result: what the step returns, with Leaf objects for the outputs of the program.
        outputs: the arrays and numbers that it returned.
        ends: what the state must be after the step: how the step reaches it, a function that
            reads it, and the array or number.
        errors: how NumPy handled floating-point errors at the start.
        readers: each array among the slots, with a function that returns what is there now.
        adopted: the slots whose arrays the step has created, in a call that ran as it is.
        array_places: the places of the items of boxes that are arrays.
    """

    program: Program
    step: Callable[..., Any]
    state: State
    arrays: dict[Value, Any] = field(default_factory=dict)
    numbers: set[Place] = field(default_factory=set)
    tensors: list[tuple[Any, Any]] = field(default_factory=list)
    gradients: list[Gradient] = field(default_factory=list)
    result: Any = None
    outputs: list[Any] = field(default_factory=list)
    ends: list[tuple[str, Callable[[], Any], Any]] = field(default_factory=list)
    errors: Any = field(default_factory=np.geterr)
    readers: list[tuple[Value, Callable[[], Any]]] = field(default_factory=list)
    adopted: set[Value] = field(default_factory=set)
    array_places: set[Place] = field(default_factory=set)

    def creates_gradients(self) -> bool:
        """Return whether a tensor without a gradient gets one, which the next call may find."""
        return any(g.before is None and g.after is not None for g in self.gradients)


class ChangedNumbers(Exception):
    """The step changes numbers that were captured as constants.

    Attributes:
        places: where the numbers are.
    """

    def __init__(self, places: set[Place]) -> None:
        super().__init__()
        self.places = places


# One capture at a time, because a capture replaces state, and streams of text.
_lock = fork_safe_lock()
# The types that the step may return besides tensors, arrays and containers.
_PLAIN = (bool, int, float, complex, str)
_capturing = ContextVar("capturing", default=False)

# Whether this thread is capturing a step.
is_capturing = _capturing.get


def capture(
    step: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    numbers: set[Place],
    records: Callable[[Any], bool] = lambda kernel: True,
) -> Captured:
    """Run a step on traced arrays, restore all state, and return what it did.

    Args:
        step: the function.
        args, kwargs: the arguments of the call.
        numbers: the places of numbers that are state, such as a learning rate that changes.
        records: returns whether a kernel is one call of the program; otherwise the calls in it are.

    Raises:
        CaptureError: the step does something that a replay could not repeat.
        ChangedNumbers: it changes numbers whose places are not in `numbers`.
    """
    _lock.acquire()
    token = _capturing.set(True)
    try:
        run = _Capture(step, numbers, _objects_in([*args, *kwargs.values()]), records)
        done, recorder = run.run(args, kwargs), run.recorder
        del run
    finally:
        _capturing.reset(token)
        _lock.release()
    if recorder.escaped():
        gc.collect()  # the step may have left reference cycles
        if (escaped := recorder.escaped()) is not None:
            raise CaptureError(
                f"{escaped[0] or 'unknown line'}: this array is still referred to after the step, "
                "from where a replay would not find it"
            )
    return done


class _Capture:
    """One run of a step on traced arrays."""

    def __init__(
        self,
        step: Callable[..., Any],
        numbers: set[Place],
        roots: list[Any],
        records: Callable[[Any], bool],
    ) -> None:
        self._step, self._wanted = step, numbers
        self.recorder = Recorder(records)
        self._program = self.recorder.program
        self._state = State(step, roots)
        self._done = Captured(self._program, step, self._state)
        # The traced arrays by the ids of the arrays: one for an array in several places.
        self._traced: dict[int, Traced] = {}
        # What stands for the items of boxes, with the value at the start.
        self._items: dict[tuple[int, Any], tuple[Any, Value | None]] = {}
        self._slots: dict[Any, Value] = {}
        # The slot that ends up in each array.
        self._ends: dict[Value, Value] = {}
        self._by_owner: dict[int, list[Any]] = {}
        self._generators: list[tuple[Any, Any]] = []
        # The containers, tensors and arrays among the arguments, and what the step gets instead.
        self._arguments: dict[int, tuple[Any, Any]] = {}

    def run(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Captured:
        """Replace the state, run the step, collect its effects, and restore the state."""
        passed = [self._argument(f"argument {i + 1}", value) for i, value in enumerate(args)]
        named = {key: self._argument(key, value) for key, value in kwargs.items()}
        caches = self._state.caches
        before = [cache.cache_info() for cache in caches]
        try:
            self._replace()
            with effects.refused(self.recorder.refuse, is_capturing):
                result = self._step(*passed, **named)
            if self.recorder.refusal is not None:
                raise self.recorder.refusal
            self._check_arguments()
            self._collect()
            self._done.result = self._output(result)
        finally:
            self._restore()
            effects.check_caches(caches, before)
        return self._done

    # Before the step.

    def _argument(self, label: str, value: Any) -> Any:
        """Return what the step gets instead of an argument."""
        if id(value) in self._arguments:
            return self._arguments[id(value)][1]
        if is_container(value):
            check_container(label, value)
            items = [self._argument(f"{label}[{k!r}]", item) for k, item in items_of(value)]
            traced = rebuilt(value, items)
        elif isinstance(value, np.ndarray):
            traced = self._input(label, value)
        elif isinstance(value, Tensor):
            traced = self._tensor(label, value)
        elif isinstance(value, np.random.Generator):
            return self._generator(value)
        else:
            return value
        self._arguments[id(value)] = value, traced
        return traced

    def _input(self, label: str, array: Any) -> Traced:
        if type(array) is not np.ndarray or array.dtype.kind not in "biufc":
            kind = f"{type(array).__name__} of {getattr(array, 'dtype', 'numbers')}"
            raise CaptureError(f"{label} is a {kind}; pass an ndarray of numbers")
        if id(owner_of(array)) in self._owners():
            raise CaptureError(f"{label} shares memory with the state of the step; pass a copy")
        return self.recorder.input(array, label)

    def _tensor(self, label: str, value: Any) -> Any:
        check_tensor(label, value)
        tensor: Any = object.__new__(type(value))
        tensor.data = self._input(label, value.data)
        if getattr(value, "requires_grad", False):
            tensor.requires_grad = True
        vars(tensor).update(own_attributes(value))
        return tensor

    def _owners(self) -> set[int]:
        """Return the ids of the arrays that own the memory of the tensors."""
        return {id(owner_of(unwrap(tensor))) for _, tensor in self._state.tensors}

    def _replace(self) -> None:
        tensor: Any
        for path, tensor in self._state.tensors:
            self._done.tensors.append((tensor, tensor.data))
            traced = self._slot(tensor.data, path)
            self._slots[tensor] = traced.value
            grad = getattr(tensor, "grad", None)
            if hasattr(tensor, "grad"):
                old = None if grad is None else self._slot(grad, f"{path}.grad")
                gradient = Gradient(tensor, grad, None if old is None else old.value)
                self._done.gradients.append(gradient)
                tensor.grad = old
            tensor.data = traced
        for box in self._state.boxes:
            for key, value in box.items.items():
                if not box.private:
                    self._replace_item(box, key, value)

    def _replace_item(self, box: Box, key: Any, value: Any) -> None:
        place = id(box.thing), key
        if isinstance(value, np.ndarray):
            traced: Any = self._slot(value, box.name_of(key))
        elif isinstance(value, np.random.Generator):
            traced = self._generator(value)
        elif place in self._wanted and type(value) in (int, float):
            traced = self.recorder.slot(value, box.name_of(key))
            self._done.arrays[traced.value] = box.thing, key
            self._done.numbers.add(place)
        else:
            return
        self._items[place] = traced, getattr(traced, "value", None)
        box.set(key, traced)

    def _generator(self, generator: np.random.Generator) -> Any:
        self._generators.append((generator, generator.bit_generator.state))
        return TracedGenerator(self.recorder, generator)

    def _slot(self, array: Any, path: str) -> Any:
        """Return the traced array of a slot; the same one for the same array."""
        if type(array) not in (np.ndarray, np.memmap) or array.dtype.kind not in "biufc":
            raise CaptureError(f"{path} is not an ndarray of numbers, but {type(array).__name__}")
        if id(array) not in self._traced:
            others = self._by_owner.setdefault(id(owner_of(array)), [])
            if any(np.may_share_memory(array, other) for other in others):
                raise CaptureError(f"{path} shares memory with another array of the state")
            others.append(array)
            traced = self._traced[id(array)] = self.recorder.slot(array, path)
            self._done.arrays[traced.value] = array
        return self._traced[id(array)]

    # After the step.

    def _check_arguments(self) -> None:
        """Raise CaptureError if the step has changed its arguments."""
        for value, traced in self._arguments.values():
            if isinstance(value, Tensor):
                if getattr(traced, "grad", None) is not None:
                    raise CaptureError("an argument gets a gradient, which a replay would not set")
                same = self._is_input(traced.data)
                same = same and own_attributes(traced) == own_attributes(value)
            elif isinstance(value, np.ndarray):
                same = self._is_input(traced)
            else:
                expected = rebuilt(value, [self._passed(item) for _, item in items_of(value)])
                found = [*items_of(traced)]
                same = len(found) == len(value) and all(
                    a == c and b is d
                    for (a, b), (c, d) in zip(found, items_of(expected), strict=True)
                )
            if not same:
                raise CaptureError(
                    f"the step changes an argument, a {type(value).__name__}; return the new value"
                )

    def _passed(self, value: Any) -> Any:
        """Return what the step got instead of a part of an argument."""
        return self._arguments[id(value)][1] if id(value) in self._arguments else value

    def _is_input(self, traced: Any) -> bool:
        return isinstance(traced, Traced) and traced.value in self._program.inputs

    def _collect(self) -> None:
        tensor: Any
        for path, tensor in self._state.tensors:
            end = tensor.data
            self._end_of_array(path, end, self._slots[tensor])
            self._expect(path, functools.partial(getattr, tensor, "data"), end)
            self._done.readers.append(
                (self._slots[tensor], functools.partial(getattr, tensor, "data"))
            )
        for gradient in self._done.gradients:
            end = gradient.tensor.grad
            gradient.after = Constant(end) if isinstance(end, np.ndarray) else _value(end)
            if gradient.after is not None and gradient.after is not gradient.slot:
                self._program.kept.append(gradient.after)
                getter = functools.partial(getattr, gradient.tensor, "grad")
                self._expect("a gradient", getter, end)
        self._leave_out_unread_gradients()
        changed = {place for box in self._state.boxes for place in self._changed_numbers(box)}
        if changed:
            raise ChangedNumbers(changed)

    def _leave_out_unread_gradients(self) -> None:
        """Leave the old gradients out of the program if it does not read them."""
        program = self._program
        read = {value for step in program.steps for value in step.reads} | set(program.needed)
        read |= {slot for _, slot in self._items.values() if slot is not None}
        slots = {g.slot for g in self._done.gradients if g.slot is not None}
        old = slots - read
        program.slots = [slot for slot in program.slots if slot not in old]
        for slot in old & self._done.arrays.keys():
            del self._done.arrays[slot]
        self._done.readers += [
            (gradient.slot, functools.partial(getattr, gradient.tensor, "grad"))
            for gradient in self._done.gradients
            if gradient.slot in self._done.arrays
        ]

    def _expect(self, path: str, read: Callable[[], Any], end: Any) -> None:
        """Note what a part of the state must be after the step."""
        self._done.ends.append((path, read, getattr(end, "concrete", end)))

    def _end_of_array(self, path: str, end: Any, slot: Value) -> None:
        if not isinstance(end, Traced):
            raise CaptureError(f"{path} is replaced by an array that is not computed from others")
        if slot.layout is None or end.shape != slot.layout.shape or end.dtype != slot.layout.dtype:
            raise CaptureError(f"the shape or dtype of {path} changes")
        if end.value is not slot:
            self._check_alias(path, end.value, slot)
            self._program.writes[slot] = end.value

    def _check_alias(self, path: str, end: Value, slot: Value) -> None:
        """Raise CaptureError if an array of the state becomes the same as another array."""
        memory = end.memory
        if memory in self._program.inputs:
            raise CaptureError(f"the step stores an argument in {path}; store a copy")
        if self._ends.setdefault(memory, slot) is not slot:
            raise CaptureError(f"{path} becomes the same array as another one; use a copy")

    def _changed_numbers(self, box: Box) -> Iterator[Place]:
        """Note what the step has written into a box; yield the places of numbers it changed."""
        if box.private:
            return
        now = box.current()
        if now.keys() != box.items.keys():
            different = sorted({box.name_of(k) for k in now.keys() ^ box.items.keys()})
            raise UnfinishedError(f"the step adds or removes {', '.join(different)}")
        for key, before in box.items.items():
            place = id(box.thing), key
            end = now[key]
            traced, slot = self._items.get(place, (before, None))
            if slot is None:
                if end is traced:
                    continue
                if type(before) in (int, float) and isinstance(end, int | float | Number):
                    yield place
                    continue
                raise CaptureError(f"the step replaces {box.name_of(key)}")
            self._expect(box.name_of(key), functools.partial(_item, box, key), end)
            if slot.layout is not None:
                self._end_of_array(box.name_of(key), end, slot)
                self._done.readers.append((slot, functools.partial(_item, box, key)))
                self._done.array_places.add(place)
            elif isinstance(end, Number | int | float) and _value(end) is not slot:
                self._program.writes[slot] = _value(end)

    def _output(self, result: Any) -> Any:
        """Return the result of the step with a Leaf in place of each array and number."""
        if isinstance(result, Tensor):
            node = getattr(result, "grad_fn", None)
            if getattr(result, "requires_grad", False) and getattr(node, "edges", ()) is not None:
                raise CaptureError(
                    "the step returns a tensor that still can be differentiated; return "
                    "result.detach(), or run the step inside no_grad()"
                )
            attributes = own_attributes(result)
            if type(from_array(type(result), None)) is not type(result) or not all(
                map(is_fixed, attributes.values())
            ):
                raise CaptureError(
                    f"the step returns a {type(result).__name__} with attributes of its own; "
                    "return a Tensor"
                )
            return self._leaf(unwrap(result), type(result), attributes)
        if isinstance(result, Traced | Number | np.ndarray | np.generic):
            return self._leaf(result, None)
        if type(result) in (tuple, list):
            return type(result)(map(self._output, result))
        if type(result) is dict:
            return {key: self._output(value) for key, value in result.items()}
        if result is None or isinstance(result, np.generic) or type(result) in _PLAIN:
            return result
        raise CaptureError(f"the step returns a {type(result).__name__}")

    def _leaf(
        self, result: Any, kind: type[Tensor] | None, attributes: dict[str, Any] | None = None
    ) -> Leaf:
        if isinstance(result, Traced | Number):
            self._program.outputs.append(result.value)
            self._done.outputs.append(result.concrete)
            scalar = isinstance(result, Traced) and result.scalar
        else:  # a constant, such as the gradient of a sum
            constant = np.array(result)
            self._program.outputs.append(Constant(constant))
            self._done.outputs.append(constant)
            scalar = isinstance(result, np.generic)
        scalar = scalar and kind is None
        return Leaf(len(self._program.outputs) - 1, kind, scalar, attributes or {})

    def _restore(self) -> None:
        for box in self._state.boxes:
            box.restore()
        for tensor, array in self._done.tensors:
            tensor.data = array
        for gradient in self._done.gradients:
            gradient.tensor.grad = gradient.before
        for generator, state in self._generators:
            generator.bit_generator.state = state


def _objects_in(arguments: list[Any]) -> list[Any]:
    """Return the arguments that are objects, which are state: models, for example."""
    found = [value for argument in arguments for _, value in parts("", argument)]
    return [
        value
        for value in found
        if not (is_container(value) or is_plain(value) or isinstance(value, Tensor | np.ndarray))
    ]


def _item(box: Box, key: Any) -> Any:
    return box.current()[key]


def _value(end: Any) -> Any:
    """Return the value of a traced array or number; a plain number and None as they are."""
    return end.value if isinstance(end, Traced | Number) else end
