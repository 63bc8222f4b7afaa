"""Hooks on tensors: functions that see, and may replace, a gradient on its way back."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array

from tinytorch_autograd.gradients import fit, node_of
from tinytorch_autograd.node import AccumulateGrad, Hook, Node


class HookHandle:
    """What `register_hook` returns: takes the hook away again, also at the end of a `with` block.

    >>> from tinytorch_core import Tensor
    >>> x = Tensor([1.0], requires_grad=True)
    >>> with x.register_hook(lambda grad: grad * 10):
    ...     (x * 2).backward()
    >>> (x * 2).backward()
    >>> x.grad
    array([22.], dtype=float32)
    """

    def __init__(self, node: Node, hook: Hook) -> None:
        self._node = weakref.ref(node)  # a handle that is kept shall not keep the graph
        self._hook = hook

    def remove(self) -> None:
        """Takes the hook away; does nothing if it is gone already."""
        node = self._node()
        if node is not None and node.hooks:
            node.hooks = [h for h in node.hooks if h is not self._hook] or None

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def register_hook(self: Any, hook: Callable[[Any], Any]) -> HookHandle:
    """Calls `hook(grad)` with the gradient of this tensor, once in each backward pass.

    The gradient is finished then: all ways to this tensor are added up. Hooks run in the order
    in which they were registered, each on what the one before returned, before `retain_grad` and
    before the gradient goes on.

    Args:
        hook: a function of the gradient, an array that cannot be written into; in a pass with
            create_graph=True a Tensor, and then what the hook computes is recorded. It returns
            None, or an array or Tensor of the same shape to go on in its place.

    Returns:
        A handle: `handle.remove()`, or the end of a `with` block on it, takes the hook away.

    Raises:
        UntrackedError: the tensor does not require grad.
        TypeError: `hook` cannot be called; in the backward pass, it returned something else.
        ValueError: in the backward pass, it returned another shape.

    >>> from tinytorch_core import Tensor
    >>> x = Tensor([3.0, -4.0], requires_grad=True)
    >>> handle = x.register_hook(lambda grad: grad.clip(-1, 1))
    >>> (x * x).sum().backward()
    >>> x.grad
    array([ 1., -1.], dtype=float32)
    """
    if not callable(hook):
        raise TypeError(f"a hook is a function of the gradient, not {hook!r:.60}")
    node = node_of(self, "register_hook()")

    def checked(grad: Any) -> Any:
        shown = _read_only(grad)
        found = hook(shown)
        return None if found is None or found is shown else _replacement(grad, found, hook)

    hooks = list(node.hooks or ())
    last = next((i for i, h in enumerate(hooks) if isinstance(h, _Keep)), len(hooks))
    node.hooks = [*hooks[:last], checked, *hooks[last:]]
    return HookHandle(node, checked)


def retain_grad(self: Any) -> None:
    """Lets `backward` fill `grad` of this tensor although it is no leaf.

    Raises:
        UntrackedError: the tensor does not require grad.
    """
    node = node_of(self, "retain_grad()")
    if isinstance(node, AccumulateGrad) or getattr(self, "_retains", False):
        return
    self._retains = True
    node.hooks = [*(node.hooks or ()), _Keep(self)]


class _Keep:
    """A hook that adds the gradient to `grad` of its tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = weakref.ref(tensor)

    def __call__(self, grad: Any) -> None:
        target: Any = self._tensor()
        if target is not None:
            array = np.array(fit(target.data, getattr(grad, "_data", grad)))
            target._grad = array if target._grad is None else target._grad + array


def _read_only(grad: Any) -> Any:
    """The gradient for a hook to look at: another leaf may have the same array for its own."""
    if isinstance(grad, np.generic):
        grad = np.asarray(grad)
    if not isinstance(grad, np.ndarray):
        return grad
    view = grad.view()
    view.flags.writeable = False
    return view


def _replacement(grad: Any, found: Any, hook: Any) -> Any:
    """What a hook returned, of the kind that the backward pass works with."""
    name = getattr(hook, "__qualname__", None) or repr(hook)
    array = getattr(found, "_data", found)
    if not (hasattr(array, "shape") and hasattr(array, "dtype")):
        raise TypeError(
            f"the hook {name} returned {type(found).__name__} ({found!r:.40}); it must return "
            f"None, or an array or Tensor of the gradient's shape {grad.shape}"
        )
    if array.shape != grad.shape:
        raise ValueError(
            f"the hook {name} returned a gradient of shape {array.shape} for one of shape "
            f"{grad.shape}; they must be the same"
        )
    if isinstance(grad, Tensor):
        found = found if isinstance(found, Tensor) else from_array(type(grad), array)
    else:
        found = array
    return found if found.dtype == grad.dtype else found.astype(grad.dtype)
