"""The attributes and methods that autograd adds to Tensor."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import numpy as np

from tinytorch_core import Op, Tensor
from tinytorch_core.extend import TensorExtension, derive, unwrap

from tinytorch_autograd.engine import nodes_of
from tinytorch_autograd.errors import (
    AutogradError,
    GraphFreedError,
    LostGradientError,
    LostGradientWarning,
)
from tinytorch_autograd.gradients import backward
from tinytorch_autograd.hooks import register_hook, retain_grad
from tinytorch_autograd.modes import is_grad_enabled
from tinytorch_autograd.node import AccumulateGrad, Function, Node
from tinytorch_autograd.tracking import inputs_of_transforms

AnyTensor = TypeVar("AnyTensor", bound=Tensor)


def _node_of(self: Any) -> Node | None:
    # The default of the class is missing if another thread has just disabled autograd.
    return getattr(self, "_node", None)


def get_requires_grad(self: Any) -> bool:
    """Whether operations on this tensor are recorded. It can be set on leaves only."""
    return _node_of(self) is not None


def set_requires_grad(self: Any, value: bool) -> None:
    """Turn the tensor into a leaf whose operations are recorded, or stop recording them."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"requires_grad must be True or False, not {value!r}")
    node = _node_of(self)
    if value == (node is not None):
        return
    if not value:
        if isinstance(node, Function):
            raise AutogradError(
                f"a tensor computed by {node!r} cannot stop requiring grad; "
                "use detach() to get an untracked tensor"
            )
        self._node = None
        return
    if self.data.dtype.kind not in "fc":
        raise TypeError(
            f"only floating-point tensors can require grad, not {self.data.dtype}; "
            "convert it first: x.astype(np.float32)"
        )
    self._node = AccumulateGrad(self)


def requires_grad_(self: AnyTensor, requires_grad: bool = True) -> AnyTensor:
    """Set `requires_grad` and return the tensor.

    Raises:
        TypeError: the dtype is not floating-point.
        AutogradError: `requires_grad` is False, and the tensor was computed by a recorded op.
    """
    set_requires_grad(self, requires_grad)
    return self


def get_grad(self: Any) -> np.ndarray[Any, Any] | None:
    """The gradient, an array of this tensor's shape and dtype, or None."""
    return getattr(self, "_grad", None)


def set_grad(self: Any, value: Any) -> None:
    """Replace the gradient by an array or Tensor of this tensor's shape, or by None."""
    if value is not None:
        value = unwrap(value)
        if getattr(value, "shape", None) != self.data.shape:
            raise ValueError(
                f"the gradient of a tensor of shape {self.data.shape} must be an array of that "
                f"shape or None, not {getattr(value, 'shape', value)!r}"
            )
    self._grad = value


def grad_fn(self: Any) -> Function | None:
    """The node of the op that computed this tensor; None for a leaf."""
    node = _node_of(self)
    return node if isinstance(node, Function) else None


def is_leaf(self: Any) -> bool:
    """Whether the tensor is a leaf: it was not computed by a recorded op."""
    return not isinstance(_node_of(self), Function)


def zero_grad(self: Any) -> None:
    """Set `grad` to None."""
    self._grad = None


def detach(self: AnyTensor) -> AnyTensor:
    """Return an untracked tensor on the same array."""
    return derive(self, self.data, "copy")


def to_number(op: Op, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the call of `int`, `float` or `complex`, which reports a gradient that it would lose.

    It raises LostGradientError if a running transform differentiates the tensor, and warns about
    other tracked tensors, once for each line of the program.
    """

    @functools.wraps(call)
    def number(self: Any) -> Any:
        node = _node_of(self)
        if node is not None and is_grad_enabled():
            _report_lost_gradient(f"{op.name}()", node)
        return call(self)

    return number


def _report_lost_gradient(what: str, node: Node) -> None:
    # Needed for errors only.
    from tinytorch_autograd.debug.location import users_frame, users_location

    location = users_location()
    remedy = (
        "Keep the gradient by NumPy functions of tensors (np.sin instead of math.sin, np.stack "
        "instead of writing into an array), or use x.item() if the number is a constant"
    )
    inputs = inputs_of_transforms.get()
    if inputs and not {x._node for x in inputs}.isdisjoint(_nodes_before(node)):
        raise LostGradientError(
            f"{what} of a tensor that is being differentiated would lose its gradient:{location}\n"
            f"{remedy}"
        )
    warnings.warn_explicit(
        f"{what} of a tensor that requires grad returns a number without its gradient. {remedy}",
        LostGradientWarning,
        location.file,
        location.line,
        registry=users_frame().f_globals.setdefault("__warningregistry__", {}),
    )


def _nodes_before(node: Node) -> Collection[Node | None]:
    """Return the nodes that a node depends on, and itself; none if its graph was freed."""
    try:
        return nodes_of([node])[1]
    except GraphFreedError:
        return ()


def _keyword_of_copy(self: Any) -> bool:
    """Return the keyword `requires_grad` for a copy of this tensor."""
    node = _node_of(self)
    if isinstance(node, Function):
        raise AutogradError(
            f"a tensor computed by {node!r} cannot be copied or pickled with its graph; "
            "detach() it first, or use its copy() method, which is recorded. To a library that "
            "copies its arguments, such as matplotlib, pass the array, x.data"
        )
    return node is not None


def _repr_part(self: Any) -> str | None:
    node = _node_of(self)
    if node is None:
        return None
    return f"grad_fn={node!r}" if isinstance(node, Function) else "requires_grad=True"


def _mask(self: Any) -> Any:
    """The attribute that masked arrays read from an operand, of which they use only the array."""
    if _node_of(self) is None:
        raise AttributeError("_mask")
    raise TypeError(
        "a masked array does not combine with a tensor that requires grad, because the result "
        "would have no gradient; use masked.filled(value), or the array of the tensor, x.data"
    )


def extend(tensor: TensorExtension) -> None:
    """Add the attributes and methods to the surface."""
    tensor.add("_node", None)
    tensor.add("_grad", None)
    tensor.add("_retains", False)
    tensor.add("_mask", property(_mask))
    tensor.add("requires_grad", property(get_requires_grad, set_requires_grad))
    tensor.add("grad", property(get_grad, set_grad))
    tensor.add("grad_fn", property(grad_fn))
    tensor.add("is_leaf", property(is_leaf))
    for method in (backward, detach, register_hook, requires_grad_, retain_grad, zero_grad):
        tensor.add(method.__name__, method)
    tensor.add_keyword("requires_grad", set_requires_grad, _keyword_of_copy, False)
    tensor.add_repr(_repr_part)
