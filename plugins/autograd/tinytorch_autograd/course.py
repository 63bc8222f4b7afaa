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
    """Decorate a subclass of Tensor, to enable gradients on that subclass only.

    Operations on the subclass return the subclass. For Tensor itself, call `enable_autograd`.

    >>> with plugins.disable("autograd"):
    ...
    ...     @add_autograd
    ...     class Tracked(Tensor):
    ...         pass
    ...
    ...     x = Tracked([2.0], requires_grad=True)
    ...     (x * x).backward()
    ...     x.grad, hasattr(Tensor([2.0]), "grad")
    (array([4.], dtype=float32), False)
    """
    if cls is Tensor:
        enable_autograd()
    else:
        plugins.attach(cls, "autograd")
    return cls


def Variable(data: Any, dtype: Any = None, requires_grad: bool = True) -> Tensor:
    """Return a Tensor that requires grad by default.

    >>> x = Variable(2.0)
    >>> x**2 + 3 * x + 1
    Tensor(11., grad_fn=<AddBackward>)
    """
    return Tensor(data, dtype=dtype, requires_grad=requires_grad)
