"""What autograd puts around the ops that it does not record: they shall lose no gradient silently.

An op without a rule leads to an error when it is walked back through; a write into a tensor with a
history, and the bare array of one, are refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tinytorch_core import Op, Tensor

from tinytorch_autograd.errors import InPlaceError, UntrackedError
from tinytorch_autograd.modes import is_grad_enabled
from tinytorch_autograd.node import AccumulateGrad, Function, Node, next_number

Call = Callable[..., Any]


def without_rule(op: Op, call: Call, tensor: type[Tensor]) -> Call:
    """`call`, for an op without a rule: walking back through its output is an error.

    The output is tracked all the same. As a constant it would have a silent gradient of zero.
    """

    @functools.wraps(call)
    def function(*args: Any, **kwargs: Any) -> Any:
        made = call(*args, **kwargs)
        edges = nodes_in((args, kwargs), tensor)
        if edges and is_grad_enabled():
            attach_no_backward(made, tensor, edges, op.name, op.provider)
        return made

    return function


def attach_no_backward(
    made: Any, tensor: type[Tensor], edges: tuple[Node, ...], name: str, provider: str
) -> None:
    """Gives the tensors in `made` a history that says when it is walked that there is no rule."""
    for out in tensors(made, tensor):
        if out.data.dtype.kind in "fc" and getattr(out, "_node", None) is None:
            node = out._node = object.__new__(NoBackward)
            node.edges, node.number, node.hooks = edges, next_number(), None
            node.saved = (name, provider)


class NoBackward(Function):
    """A recorded op that has no backward rule."""

    __slots__ = ()
    has_rule = False
    saves = ("name", "provider")

    def __repr__(self) -> str:
        return f"<NoBackward of {self.saved[0]}>"


def tensors(value: Any, kind: type[Tensor]) -> list[Any]:
    """The tensors in nested tuples, lists and dicts."""
    found: list[Any] = []
    _collect(value, kind, found)
    return found


def _collect(value: Any, kind: type[Tensor], found: list[Any]) -> None:
    if isinstance(value, kind):
        found.append(value)
    elif isinstance(value, tuple | list):
        for item in value:
            _collect(item, kind, found)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, kind, found)


def nodes_in(value: Any, kind: type[Tensor]) -> tuple[Node, ...]:
    """The nodes of the tracked tensors in nested tuples, lists and dicts."""
    nodes = [getattr(t, "_node", None) for t in tensors(value, kind)]
    return tuple([node for node in nodes if node is not None])


def in_place(op: Op, call: Call, tensor: type[Tensor]) -> Call:
    """`call`, for an op that writes into its first input.

    `x += y` makes a new tensor where recording needs one; a leaf and `x[i] = y` are refused.
    """

    @functools.wraps(call)
    def function(x: Any, *others: Any) -> Any:
        tracked = [t for t in (x, *others) if isinstance(t, tensor) and getattr(t, "_node", None)]
        if not tracked or not is_grad_enabled():
            return call(x, *others)
        if op.operator and not isinstance(x._node, AccumulateGrad):
            return NotImplemented
        raise InPlaceError(
            f"{op.name} would write into a tensor of shape {x.shape} whose history is recorded; "
            "make a new tensor (x = x + y, np.where), or write inside `with no_grad():`"
        )

    return function


def raw(op: Op, call: Call, tensor: type[Tensor]) -> Call:
    """`call`, for an op that hands out the array, refused for a tracked tensor."""

    @functools.wraps(call)
    def function(x: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(x, "_node", None) is not None:
            raise UntrackedError(
                f"{op.name}() of a tensor that requires grad would lose its history; to keep it, "
                "join tensors by np.stack or np.concatenate instead of np.array, and compute with "
                "functions of NumPy; to drop it, use x.detach().numpy(), or x.data"
            )
        return call(x, *args, **kwargs)

    return function
