"""checkpoint: recompute in the backward pass instead of keeping intermediate results.

Only the arguments of a checkpointed function are kept. The backward pass runs the function again,
keeps what it records, and differentiates it. A chain of n steps in groups of √n therefore holds
about 2√n steps at a time, and costs one more forward pass (T. Chen et al., 2016, "Training deep
nets with sublinear memory cost", arXiv:1604.06174).
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
from tinytorch_autograd.errors import AutogradError, LostGradientError
from tinytorch_autograd.modes import is_grad_enabled
from tinytorch_autograd.node import AccumulateGrad, Function, Node
from tinytorch_autograd.tracking import detached, is_tracked
from tinytorch_autograd.writes import next_number

# New code should not use the global state, but a checkpointed function may.
_random_state, _set_random_state = np.random.get_state, np.random.set_state


def checkpoint(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `f(*args, **kwargs)` and keep only the arguments for the backward pass.

    Without arguments it is a decorator that checkpoints every call of the function.

    Gradients of every order equal those of `f`, also for tensors that `f` captures, such as the
    weights of a layer. Checkpoints can be nested. Both runs have the same context variables, and
    draw the same random numbers if these come from the global state of `np.random`, or from
    Generators that are arguments or that the function refers to: in its object, its closure or its
    attributes.

    Args:
        f: a function of tensors and anything else; it must compute the same when it is called
            again in the backward pass.
        args, kwargs: its arguments; they may be containers of tensors.

    Returns:
        What `f` returns.

    Raises:
        AutogradError: in the backward pass, `f` returned other values than in the forward pass.
        LostGradientError: in the backward pass of a tensor that `f` computed from its arguments and
            stored somewhere, but did not return.

    >>> from tinytorch_core import Tensor
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> y = checkpoint(lambda x: (x * x) * x, x)
    >>> y.sum().backward()
    >>> x.grad
    array([ 3., 12.], dtype=float32)
    """
    check_function("checkpoint", f)
    if not (args or kwargs):
        return functools.wraps(f)(functools.partial(_checkpointed, f))
    return _checkpointed(f, *args, **kwargs)


def _checkpointed(f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    if not is_grad_enabled():
        return f(*args, **kwargs)
    return _Checkpoint(f, (args, kwargs)).run()


class _Checkpoint:
    """One checkpointed call, with everything needed to repeat it."""

    def __init__(self, f: Callable[..., Any], arguments: Any) -> None:
        self.function = f
        self.name = getattr(f, "__name__", type(f).__name__).strip("<>")
        self.arguments = arguments
        self.leaves = tree.leaves(arguments)
        self.inputs = list({x._node: x for x in self.leaves if is_tracked(x)}.values())
        indices = {x._node: i for i, x in enumerate(self.inputs)}
        # For each leaf of the arguments its index in `inputs`, or None if it is not tracked.
        self.indices = [indices[x._node] if is_tracked(x) else None for x in self.leaves]
        self.generators = [
            (g, copy.deepcopy(g.bit_generator.state)) for g in _generators((f, arguments), {})
        ]
        self.context = copy_context()

    def run(self) -> Any:
        """Return what the function returns, recorded as one node."""
        before, start = _random_state(), next_number()
        entries = _as_leaves(self.inputs)
        args, kwargs = self._arguments(entries)
        returned = self.function(*args, **kwargs)
        for x in entries:  # only tensors that are not returned lead to them
            x._node.hooks = [self._refuse_leaked]
        # Restored for the second run, if the function used the global state.
        self.random = before if _differ(before, _random_state()) else None
        leaves = tree.leaves(returned)
        tracked = [y for y in leaves if is_tracked(y)]
        if not tracked:
            return returned
        self.checksums = [_checksum(y) for y in tracked]
        _, ends = _nodes_since(start, tracked)
        own = {x._node for x in entries}
        self.captured = [end for end in ends if end not in own]
        edges = [*(x._node for x in self.inputs), *self.captured]
        name = f"checkpoint_{self.name}"
        called = record_call(
            name, tracked, self.inputs, edges, self.derivative, self._other_tensors()
        )
        results = iter(called)
        return tree.fill(returned, [next(results) if is_tracked(y) else y for y in leaves])

    def derivative(self, inputs: Sequence[Any], grads: Sequence[Any]) -> list[Any]:
        """Return the gradients of the inputs and captured tensors by running the function again."""
        lifted = any(isinstance(g, Tensor) for g in grads)
        entries = inputs if lifted else _as_leaves(inputs)
        start = next_number()
        outputs = self._repeated(entries)
        pending: dict[Node, Any] = {}
        for y, grad in zip(outputs, grads, strict=True):
            if grad is not None:
                have = pending.get(y._node)
                pending[y._node] = grad if have is None else have + grad
        order, ends = _nodes_since(start, outputs)
        engine.check(order)
        engine.propagate(pending, order, {*order, *ends}, set(), lifted, lifted)
        if not lifted:
            for x in entries:  # hooks that the function has registered on its arguments
                if x._node.hooks and x._node in pending:
                    pending[x._node] = engine.run_hooks(x._node, pending[x._node])
        # Popped, so that a tensor that is both an argument and captured counts once.
        return [pending.pop(n, None) for n in (*(x._node for x in entries), *self.captured)]

    def _refuse_leaked(self, grad: Any) -> Any:
        raise LostGradientError(
            f"{self.name}, the function of a checkpoint, stored a tensor that it had computed from "
            "its arguments, and did not return it; the gradient of the arguments through this "
            "tensor would be lost. Return the tensor from the function"
        )

    def _other_tensors(self) -> list[Any]:
        """Return the untracked arguments, and the leaves that the function captures."""
        untracked = [x for x in self.leaves if isinstance(x, Tensor) and not is_tracked(x)]
        leaves = [end.tensor() for end in self.captured if isinstance(end, AccumulateGrad)]
        return untracked + [leaf for leaf in leaves if leaf is not None]

    def _repeated(self, entries: Sequence[Any]) -> list[Any]:
        with self._initial_random_state():
            args, kwargs = self._arguments(entries)
            returned = self.context.copy().run(self.function, *args, **kwargs)
        outputs = [y for y in tree.leaves(returned) if is_tracked(y)]
        found, expected = [_checksum(y) for y in outputs], self.checksums
        if len(found) != len(expected) or not np.allclose(found, expected, 1e-4, equal_nan=True):
            raise AutogradError(
                f"{self.name}, called again in the backward pass of its checkpoint, returned other "
                "values than in the forward pass. It must compute the same twice: pass the "
                "Generator of its random numbers as an argument, and do not modify anything that "
                "it depends on"
            )
        return outputs

    @contextmanager
    def _initial_random_state(self) -> Iterator[None]:
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

    def _arguments(self, entries: Sequence[Any]) -> Any:
        """Return the arguments with the tracked tensors replaced by `entries`."""
        pairs = zip(self.leaves, self.indices, strict=True)
        return tree.fill(self.arguments, [x if i is None else entries[i] for x, i in pairs])


def _as_leaves(tensors: Iterable[Any]) -> list[Any]:
    """Return new leaves on the same arrays."""
    leaves = [detached(x) for x in tensors]
    for leaf in leaves:
        leaf._node = AccumulateGrad(leaf)
    return leaves


def _nodes_since(start: int, outputs: Iterable[Any]) -> tuple[list[Function], list[Node]]:
    """Return the nodes numbered from `start`, latest first, and the other nodes they lead to."""
    seen: dict[Node, None] = dict.fromkeys(y._node for y in outputs)
    order: list[Function] = []
    ends: list[Node] = []
    found = list(seen)
    for node in found:  # grows in the loop
        if not isinstance(node, Function) or node.number < start:
            ends.append(node)
            continue
        order.append(node)
        for edge in node.next_functions:
            if edge is not None and edge not in seen:
                seen[edge] = None
                found.append(edge)
    return sorted(order, key=lambda node: node.number, reverse=True), ends


def _checksum(tensor: Any) -> float:
    """Return the sum of absolute values, to detect other results; 0 unless it is a NumPy array."""
    data = tensor.data
    return float(np.abs(data).sum(dtype=np.float64)) if isinstance(data, np.ndarray) else 0.0


def _differ(state: Any, other: Any) -> bool:
    return state[2:] != other[2:] or not np.array_equal(state[1], other[1])


# Where a method, an object, a decorated function and a `partial` refer to other objects.
_REFERENCES = ("__self__", "__dict__", "__wrapped__", "func", "args", "keywords")


def _generators(value: Any, seen: dict[int, Any]) -> Iterator[np.random.Generator]:
    """Yield the random Generators in containers, in objects, and in what functions refer to."""
    if isinstance(value, type | ModuleType | Tensor | np.ndarray) or id(value) in seen:
        return
    seen[id(value)] = value  # kept alive, so that its id is not reused
    if isinstance(value, np.random.Generator):
        yield value
        return
    items: Iterable[Any]
    if isinstance(value, Mapping):
        items = value.values()
    elif isinstance(value, list | tuple):
        items = value
    else:
        cells = getattr(value, "__closure__", None) or ()
        items = [getattr(cell, "cell_contents", None) for cell in cells]
        items += [getattr(value, name, None) for name in _REFERENCES]
    for item in items:
        yield from _generators(item, seen)
