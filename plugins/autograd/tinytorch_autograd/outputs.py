"""Ops with several outputs: a node for the op, and a small one for each output.

Each output collects its gradient as any tensor does, at a node of its own, which hands it on to the
node of the op. That one so has the gradients of all outputs together when its turn comes:

    q <- Output 0 <-+
                    +- QrBackward <- a
    r <- Output 1 <-+

The op's node knows its outputs by weak references only, so that there is no cycle.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from tinytorch_core import Op, Tensor

from tinytorch_autograd.complex_numbers import conj
from tinytorch_autograd.node import Function, class_name, next_number


class OutputGradients(dict[int, Any]):
    """The gradients of some of an op's outputs, by place. The engine adds them up as any other."""

    __slots__ = ()

    def __add__(self, other: OutputGradients) -> OutputGradients:
        # In place: the engine adds to what it made itself and nobody else holds.
        for place, grad in other.items():
            have = self.get(place)
            self[place] = grad if have is None else have + grad
        return self


class Output(Function):
    """One output of a recorded op that has several.

    Attributes:
        op: the op.
        place: which of its outputs, from 0.
    """

    __slots__ = ("op", "place")

    op: Op
    place: int

    def __init__(self, function: SeveralOutputs, place: int) -> None:
        self.edges, self.saved = (function,), ()
        self.number, self.hooks = next_number(), None
        self.op, self.place = function.op, place

    def gradients(self, grad: Any) -> tuple[OutputGradients]:
        """The gradient, for the node of the op to collect."""
        return (OutputGradients({self.place: grad}),)

    def apply(self, grad_output: Any) -> tuple[Any, ...]:
        """For the node of the op what its own `apply` takes: a gradient, or None, per output."""
        (function,) = self.next_functions
        assert isinstance(function, SeveralOutputs)
        alone = [None] * len(function.outputs)
        return ((*alone[: self.place], grad_output, *alone[self.place + 1 :]),)

    def lifted(self) -> Output:
        """This node itself: it has saved nothing."""
        return self

    def __repr__(self) -> str:
        return f"<{class_name(self.op.name)} output {self.place}>"


def results_of(made: Any) -> Sequence[Any]:
    """What an op made as a sequence, also where it is one thing."""
    return made if isinstance(made, tuple | list) else (made,)


def attach(
    function: SeveralOutputs, results: Sequence[Any], tensor: type[Tensor]
) -> tuple[weakref.ref[Output] | None, ...]:
    """Gives each of an op's results that can have a gradient its node, and returns references."""
    outputs: list[weakref.ref[Output] | None] = []
    for place, result in enumerate(results):
        if isinstance(result, tensor) and result.data.dtype.kind in "fc":
            node = result._node = Output(function, place)
            outputs.append(weakref.ref(node))
        else:
            outputs.append(None)
    return tuple(outputs)


def single_output(op: str, wrap: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`wrap`, what an op calls on a result that is no array, refusing several arrays.

    The rule of the op is one for a single output, and their gradients would be lost.
    """

    def checked(result: Any) -> Any:
        made = wrap(result)
        if isinstance(made, tuple | list) and any(isinstance(t, Tensor) for t in made):
            raise TypeError(
                f"{op} returned {len(made)} outputs, and its backward rule is for one: let the "
                "rule ask for `grads`, the gradients of all of them, instead of `grad`"
            )
        return made

    return checked


class SeveralOutputs(Function):
    """One recorded op that has several outputs.

    Attributes:
        outputs: for each output a weak reference to its Output, or None if it cannot have a
            gradient, as an array of integers.
    """

    __slots__ = ("outputs",)

    outputs: tuple[weakref.ref[Output] | None, ...]

    def _copy_from(self, made: Any) -> None:
        nodes = [getattr(t, "_node", None) for t in results_of(made)]
        (other,) = next(node.edges for node in nodes if node is not None)
        self.edges, self.saved, self.outputs = other.edges, other.saved, other.outputs

    def apply(self, grad_output: Sequence[Any]) -> tuple[Any, ...]:
        """The gradients of the inputs, from those of the outputs.

        Args:
            grad_output: for each output an array, or a Tensor to have the computation recorded,
                or None.

        Returns:
            One gradient for each input, of the input's shape; None where none is needed.

        Raises:
            GraphFreedError: a backward pass has freed what this node had saved.
        """
        self.check_alive()
        grads = OutputGradients((i, conj(g)) for i, g in enumerate(grad_output) if g is not None)
        lift = any(isinstance(g, Tensor) for g in grads.values())
        return tuple(map(conj, (self.lifted() if lift else self).gradients(grads)))

    def lifted(self) -> SeveralOutputs:
        """This node with its saved arrays as Tensors in their places of the graph."""
        node = super().lifted()
        assert isinstance(node, SeveralOutputs)
        node.outputs = self.outputs
        return node

    def _lift(self, name: str, value: Any) -> Any:
        if name != "outs":
            return super()._lift(name, value)
        return tuple(self._tensor(v, self._output(i)) for i, v in enumerate(value))

    def _output(self, place: int) -> Output | None:
        reference = self.outputs[place]
        if reference is None:
            return None
        # Nothing else in the graph leads to an output that is gone, so a new one will do.
        return reference() or Output(self, place)
