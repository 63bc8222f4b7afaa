"""Ops with several outputs: a node for the op, and a small node for each output.

Each output collects its gradient at its own node, as any tensor does, and passes it on to the
node of the op, which has the gradients of all outputs when the backward pass reaches it:

    q <- Output 0 <-+
                    +- QrBackward <- a
    r <- Output 1 <-+

The op's node refers to its outputs by weak references only, to avoid a reference cycle.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tinytorch_core import Op, Tensor

from tinytorch_autograd.complex_numbers import conj
from tinytorch_autograd.node import Function, class_name
from tinytorch_autograd.writes import next_number

if TYPE_CHECKING:
    import numpy as np


class OutputGradients(dict[int, Any]):
    """The gradients of some of an op's outputs, by index. The engine adds them up like arrays."""

    __slots__ = ()

    dtype: ClassVar[None] = None  # not complex, for the engine

    def __add__(self, other: OutputGradients) -> OutputGradients:
        # In place, because the engine adds only to what it created itself.
        for index, grad in other.items():
            have = self.get(index)
            self[index] = grad if have is None else have + grad
        return self


class Output(Function):
    """One output of a recorded op that has several.

    Attributes:
        op: the op.
        index: which of its outputs, from 0.
    """

    __slots__ = ("index", "op")

    saves = ("out_dtype",)
    op: Op
    index: int

    def __init__(self, function: SeveralOutputs, index: int, dtype: np.dtype[Any]) -> None:
        self.edges, self.saved = (function,), (dtype,)
        self.number, self.hooks = next_number(), None
        self.op, self.index = function.op, index

    def gradients(self, grad: Any) -> tuple[OutputGradients]:
        """Return the gradient with its index, for the node of the op to collect."""
        return (OutputGradients({self.index: grad}),)

    def apply(self, grad_output: Any) -> tuple[Any, ...]:
        """Return what `apply` of the op's node takes: a gradient, or None, for each output."""
        (function,) = self.next_functions
        assert isinstance(function, SeveralOutputs)
        alone = [None] * len(function.outputs)
        return ((*alone[: self.index], grad_output, *alone[self.index + 1 :]),)

    def lifted(self) -> Output:
        """Return this node itself, because it saves no arrays."""
        return self

    def __repr__(self) -> str:
        return f"<{class_name(self.op.name)} output {self.index}>"


def results_of(returned: Any) -> Sequence[Any]:
    """Return what an op returned as a sequence of results, even if it is a single one."""
    return returned if isinstance(returned, tuple | list) else (returned,)


def attach(
    function: SeveralOutputs, results: Sequence[Any], tensor: type[Tensor]
) -> tuple[weakref.ref[Output] | None, ...]:
    """Attach a node to each result that can have a gradient, and return references to them."""
    outputs: list[weakref.ref[Output] | None] = []
    for index, result in enumerate(results):
        if isinstance(result, tensor) and result.data.dtype.kind in "fc":
            if getattr(result, "_node", None) is not None:
                raise TensorReturnedError(function.op.name)
            node = result._node = Output(function, index, result.data.dtype)
            outputs.append(weakref.ref(node))
        else:
            outputs.append(None)
    return tuple(outputs)


class TensorReturnedError(TypeError):
    """A forward function returned a Tensor: an option is one, or it uses one from elsewhere.

    Or a wrapper inside of recording returned a tracked tensor.

    The tensor lacks the node of the inputs, and may have another one.
    """

    def __init__(self, op: str) -> None:
        super().__init__(
            f"the forward function of {op} returned a Tensor, but must compute with arrays, like "
            'wrappers with stage="inside"; make each Tensor that it uses an input of the op, or '
            "use its array, x.data"
        )


def attach_single(function: Function, result: Any) -> None:
    """Attach the node of an op to its single result, which must not have one."""
    if getattr(result, "_node", None) is not None:
        raise TensorReturnedError(function.op.name)
    result._node = function


def single_output(op: str, wrap: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that calls `wrap` on the single output of an op.

    It raises TypeError if the op returned several outputs, because its rule is for one, and
    TensorReturnedError if it returned a Tensor.

    Args:
        op: the name of the op.
        wrap: puts a result that is not an array, such as a tuple of arrays, into Tensors.
    """

    def checked(result: Any) -> Any:
        if isinstance(result, Tensor):
            raise TensorReturnedError(op)
        wrapped = wrap(result)
        if isinstance(wrapped, tuple | list) and any(isinstance(t, Tensor) for t in wrapped):
            raise TypeError(
                f"{op} returned {len(wrapped)} outputs, but its backward rule is for one; let the "
                "rule ask for `grads`, the gradients of all outputs, instead of `grad`"
            )
        return wrapped

    return checked


class SeveralOutputs(Function):
    """A recorded op that has several outputs.

    Attributes:
        outputs: for each output a weak reference to its Output, or None if it cannot have a
            gradient, such as an array of integers.
    """

    __slots__ = ("outputs",)

    outputs: tuple[weakref.ref[Output] | None, ...]

    def _copy_node_of(self, results: Any) -> None:
        nodes = [getattr(t, "_node", None) for t in results_of(results)]
        (other,) = next(node.edges for node in nodes if node is not None)
        self.edges, self.saved, self.outputs = other.edges, other.saved, other.outputs

    def apply(self, grad_output: Sequence[Any]) -> tuple[Any, ...]:
        """Return the gradients of the inputs, given those of the outputs.

        Args:
            grad_output: for each output an array, a Tensor if the computation is to be recorded,
                or None.

        Returns:
            One gradient for each input, of the input's shape; None for an input that needs none.

        Raises:
            GraphFreedError: a backward pass has freed what this node had saved.
            ModifiedError: a saved array has been written into.
        """
        self.check_saved()
        grads = OutputGradients((i, conj(g)) for i, g in enumerate(grad_output) if g is not None)
        lift = any(isinstance(g, Tensor) for g in grads.values())
        return tuple(map(conj, (self.lifted() if lift else self).gradients(grads)))

    def lifted(self) -> SeveralOutputs:
        """Return this node with its saved arrays as Tensors that are part of the graph."""
        node = super().lifted()
        assert isinstance(node, SeveralOutputs)
        node.outputs = self.outputs
        return node

    def _lift(self, name: str, value: Any) -> Any:
        if name != "outs":
            return super()._lift(name, value)
        return tuple(self._tensor(v, self._output(i, v)) for i, v in enumerate(value))

    def _output(self, index: int, value: Any) -> Output | None:
        reference = self.outputs[index]
        if reference is None:
            return None
        # If the output was dropped, nothing else in the graph refers to it: create it again.
        return reference() or Output(self, index, value.dtype)
