"""The nodes of the graph: Function for each recorded op, AccumulateGrad for each leaf.

A tensor refers to the node that created it, and a node to the nodes that created its inputs. A
node holds arrays, never the tensor it created. So the graph has no reference cycles, and dropping
the last tensor frees it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from itertools import compress
from typing import Any, ClassVar, Union

import numpy as np

from tinytorch_core import Op, Tensor
from tinytorch_core.extend import from_array

from tinytorch_autograd import writes
from tinytorch_autograd.complex_numbers import conj, is_complex
from tinytorch_autograd.errors import GraphFreedError
from tinytorch_autograd.modes import enable_grad
from tinytorch_autograd.writes import next_number

Node = Union["Function", "AccumulateGrad"]
Hook = Callable[[Any], Any]

# Functions that return the class of an op's nodes, by the name of the class, for every op that was
# ever active.
functions: dict[str, Callable[[], type[Function]]] = {}


def class_name(op: str) -> str:
    """Return the name of an op's Function.

    >>> class_name("mul"), class_name("linalg.matrix_power")
    ('MulBackward', 'MatrixPowerBackward')
    """
    name = op.rpartition(".")[2]
    return "".join(part.capitalize() for part in name.split("_")) + "Backward"


class AccumulateGrad:
    """The node of a leaf, where a gradient is accumulated.

    Attributes:
        tensor: a weak reference to the leaf.
        hooks: functions that are called with the complete gradient, or None.

    Class attributes:
        any_hooks: whether any leaf has ever had hooks.
    """

    __slots__ = ("__weakref__", "hooks", "tensor")

    any_hooks: ClassVar[bool] = False

    # A leaf leads nowhere. Reading this takes a third of the time of `isinstance(node, Function)`.
    edges: ClassVar[tuple[()]] = ()

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = weakref.ref(tensor)
        self.hooks: list[Hook] | None = None

    def __repr__(self) -> str:
        tensor = self.tensor()
        return f"<AccumulateGrad of {'a deleted tensor' if tensor is None else tensor.shape}>"


class Function:
    """A recorded op. Each differentiable op has a subclass, named `MulBackward` for `mul`.

    `MulBackward(a, b)` creates a node as if `a * b` had been recorded with both tracked.

    Attributes:
        edges: for each input the node that created it, or None if it needs no gradient. None
            instead of the tuple once the graph is freed.
        saved: the values that the rule asks for, in the order of `saves`. None instead of an array
            that only the gradient of a number would need.
        number: the position in the order of creation.
        hooks: functions that are called with the complete gradient, or None.

    Class attributes:
        op: the op.
        saves: the names of what is saved.
        asks: for each input the names of what its gradient is computed from. Empty if unknown.
        has_rule: False for an op without a backward rule, whose backward raises.
        record: runs the op on tensors, without the wrappers of other plugins, and adds a node.
    """

    __slots__ = ("__weakref__", "edges", "hooks", "number", "saved")

    op: Op
    saves: ClassVar[tuple[str, ...]] = ()
    asks: ClassVar[tuple[tuple[str, ...], ...]] = ()
    has_rule: ClassVar[bool] = True
    record: ClassVar[Callable[..., Any]]

    edges: tuple[Node | None, ...] | None
    saved: tuple[Any, ...]
    number: int
    hooks: list[Hook] | None

    def __init__(self, *inputs: Any, **parameters: Any) -> None:
        count = len(inputs) if self.op.variadic else len(self.op.inputs)
        leaves = [_tracked(x) if i < count else x for i, x in enumerate(inputs)]
        with enable_grad():
            self._copy_node_of(type(self).record(*leaves, **parameters))
        self.number, self.hooks = next_number(), None

    def _copy_node_of(self, results: Any) -> None:
        """Copy the edges and the saved values of the node of `results`."""
        self.edges, self.saved = results._node.edges, results._node.saved

    def gradients(self, grad: Any) -> tuple[Any, ...]:
        """Return the gradients of the inputs, None for those that need none.

        Generated for each rule.
        """
        raise NotImplementedError(f"{type(self).__name__} has no rule")

    def apply(self, grad_output: Any) -> tuple[Any, ...]:
        """Return the gradients of the inputs, given the gradient of the output.

        Args:
            grad_output: an array, or a Tensor if the computation is to be recorded.

        Returns:
            One gradient for each input, of the input's shape; None for an input that needs none.

        Raises:
            GraphFreedError: a backward pass has freed what this node had saved.
            ModifiedError: a saved array has been written into.
        """
        self.check_saved()
        node = self.lifted() if isinstance(grad_output, Tensor) else self
        return tuple(map(conj, node.gradients(conj(grad_output))))

    def lifted(self) -> Function:
        """Return this node with its saved arrays as Tensors that are part of the graph.

        The rule then computes with Tensors, so that its computation is recorded too.
        """
        node = object.__new__(type(self))
        node.edges, node.number, node.hooks = self.edges, self.number, None
        node.saved = tuple(
            self._lift(name, value) for name, value in zip(self.saves, self.saved, strict=True)
        )
        return node

    def _lift(self, name: str, value: Any) -> Any:
        """Return a saved value, with the output and the tracked inputs as Tensors."""
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
        """Return a saved array as the tensor that `node` created, or as it is without a node."""
        return value if node is None else tensor_of(node, Tensor, value)

    def has_real_output(self) -> bool:
        """Return whether what this node saved shows that the output is real."""
        pairs = zip(self.saves, self.saved, strict=True)
        saved = {name: value for name, value in pairs if value is not None}
        if "out" in saved:
            return not is_complex(saved["out"])
        if "out_dtype" in saved:
            return saved["out_dtype"].kind != "c"
        if not runs_numpy_ufunc(self.op):
            return False
        return all(x in saved and not is_complex(saved[x]) for x in self.op.inputs)

    def check_alive(self) -> None:
        """Raise GraphFreedError if a backward pass has freed this node."""
        if self.edges is None:
            raise self.freed()

    def check_saved(self) -> None:
        """Raise an error if the saved values have been freed or written into."""
        self.check_alive()
        writes.check([self])

    def needs(self) -> set[str]:
        """Return the names of the values from which the gradients of tracked inputs are computed.

        `x * y` saves both arrays, but if only `x` is tracked, its gradient needs only `y`.
        """
        edges = self.edges or ()
        if len(self.asks) != len(edges):
            return {*self.saves, *(name for names in self.asks for name in names)}
        tracked = [edge is not None for edge in edges]
        return {name for names in compress(self.asks, tracked) for name in names}

    def location(self) -> str | None:
        """Return the line of the program that ran the op, or None without `detect_anomaly`."""
        return None

    def freed(self) -> GraphFreedError:
        """Return the error for a second backward pass through this node."""
        return GraphFreedError(
            f"{self!r} was freed by an earlier backward pass over the same graph; "
            "to use the graph again, call the first one with retain_graph=True"
        )

    def returned_none(self, x: str) -> TypeError:
        """Return the error for a rule that returns None for an input."""
        return TypeError(
            f"the rule of {self.op.name} returned None for the gradient of {x}; return an array of "
            "its shape. If its gradient is zero, pass None to rules.add"
        )

    def wrong_count(self, count: int) -> ValueError:
        """Return the error for a rule of a variadic op that returns too few or too many."""
        return ValueError(
            f"the rule of {self.op.name} returned {count} gradients for {len(self.edges or ())} "
            "inputs; return one for each"
        )

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The arrays, shapes and parameters saved for the rule when the op ran."""
        self.check_alive()
        return self.saved

    @property
    def next_functions(self) -> tuple[Node | None, ...]:
        """For each input the node that created it, or None if it needs no gradient."""
        self.check_alive()
        return self.edges or ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def runs_numpy_ufunc(op: Op) -> bool:
    """Return whether an op is a ufunc of NumPy, all of which map real numbers to real ones."""
    return any(
        isinstance(function, np.ufunc) and vars(np).get(function.__name__) is function
        for function in (op.forward, *op.numpy)
    )


def tensor_of(node: Node | None, kind: type[Tensor], array: Any) -> Any:
    """Return a tensor on `array` as if `node` had created it."""
    out = from_array(kind, array)
    out._node = node
    return out


def _tracked(value: Any) -> Any:
    """Return `value` as a tensor that is tracked if its dtype allows it."""
    if isinstance(value, Tensor) and getattr(value, "_node", None) is not None:
        return value
    tensor = Tensor(value)
    if tensor.data.dtype.kind in "fc":
        tensor._node = AccumulateGrad(tensor)
    return tensor
