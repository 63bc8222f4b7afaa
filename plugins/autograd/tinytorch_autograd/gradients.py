"""Computing gradients: `backward`, which adds to `x.grad`, and `grad`, which returns them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, overload

import numpy as np

from tinytorch_core import Op, Tensor
from tinytorch_core.extend import derive, from_array, least_references

from tinytorch_autograd.complex_numbers import cast
from tinytorch_autograd.engine import backward_pass
from tinytorch_autograd.errors import NonScalarError, UntrackedError
from tinytorch_autograd.node import AccumulateGrad, Function, Node, tensor_of
from tinytorch_autograd.writes import next_number


def backward(tensor: Any, gradient: Any = None, retain_graph: bool = False) -> None:
    """Add to `grad` of every leaf the derivative of this tensor with respect to the leaf.

    Args:
        tensor: the tensor to start from.
        gradient: an array or Tensor of this tensor's shape, by which the derivative is
            multiplied. Required unless the tensor has exactly one element.
        retain_graph: keep the graph for another call. Otherwise it is freed during the pass.

    Raises:
        UntrackedError: the tensor does not require grad.
        NonScalarError: it has several elements, or a complex one, and `gradient` is missing.
        TypeError: `gradient` is complex, and the tensor is real.
        ValueError: `gradient` has another shape.
        GraphFreedError: an earlier call has freed the graph.
        NoRuleError: the graph contains an op without a backward rule.
        LostGradientError: another thread has disabled autograd while the graph was recorded.

    >>> x = Tensor([2.0], requires_grad=True)
    >>> (x * 3).backward()
    >>> x.grad
    array([3.], dtype=float32)
    """
    node = node_of(tensor, "backward()")
    seed = first_gradient(tensor, gradient)
    grads = backward_pass([(node, seed)], retain_graph=retain_graph)
    finished = []
    for leaf in list(grads):
        target: Any = leaf.tensor() if leaf.__class__ is AccumulateGrad else None
        if target is not None:
            finished.append((target, _finished(target.data, grads, leaf)))
    for target, grad in finished:
        have = getattr(target, "_grad", None)
        target._grad = grad if have is None else have + grad


def _finished(data: Any, grads: dict[Node, Any], leaf: Node) -> Any:
    grad = grads.pop(leaf)
    if grad is None:
        return np.zeros_like(data)
    # An array without other references becomes the gradient as it is. Any other is copied: it may
    # be saved in a node, be the gradient of another leaf, or belong to the caller.
    shared = _references(grad) > _UNSHARED
    fitted = fit(data, grad)
    if fitted is grad and (shared or grad.__class__ is not np.ndarray or grad.base is not None):
        return grad.copy()
    return fitted


_references = sys.getrefcount
# The number of references that `_finished` counts to an array that nothing else refers to.
_UNSHARED = -1


def fit(data: Any, grad: Any) -> Any:
    """Return a gradient in the dtype of `data`, the array of its tensor.

    Raises:
        TypeError: it is not an array, so a rule is wrong.
        ValueError: it has another shape, so a rule is wrong.
    """
    if grad.__class__ is not np.ndarray:
        if isinstance(grad, np.generic):
            grad = np.asarray(grad)
        elif not hasattr(grad, "shape"):
            raise TypeError(
                f"a backward rule returned {grad!r:.60} for a tensor of shape {data.shape}; a rule "
                "must return an array of the shape of its input"
            )
    if grad.shape != data.shape:
        raise ValueError(
            f"a backward rule returned a gradient of shape {grad.shape} for a tensor of shape "
            f"{data.shape}; a rule must return the shape of its input"
        )
    if grad.dtype is not data.dtype and grad.dtype != data.dtype:
        grad = cast(grad, data.dtype)
    return grad


def _accepts(limit: int) -> bool:
    """Return whether `_finished` returns a new array as it is with this limit."""
    global _UNSHARED
    _UNSHARED = limit
    leaf: Any = None
    grads = {leaf: np.empty(0)}
    number = id(grads[leaf])
    return id(_finished(np.empty(0), grads, leaf)) == number


_UNSHARED = least_references(_accepts)


def node_of(tensor: Any, what: str) -> Node:
    """Return the node of a tracked tensor; `what` names the caller in errors."""
    node: Node | None = getattr(tensor, "_node", None)
    if node is None:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{what} takes Tensors, not {type(tensor).__name__}: {tensor!r:.60}")
        raise UntrackedError(
            f"{what} needs a tensor that requires grad, and this one, of shape "
            f"{tensor.shape}, does not. Create the inputs with "
            "requires_grad=True, and compute outside of no_grad()"
        )
    return node


def first_gradient(tensor: Any, gradient: Any, name: str = "gradient") -> Any:
    """Return the gradient to start from: `gradient`, checked, or 1 for a single element.

    `name` is the argument by which the user passes it, for errors.
    """
    data = tensor.data
    if gradient is None:
        if data.dtype.kind == "c":
            raise NonScalarError(
                f"a tensor of dtype {data.dtype} has no gradient without a direction: reduce it to "
                f"a real number (np.abs(y).sum()), or pass {name}= of its shape"
            )
        if data.size != 1:
            raise NonScalarError(
                f"a tensor of shape {data.shape} has {data.size} elements, so its gradient needs "
                f"a direction: reduce it (y.sum()), or pass {name}= of that shape"
            )
        # For arrays of one number, the common case, np.ones_like takes five times as long.
        if data.__class__ is np.ndarray and data.ndim == 0:
            return np.array(1, data.dtype)
        return np.ones_like(data)
    value = gradient.data if isinstance(gradient, Tensor) else gradient
    if not hasattr(value, "dtype"):
        value = np.asarray(value, dtype=data.dtype)
    if value.shape != data.shape:
        raise ValueError(
            f"{name} has the shape {value.shape}, and the tensor {data.shape}: "
            "they must be the same"
        )
    if value.dtype.kind == "c" and data.dtype.kind != "c":
        raise TypeError(f"{name} is {value.dtype}, and the tensor real, {data.dtype}")
    return value.astype(data.dtype, copy=False)


@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor,
    grad_outputs: Any = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: Literal[False] = False,
) -> Tensor: ...
@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: list[Any],
    grad_outputs: Any = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: Literal[False] = False,
) -> list[Tensor]: ...
@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Sequence[Tensor] | Iterator[Tensor],
    grad_outputs: Any = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: Literal[False] = False,
) -> tuple[Tensor, ...]: ...
@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor] | Iterator[Tensor],
    grad_outputs: Any = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool,
) -> Any: ...
def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> Any:
    """Return the derivatives of the sum of `outputs` with respect to `inputs`.

    Args:
        outputs: a tracked tensor, or a sequence of them.
        inputs: a tracked tensor, or a sequence of them. They need not be leaves.
        grad_outputs: for each output an array or Tensor of its shape. May be omitted, or None,
            for outputs of one element.
        create_graph: record the computation, so that the results can be differentiated.
        retain_graph: keep the graph; by default the value of `create_graph`.
        allow_unused: return None for an input on which no output depends, instead of raising.

    Returns:
        Tensors in the structure of `inputs`: one, or a tuple or list of them.

    Raises:
        TypeError: an argument is not a Tensor, or a sequence of Tensors.
        UntrackedError: an input is not tracked, or no output depends on it.
        NonScalarError, ValueError, GraphFreedError, NoRuleError, LostGradientError: as `backward`.

    >>> x = Tensor([3.0], requires_grad=True)
    >>> slope = grad(x**3, x, create_graph=True)
    >>> slope, grad(slope, x)
    (Tensor([27.], grad_fn=<GradBackward>), Tensor([18.]))
    """
    single = isinstance(inputs, Tensor)
    wanted = _as_list(inputs)
    roots = _as_list(outputs)
    given = _for_each(roots, grad_outputs, isinstance(outputs, Tensor))
    targets = [node_of(x, "grad() with respect to a tensor") for x in wanted]
    seeds = [
        (node_of(y, "grad()"), _seed(y, g, create_graph)) for y, g in zip(roots, given, strict=True)
    ]
    found = backward_pass(
        seeds,
        targets=targets,
        allow_unused=allow_unused,
        retain_graph=create_graph if retain_graph is None else retain_graph,
        create_graph=create_graph,
    )
    results = results_for(wanted, targets, found, connect=create_graph)
    if single:
        return results[0]
    return results if isinstance(inputs, list) else tuple(results)


def _as_list(tensors: Any) -> list[Any]:
    """Return one tensor or several as a list; other values too, for the caller to refuse."""
    single = isinstance(tensors, Tensor | np.ndarray | str)
    return list(tensors) if isinstance(tensors, Iterable) and not single else [tensors]


def _for_each(outputs: Sequence[Any], given: Any, single: bool) -> Sequence[Any]:
    """Return `grad_outputs` as a sequence with one entry for each output."""
    if given is None:
        return [None] * len(outputs)
    many = [given] if single or not isinstance(given, list | tuple) else given
    if len(many) != len(outputs):
        raise ValueError(
            f"{len(outputs)} outputs need a sequence of as many grad_outputs, not of {len(many)}"
        )
    return many


def _seed(output: Any, gradient: Any, create_graph: bool) -> Any:
    seed = first_gradient(output, gradient, "grad_outputs")
    if not create_graph:
        return seed
    if isinstance(gradient, Tensor):
        # Without attributes such as names, which would propagate through the backward rules.
        return tensor_of(getattr(gradient, "_node", None), type(output), gradient.data)
    return from_array(type(output), seed)


def results_for(
    inputs: Sequence[Any], nodes: Sequence[Node], found: Mapping[Node, Any], connect: bool
) -> list[Any]:
    """Return the gradients of `inputs` as Tensors, None for an input that no output depends on.

    Args:
        inputs: the tensors.
        nodes: their nodes.
        found: the result of `backward_pass`.
        connect: connect each gradient to all inputs, also to those from which it was not computed,
            so that its derivative with respect to them is zero and not an error.
    """
    pairs = zip(inputs, nodes, strict=True)
    results = [_result(x, found[node]) if node in found else None for x, node in pairs]
    if not connect:
        return results
    to_inputs = GradBackward(*nodes)
    return [
        g if g is None else _connected(x, g, to_inputs)
        for x, g in zip(inputs, results, strict=True)
    ]


def _connected(x: Any, grad: Any, to_inputs: Node) -> Any:
    out = derive(x, grad.data, "like")
    out._node = GradBackward(getattr(grad, "_node", None), to_inputs)
    return out


class GradBackward(Function):
    """The node of a result of `grad`, which leads to the node that computed it and to the inputs.

    All results share one node that leads to the inputs. It never gets a gradient.
    """

    __slots__ = ()

    op = Op("grad", grad, (), provider="tinytorch-autograd")

    def __init__(self, *edges: Node | None) -> None:
        self.edges, self.saved = edges, ()
        self.number, self.hooks = next_number(), None

    def gradients(self, grad: Any) -> tuple[Any, ...]:
        """Return the gradient for the node that computed this result, and none for the inputs."""
        return grad, None


def _result(x: Any, grad: Any) -> Any:
    """Return the gradient of `x` that the backward pass found as a Tensor."""
    if grad is None:
        return derive(x, np.zeros_like(x.data), "like")
    grad = fit(x.data, grad)
    if isinstance(grad, Tensor):
        return grad
    # The array may belong to a node, or to another result.
    array = np.array(grad) if isinstance(grad, np.generic) else grad.copy()
    return derive(x, array, "like")
