"""The functions that the TinyTorch course uses to enable gradients."""

from __future__ import annotations

from typing import Any, TypeVar

from tinytorch_core import Tensor, plugins

Class = TypeVar("Class", bound=type)


def enable_autograd() -> None:
    """Enable gradients on Tensor; do nothing if they are enabled."""
    plugins.enable("autograd")


def disable_autograd() -> None:
    """Disable gradients on Tensor; do nothing if they are disabled."""
    plugins.disable("autograd")


def add_autograd(cls: Class) -> Class:
    """Decorate a subclass of Tensor that needs gradients: enable them on Tensor and return it.

    A subclass has what Tensor has, so gradients are on for all tensors.

    Raises:
        TypeError: `cls` is not Tensor or a subclass of it.

    >>> @add_autograd
    ... class Tracked(Tensor):
    ...     pass
    >>> x = Tracked([2.0], requires_grad=True)
    >>> (x * x).backward()
    >>> x.grad
    array([4.], dtype=float32)
    """
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise TypeError(f"{cls!r:.60} is not a subclass of Tensor")
    enable_autograd()
    return cls


def Variable(data: Any, dtype: Any = None, requires_grad: bool = True) -> Tensor:
    """Return a Tensor that requires grad by default.

    >>> x = Variable(2.0)
    >>> x**2 + 3 * x + 1
    Tensor(11., grad_fn=<AddBackward>)
    """
    return Tensor(data, dtype=dtype, requires_grad=requires_grad)
