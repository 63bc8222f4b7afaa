"""Call: the node of a whole function, which `checkpoint` and `custom_gradient` record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinytorch_core import Op, Tensor
from tinytorch_core.extend import unwrap

from tinytorch_autograd import tree
from tinytorch_autograd.node import Node, class_name
from tinytorch_autograd.outputs import OutputGradients, SeveralOutputs, attach
from tinytorch_autograd.tracking import detached
from tinytorch_autograd.writes import next_number

# Takes the inputs and the gradients of the outputs (None if an output has none), and returns the
# gradients of the edges. All are arrays, or Tensors if the computation is to be recorded. Complex
# gradients are conjugated, as in rules.
Derivative = Callable[[Sequence[Any], Sequence[Any]], Sequence[Any]]


class Call(SeveralOutputs):
    """One recorded call of a function."""

    __slots__ = ("op",)

    saves = ("inputs", "others", "derivative")
    op: Op

    def gradients(self, grad: OutputGradients) -> tuple[Any, ...]:
        """Return the gradients of the edges, computed by the function's own derivative."""
        inputs, _, derivative = self.saved
        return tuple(derivative(inputs, [grad.get(i) for i in range(len(self.outputs))]))

    def lifted(self) -> Call:
        """Return this node with its inputs as Tensors that are part of the graph."""
        node = super().lifted()
        assert isinstance(node, Call)
        node.op = self.op
        return node

    def _lift(self, name: str, value: Any) -> Any:
        if name != "inputs":
            return value
        # There may be more edges than inputs: to tensors that the function captures.
        lifted = [detached(x) for x in value]
        for x, edge in zip(lifted, self.edges or (), strict=False):
            x._node = edge
        return lifted

    def __repr__(self) -> str:
        return f"<{class_name(self.op.name)}>"


def record_call(
    name: str,
    returned: Any,
    inputs: Sequence[Any],
    edges: Sequence[Node],
    derivative: Derivative,
    others: Sequence[Any] = (),
) -> Any:
    """Return what a function returned, with a node attached to each of its tensors.

    Args:
        name: the name of the function.
        returned: what it returned, in nested containers.
        inputs: the tracked tensors that it received.
        edges: the nodes of the inputs, and of other tensors that it uses.
        derivative: computes the gradients of the edges.
        others: other tensors and arrays that it uses, which must not be written into.
    """
    node = object.__new__(Call)
    node.op = Op(name, derivative, (), provider="a call")
    node.edges = tuple(edges)
    node.saved = ([detached(x) for x in inputs], unwrap(list(others)), derivative)
    node.number, node.hooks = next_number(), None
    results = [detached(y) for y in tree.leaves(returned)]
    node.outputs = attach(node, results, Tensor)
    return tree.fill(returned, results)


def check_function(what: str, f: Any) -> None:
    """Raise TypeError if `f`, an argument of `what`, is not callable."""
    if not callable(f):
        raise TypeError(f"{what} takes a function, not {type(f).__name__}: {f!r:.60}")
