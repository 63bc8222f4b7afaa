"""The nodes of the graph: Function, one for each recorded op, and AccumulateGrad for leaves.

A tensor points at the node that made it, a node at the nodes that made its inputs. Nodes hold
arrays, never the tensor they made: there is no cycle, and dropping a tensor frees its history.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, Union

from tinytorch_core import Op, Tensor
from tinytorch_core.extend import from_array

from tinytorch_autograd.complex_numbers import conj
from tinytorch_autograd.errors import GraphFreedError
from tinytorch_autograd.modes import enable_grad

# A later node has a higher number than every node it depends on.
next_number = itertools.count().__next__

Node = Union["Function", "AccumulateGrad"]
Hook = Callable[[Any], Any]

# What gives the class of the nodes of each op that was ever on, by the name of the class.
functions: dict[str, Callable[[], type[Function]]] = {}


def class_name(op: str) -> str:
    """The name of an op's Function.

    >>> class_name("matrix_power")
    'MatrixPowerBackward'
    """
    return "".join(part.capitalize() for part in op.split("_")) + "Backward"


class AccumulateGrad:
    """The node of a leaf: its gradient ends here.

    Attributes:
        tensor: a weak reference to the leaf.
        hooks: functions that are called with the finished gradient, or None.
    """

    __slots__ = ("__weakref__", "hooks", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = weakref.ref(tensor)
        self.hooks: list[Hook] | None = None

    def __repr__(self) -> str:
        tensor = self.tensor()
        return f"<AccumulateGrad of {'a lost tensor' if tensor is None else tensor.shape}>"


class Function:
    """One recorded op. Each differentiable op has a subclass, named `MulBackward` for `mul`.

    `MulBackward(a, b)` makes a node by hand, as if `a * b` had been recorded with both tracked.

    Attributes:
        edges: for each input the node that made it, or None if no gradient goes there. None
            instead of the tuple once the graph is freed.
        saved: the values the rule asked for, in the order of `saves`.
        number: the place in the order of creation.
        hooks: functions that are called with the finished gradient, or None.

    Class attributes:
        op: the op.
        saves: the names of what is saved.
        has_rule: False for an op without a backward rule, which cannot be walked through.
        tensor_class: the class of the op's results.
        record: runs the op on tensors and adds a node.
    """

    __slots__ = ("__weakref__", "edges", "hooks", "number", "saved")

    op: Op
    saves: ClassVar[tuple[str, ...]] = ()
    has_rule: ClassVar[bool] = True
    tensor_class: ClassVar[type[Tensor]] = Tensor
    record: ClassVar[Callable[..., Any]]

    edges: tuple[Node | None, ...] | None
    saved: tuple[Any, ...]
    number: int
    hooks: list[Hook] | None

    def __init__(self, *inputs: Any, **parameters: Any) -> None:
        kind = self.tensor_class
        count = len(inputs) if self.op.variadic else len(self.op.inputs)
        leaves = [_tracked(x, kind) if i < count else x for i, x in enumerate(inputs)]
        with enable_grad():
            self._copy_from(type(self).record(*leaves, **parameters))
        self.number, self.hooks = next_number(), None

    def _copy_from(self, made: Any) -> None:
        """Takes over what the node behind `made`, the op's result, has."""
        self.edges, self.saved = made._node.edges, made._node.saved

    def gradients(self, grad: Any) -> tuple[Any, ...]:
        """The gradients of the inputs, None for those that need none; written for each rule."""
        raise NotImplementedError(f"{type(self).__name__} has no rule")

    def apply(self, grad_output: Any) -> tuple[Any, ...]:
        """The gradients of the inputs, from the gradient of the output.

        Args:
            grad_output: an array, or a Tensor to have the computation recorded.

        Returns:
            One gradient for each input, of the input's shape; None where none is needed.

        Raises:
            GraphFreedError: a backward pass has freed what this node had saved.
        """
        self.check_alive()
        node = self.lifted() if isinstance(grad_output, Tensor) else self
        return tuple(map(conj, node.gradients(conj(grad_output))))

    def lifted(self) -> Function:
        """This node with its saved arrays as Tensors in their places of the graph.

        Rules then work on Tensors, so that what they compute is recorded in turn.
        """
        node = object.__new__(type(self))
        node.edges, node.number, node.hooks = self.edges, self.number, None
        node.saved = tuple(
            self._lift(name, value) for name, value in zip(self.saves, self.saved, strict=True)
        )
        return node

    def _lift(self, name: str, value: Any) -> Any:
        """One saved value; Tensors in the place of the output and of inputs that were tracked."""
        if value is None:
            return None
        if name == "out":
            return self._tensor(value, self)
        if name not in self.op.inputs or self.edges is None:
            return value
        if self.op.variadic:
            return [self._tensor(v, e) for v, e in zip(value, self.edges, strict=True)]
        return self._tensor(value, self.edges[self.op.inputs.index(name)])

    def _tensor(self, value: Any, node: Node | None) -> Any:
        """A saved array as the tensor that `node` made; as it is if it was not tracked."""
        if node is None:
            return value
        out = from_array(self.tensor_class, value)
        out._node = node
        return out

    def check_alive(self) -> None:
        """Raises GraphFreedError if a backward pass has freed this node."""
        if self.edges is None:
            raise self.freed()

    def freed(self) -> GraphFreedError:
        """The error of walking this node again."""
        return GraphFreedError(
            f"{self!r} was freed by an earlier backward pass over the same graph; "
            "to walk it again, call the first one with retain_graph=True"
        )

    def returned_none(self, x: str) -> TypeError:
        """The error of a rule that returns nothing for an input."""
        return TypeError(
            f"the rule of {self.op.name} returned None for the gradient of {x}; return an array of "
            "its shape. An input without derivative has None in place of a function"
        )

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What the rule asked for when the op ran: arrays, shapes and parameters."""
        self.check_alive()
        return self.saved

    @property
    def next_functions(self) -> tuple[Node | None, ...]:
        """For each input the node that made it, or None if no gradient goes there."""
        self.check_alive()
        return self.edges or ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def _tracked(value: Any, kind: type[Tensor]) -> Any:
    """`value` as a tensor that is tracked if its dtype allows it: itself if it is one already."""
    if isinstance(value, kind) and value._node is not None:
        return value
    tensor = kind(value)
    if tensor.data.dtype.kind in "fc":
        tensor._node = AccumulateGrad(tensor)
    return tensor
