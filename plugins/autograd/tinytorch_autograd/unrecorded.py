"""The ops that autograd does not record, wrapped so that no gradient is lost silently.

An op without a rule attaches a node whose backward raises NoRuleError. Writing into a tracked
tensor raises an error, and so does converting it to an array.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from tinytorch_core import Op, Tensor

from tinytorch_autograd import tree
from tinytorch_autograd.errors import InPlaceError, UntrackedError
from tinytorch_autograd.modes import is_grad_enabled
from tinytorch_autograd.node import AccumulateGrad, Function, Node, next_number

Call = Callable[..., Any]


def without_rule(op: Op, call: Call, tensor: type[Tensor]) -> Call:
    """Return the call of an op without a rule: a backward pass through its output raises.

    The output is tracked too, because a constant would silently have a gradient of zero.
    """

    @functools.wraps(call)
    def function(*args: Any, **kwargs: Any) -> Any:
        results = call(*args, **kwargs)
        nodes = nodes_in([*args, *kwargs.values()], tensor)
        if nodes and is_grad_enabled():
            attach_no_backward(results, tensor, nodes, op.name, op.provider)
        return results

    return function


def attach_no_backward(
    results: Any, tensor: type[Tensor], nodes: tuple[Node, ...], name: str, provider: str
) -> None:
    """Attach a node whose backward raises NoRuleError to each tensor in `results`."""
    for out in tree.leaves(results):
        if isinstance(out, tensor) and out.dtype.kind in "fc" and out._node is None:
            node = out._node = object.__new__(NoBackward)
            node.edges, node.number, node.hooks = nodes, next_number(), None
            node.saved = (name, provider)


class NoBackward(Function):
    """A recorded op that has no backward rule."""

    __slots__ = ()
    has_rule = False
    saves = ("name", "provider")

    def __repr__(self) -> str:
        return f"<NoBackward of {self.saved[0]}>"


def nodes_in(values: Sequence[Any], kind: type[Tensor]) -> tuple[Node, ...]:
    """Return the nodes of the tracked tensors among values, in nested containers too."""
    nodes = [getattr(t, "_node", None) for t in tree.leaves(values) if isinstance(t, kind)]
    return tuple([node for node in nodes if node is not None])


def in_place(op: Op, call: Call, tensor: type[Tensor]) -> Call:
    """Return the call of an op that writes into its first input.

    `x += y` creates a new tensor if the operation must be recorded. Writing into a leaf, and
    `x[i] = y`, raise InPlaceError.
    """

    @functools.wraps(call)
    def function(self: Any, *others: Any) -> Any:
        tracked = [
            t for t in (self, *others) if isinstance(t, tensor) and getattr(t, "_node", None)
        ]
        if not tracked or not is_grad_enabled():
            return call(self, *others)
        if op.operator and not isinstance(self._node, AccumulateGrad):
            return NotImplemented
        raise InPlaceError(
            f"{op.name} would write into a tensor of shape {self.shape} whose operations are "
            "recorded; create a new tensor (x = x + y, np.where, np.sort), or write inside "
            "`with no_grad():`"
        )

    return function


_USE_NUMPY = (
    "join tensors by np.stack or np.concatenate instead of np.array, and compute with NumPy "
    "functions; np.arange needs like=x, a tensor"
)


def raw(op: Op, call: Call, tensor: type[Tensor]) -> Call:
    """Return the call of an op that returns the array, which raises for a tracked tensor."""

    @functools.wraps(call)
    def function(self: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(self, "_node", None) is not None:
            from tinytorch_autograd.numpy_caller import remedy  # only errors need it

            raise UntrackedError(
                f"{op.name}() of a tensor that requires grad would lose its gradient. To keep it, "
                f"{remedy() or _USE_NUMPY}; to drop it, use x.detach().numpy(), or x.data"
            )
        return call(self, *args, **kwargs)

    return function
