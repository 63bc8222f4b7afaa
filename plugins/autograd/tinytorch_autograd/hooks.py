"""Hooks on tensors: functions that are called with a gradient and may replace it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, unwrap

from tinytorch_autograd.complex_numbers import is_complex, real_part
from tinytorch_autograd.gradients import fit, node_of
from tinytorch_autograd.node import AccumulateGrad, Hook, Node


class HookHandle:
    """The handle of a registered hook. `remove()`, or the end of a `with` block, removes the hook.

    >>> from tinytorch_core import Tensor
    >>> x = Tensor([1.0], requires_grad=True)
    >>> with x.register_hook(lambda grad: grad * 10):
    ...     (x * 2).backward()
    >>> (x * 2).backward()
    >>> x.grad
    array([22.], dtype=float32)
    """

    def __init__(self, node: Node, hook: Hook) -> None:
        self._node = weakref.ref(node)  # so that the handle does not keep the graph alive
        self._hook = hook

    def remove(self) -> None:
        """Remove the hook; do nothing if it was removed before."""
        node = self._node()
        if node is not None and node.hooks:
            node.hooks = [h for h in node.hooks if h is not self._hook] or None

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def register_hook(self: Any, hook: Callable[[Any], Any]) -> HookHandle:
    """Call `hook(grad)` with the gradient of this tensor, once in each backward pass.

    The gradient is complete by then: it is the sum over all uses of the tensor. The hook runs as
    soon as it is complete, while the backward pass computes other gradients, and before it is added
    to `grad`. Hooks run in the order of registration, each on the result of the previous one. They
    run before `retain_grad` stores the gradient and before it is passed on.

    Args:
        hook: a function of the gradient, which is a read-only array. With create_graph=True it is
            a Tensor, and what the hook computes is recorded. The hook returns None, or an array or
            Tensor of the same shape that replaces the gradient.

    Returns:
        A handle; `handle.remove()`, or the end of a `with` block on it, removes the hook.

    Raises:
        UntrackedError: the tensor does not require grad.
        TypeError: `hook` is not callable; in the backward pass, it returned another type.
        ValueError: in the backward pass, it returned another shape.

    >>> from tinytorch_core import Tensor
    >>> x = Tensor([3.0, -4.0], requires_grad=True)
    >>> handle = x.register_hook(lambda grad: grad.clip(-1, 1))
    >>> (x * x).sum().backward()
    >>> x.grad
    array([ 1., -1.], dtype=float32)
    """
    if not callable(hook):
        raise TypeError(f"a hook must be a function of the gradient, not {hook!r:.60}")
    node = node_of(self, "register_hook()")
    is_real = not is_complex(self)

    def checked(grad: Any) -> Any:
        grad = real_part(grad) if is_real else grad
        argument = _read_only(grad)
        found = hook(argument)
        return None if found is None or found is argument else _replacement(grad, found, hook)

    hooks = list(node.hooks or ())
    end = next((i for i, h in enumerate(hooks) if isinstance(h, _RetainGrad)), len(hooks))
    node.hooks = [*hooks[:end], checked, *hooks[end:]]
    if isinstance(node, AccumulateGrad):
        AccumulateGrad.any_hooks = True
    return HookHandle(node, checked)


def retain_grad(self: Any) -> None:
    """Make `backward` fill `grad` of this tensor, even if it is not a leaf.

    Raises:
        UntrackedError: the tensor does not require grad.
    """
    node = node_of(self, "retain_grad()")
    if isinstance(node, AccumulateGrad) or getattr(self, "_retains", False):
        return
    self._retains = True
    node.hooks = [*(node.hooks or ()), _RetainGrad(self)]


class _RetainGrad:
    """The hook that adds the gradient to `grad` of its tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = weakref.ref(tensor)

    def __call__(self, grad: Any) -> None:
        target: Any = self._tensor()
        if target is not None:
            array = np.copy(fit(target.data, unwrap(grad)))
            have = getattr(target, "_grad", None)
            target._grad = array if have is None else have + array


def _read_only(grad: Any) -> Any:
    """Return the gradient as a read-only array, because other leaves may share the array."""
    if isinstance(grad, np.generic):
        grad = np.asarray(grad)
    if not isinstance(grad, np.ndarray):
        return grad
    view = grad.view()
    view.flags.writeable = False
    return view


def _replacement(grad: Any, found: Any, hook: Any) -> Any:
    """Return the result of a hook as an array or Tensor, whichever `grad` is."""
    name = getattr(hook, "__qualname__", None) or repr(hook)
    array = unwrap(found)
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
