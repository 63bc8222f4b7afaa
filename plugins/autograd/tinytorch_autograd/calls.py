"""Call: a node for one call of a whole function, whatever is computed inside.

`checkpoint` and `custom_gradient` record their functions as such.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from tinytorch_core import Op, Tensor
from tinytorch_core.extend import from_array

from tinytorch_autograd import tree
from tinytorch_autograd.node import Node, class_name, next_number
from tinytorch_autograd.outputs import OutputGradients, SeveralOutputs, attach
from tinytorch_autograd.tracking import detached

# From the inputs and the gradients of the outputs, None where there is none, those of the edges.
# Both are arrays, or Tensors if what is computed is to be recorded. Gradients are conjugate where
# complex.
Derivative = Callable[[Sequence[Any], Sequence[Any]], Sequence[Any]]


class Call(SeveralOutputs):
    """One recorded call of a function."""

    __slots__ = ("op",)

    saves = ("inputs", "derivative")
    op: Op

    def gradients(self, grad: OutputGradients) -> tuple[Any, ...]:
        """The gradients along the edges, by the function's own derivative."""
        inputs, derivative = self.saved
        return tuple(derivative(inputs, [grad.get(i) for i in range(len(self.outputs))]))

    def lifted(self) -> Call:
        """This node with its inputs as Tensors in their places of the graph."""
        node = super().lifted()
        assert isinstance(node, Call)
        node.op = self.op
        return node

    def _lift(self, name: str, value: Any) -> Any:
        if name != "inputs":
            return value
        # There may be more edges than inputs: to what the function refers to besides.
        return [_lifted(x, edge) for x, edge in zip(value, self.edges or (), strict=False)]

    def __repr__(self) -> str:
        return f"<{class_name(self.op.name)}>"


def _lifted(value: Tensor, node: Node | None) -> Any:
    out = from_array(type(value), value.data)
    out._node = node
    return out


def record_call(
    name: str,
    made: Any,
    inputs: Sequence[Any],
    edges: Sequence[Node],
    derivative: Derivative,
) -> Any:
    """What a function made, with a node behind each of its tensors.

    Args:
        name: the function's.
        made: a container of what it returned.
        inputs: the tracked tensors it was given.
        edges: their nodes, and those of other tensors that it uses.
        derivative: see above.
    """
    node = object.__new__(Call)
    node.op = Op(name, derivative, (), inspect.Signature(), provider="a call")
    node.edges = tuple(edges)
    node.saved = ([detached(x) for x in inputs], derivative)
    node.number, node.hooks = next_number(), None
    results = [detached(y) for y in tree.leaves(made)]
    node.outputs = attach(node, results, Tensor)
    return tree.fill(made, results)


def check_function(what: str, f: Any) -> None:
    """Raises TypeError if `f`, which `what` was given, cannot be called."""
    if not callable(f):
        raise TypeError(f"{what} takes a function, not {type(f).__name__}: {f!r:.60}")
