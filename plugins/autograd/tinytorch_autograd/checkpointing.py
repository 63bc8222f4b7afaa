"""checkpoint: compute again in the backward pass what would else be kept since the forward pass.

Of a function called under it only the arguments are kept. When its turn comes on the way back, it
is run again, recorded this time for good, and walked back through. So a chain of n steps, run in
groups of √n, holds about 2√n steps at a time, for one more forward pass (T. Chen et al., 2016,
"Training deep nets with sublinear memory cost", arXiv:1604.06174).
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from types import ModuleType
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd import engine, tree
from tinytorch_autograd.calls import check_function, record_call
from tinytorch_autograd.errors import AutogradError
from tinytorch_autograd.modes import is_grad_enabled
from tinytorch_autograd.node import AccumulateGrad, Function, Node, next_number
from tinytorch_autograd.tracking import is_tracked, without_history

# Which new code does not use, but the function that is called may.
_random_state, _set_random_state = np.random.get_state, np.random.set_state


def checkpoint(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls `f(*args, **kwargs)` and keeps nothing of it but the arguments.

    Without arguments it is a decorator: every call of the function is then checkpointed.

    Gradients of every order are those of `f` itself, also for tensors that `f` uses without being
    given them, such as the weights of a layer. Checkpoints nest. The second run is in the modes of
    the first, and draws the same random numbers if they come from `np.random`'s global state, or
    from Generators among the arguments or what the function holds: the modules it belongs to, and
    the variables around it.

    Args:
        f: a function of tensors and anything else; called again in the backward pass, it must do
            the same.
        args, kwargs: its arguments, also containers of tensors.

    Returns:
        What `f` returns.

    Raises:
        AutogradError: in the backward pass, `f` gave something else than the first time.

    >>> from tinytorch_core import Tensor
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> y = checkpoint(lambda x: (x * x) * x, x)
    >>> y.sum().backward()
    >>> x.grad
    array([ 3., 12.], dtype=float32)
    """
    check_function("checkpoint", f)
    if not (args or kwargs):
        return functools.wraps(f)(functools.partial(_called, f))
    return _called(f, *args, **kwargs)


def _called(f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    if not is_grad_enabled():
        return f(*args, **kwargs)
    return _Checkpoint(f, (args, kwargs)).run()


class _Checkpoint:
    """One checkpointed call, and all that is needed to repeat it."""

    def __init__(self, f: Callable[..., Any], arguments: Any) -> None:
        self.function = f
        self.name = getattr(f, "__name__", type(f).__name__).strip("<>")
        self.arguments = arguments
        self.leaves = tree.leaves(arguments)
        self.inputs = list({x._node: x for x in self.leaves if is_tracked(x)}.values())
        places = {x._node: i for i, x in enumerate(self.inputs)}
        self.places = [places[x._node] if is_tracked(x) else None for x in self.leaves]
        self.generators = [
            (g, copy.deepcopy(g.bit_generator.state)) for g in _generators((f, arguments), {})
        ]
        self.context = copy_context()

    def run(self) -> Any:
        """What the function returns, recorded as one node."""
        before, start = _random_state(), next_number()
        entries = _as_leaves(self.inputs)
        args, kwargs = self._given(entries, self.leaves)
        made = self.function(*args, **kwargs)
        # Put back when the call is repeated, if it drew from the global state at all.
        self.random = before if _differ(before, _random_state()) else None
        leaves = tree.leaves(made)
        tracked = [y for y in leaves if is_tracked(y)]
        if not tracked:
            return made
        self.sums = [_sum(y) for y in tracked]
        _, ends = _inside(tracked, start)
        own = {x._node for x in entries}
        self.captured = [end for end in ends if end not in own]
        edges = [*(x._node for x in self.inputs), *self.captured]
        name = f"checkpoint_{self.name}"
        results = iter(record_call(name, tracked, self.inputs, edges, self.derivative))
        return tree.fill(made, [next(results) if is_tracked(y) else y for y in leaves])

    def derivative(self, inputs: Sequence[Any], grads: Sequence[Any]) -> list[Any]:
        """The gradients of the inputs and of what is captured, by running the function again."""
        lifted = any(isinstance(g, Tensor) for g in grads)
        entries = inputs if lifted else _as_leaves(inputs)
        start = next_number()
        outputs = self._repeated(entries)
        pending: dict[Node, Any] = {}
        for y, grad in zip(outputs, grads, strict=True):
            if grad is not None:
                have = pending.get(y._node)
                pending[y._node] = grad if have is None else have + grad
        order, ends = _inside(outputs, start)
        engine.check_rules(order)
        engine.propagate(pending, order, {*order, *ends}, set(), lifted, lifted)
        # Popped, because what is both an argument and captured shall count once.
        return [pending.pop(n, None) for n in (*(x._node for x in entries), *self.captured)]

    def _repeated(self, entries: Sequence[Any]) -> list[Any]:
        with self._random_numbers_of_the_first_run():
            args, kwargs = self._given(entries, self.leaves)
            made = self.context.copy().run(self.function, *args, **kwargs)
        outputs = [y for y in tree.leaves(made) if is_tracked(y)]
        sums = [_sum(y) for y in outputs]
        if len(sums) != len(self.sums) or not np.allclose(sums, self.sums, 1e-4, equal_nan=True):
            raise AutogradError(
                f"{self.name}, called again in the backward pass of its checkpoint, gave other "
                "values than before. If it draws random numbers, hand it their Generator as an "
                "argument; and let it change nothing that it depends on"
            )
        return outputs

    @contextmanager
    def _random_numbers_of_the_first_run(self) -> Iterator[None]:
        now = _random_state()
        states = [(g, g.bit_generator.state) for g, _ in self.generators]
        try:
            if self.random is not None:
                _set_random_state(self.random)
            for generator, state in self.generators:
                generator.bit_generator.state = state
            yield
        finally:
            for generator, state in states:
                generator.bit_generator.state = state
            if self.random is not None:
                _set_random_state(now)

    def _given(self, entries: Sequence[Any], leaves: Sequence[Any]) -> Any:
        """The arguments with `entries` in the place of the tracked tensors."""
        pairs = zip(leaves, self.places, strict=True)
        return tree.fill(self.arguments, [x if i is None else entries[i] for x, i in pairs])


def _as_leaves(tensors: Iterable[Any]) -> list[Any]:
    """The same arrays in tensors of their own, at which gradients end."""
    leaves = [without_history(x) for x in tensors]
    for leaf in leaves:
        leaf._node = AccumulateGrad(leaf)
    return leaves


def _inside(outputs: Iterable[Any], start: int) -> tuple[list[Function], list[Node]]:
    """The nodes made since `start`, the latest first, and the older ones and leaves they end at."""
    seen: dict[Node, None] = dict.fromkeys(y._node for y in outputs)
    order: list[Function] = []
    ends: list[Node] = []
    found = list(seen)
    for node in found:  # which grows meanwhile
        if not isinstance(node, Function) or node.number < start:
            ends.append(node)
            continue
        order.append(node)
        for edge in node.next_functions:
            if edge is not None and edge not in seen:
                seen[edge] = None
                found.append(edge)
    return sorted(order, key=lambda node: node.number, reverse=True), ends


def _sum(tensor: Any) -> float:
    """A number by which to tell another result; 0 for arrays that are computed later."""
    data = tensor.data
    return float(np.abs(data).sum(dtype=np.float64)) if isinstance(data, np.ndarray) else 0.0


def _differ(state: Any, other: Any) -> bool:
    return state[2:] != other[2:] or not np.array_equal(state[1], other[1])


# A method's object, an object's own, what a decorated function and a `partial` were made of.
_HOLDING = ("__self__", "__dict__", "__wrapped__", "func", "args", "keywords")


def _generators(value: Any, seen: dict[int, Any]) -> Iterator[np.random.Generator]:
    """The Generators of random numbers in containers, objects, and what functions refer to."""
    if isinstance(value, type | ModuleType | Tensor | np.ndarray) or id(value) in seen:
        return
    seen[id(value)] = value  # kept, for another object may have the id of one that is gone
    if isinstance(value, np.random.Generator):
        yield value
        return
    held: Iterable[Any]
    if isinstance(value, Mapping):
        held = value.values()
    elif isinstance(value, list | tuple):
        held = value
    else:
        cells = getattr(value, "__closure__", None) or ()
        held = [getattr(cell, "cell_contents", None) for cell in cells]
        held += [getattr(value, name, None) for name in _HOLDING]
    for item in held:
        yield from _generators(item, seen)
