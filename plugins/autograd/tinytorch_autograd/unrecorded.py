"""The ops that autograd does not record, wrapped so that no gradient is lost silently.

An op without a rule attaches a node whose backward raises NoRuleError. Writing into a tracked
tensor raises an error, and so does converting it to an array, or passing it as an option. Writing
into an array that an op has saved is noted, and the backward pass through the op raises.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from tinytorch_core import Op, Tensor
from tinytorch_core.extend import unwrap

from tinytorch_autograd import tree, writes
from tinytorch_autograd.errors import InPlaceError, LostGradientError
from tinytorch_autograd.modes import is_grad_enabled
from tinytorch_autograd.node import AccumulateGrad, Function, Node
from tinytorch_autograd.writes import next_number

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
        if isinstance(out, tensor) and out.dtype.kind in "fc":
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


# The classes of options that cannot contain a Tensor.
SIMPLE = frozenset({bool, float, int, str, type(None)})


def unwrap_options(op: Op, options: tuple[Any, ...]) -> Any:
    """Return the options of a call with Tensors replaced by their arrays.

    Raises:
        LostGradientError: an option is tracked, and operations are recorded.
    """
    if is_grad_enabled():
        for name, option in zip(op.parameters, options, strict=True):
            refuse_tracked_option(op.name, name, option)
    return unwrap(options)


def refuse_tracked_option(op: str, name: str, option: Any) -> None:
    """Raise LostGradientError if an option is, or contains, a tracked tensor."""
    if option.__class__ not in SIMPLE and nodes_in([option], Tensor):
        raise LostGradientError(
            f"{op}() takes {name} as a constant, so the gradient of this {name}, which requires "
            f"grad, would be lost; pass {name}.detach(), compute the result with NumPy functions "
            f"of {name}, or make {name} an input of the op, with a backward rule"
        )


def in_place(op: Op, call: Call, tensor: type[Tensor]) -> Call:
    """Return the call of an op that writes into its first input.

    `x += y` creates a new tensor if the operation must be recorded. Writing into a leaf, and
    `x[i] = y`, raise InPlaceError; `assignment` then records `x[i] = y` if it can.
    """
    to_item = op.name == "setitem"

    @functools.wraps(call)
    def function(self: Any, *others: Any) -> Any:
        if is_grad_enabled() and _any_tracked((self, *others), tensor):
            if op.operator and not isinstance(getattr(self, "_node", None), AccumulateGrad):
                return NotImplemented
            raise InPlaceError(
                f"{op.name} would write into a tensor of shape {self.shape} whose operations are "
                "recorded; create a new tensor (x = x + y, np.where, np.sort), or write inside "
                "`with no_grad():`"
            )
        result = call(self, *others)
        if to_item:
            writes.note(self, others[0])
        elif result is not NotImplemented:
            writes.note(self)
        return result

    return function


def _any_tracked(values: Sequence[Any], kind: type[Tensor]) -> bool:
    for value in values:  # noqa: SIM110 - faster than any()
        if isinstance(value, kind) and getattr(value, "_node", None):
            return True
    return False


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

            raise LostGradientError(
                f"{op.name}() of a tensor that requires grad would lose its gradient. To keep it, "
                f"{remedy() or _USE_NUMPY}; to drop it, use x.detach().numpy(), or x.data"
            )
        return call(self, *args, **kwargs)

    return function
