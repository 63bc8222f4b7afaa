"""The ways in which the TinyTorch course switches gradients on."""

from __future__ import annotations

from typing import Any, TypeVar

from tinytorch_core import Tensor, plugins

Class = TypeVar("Class", bound=type)


def enable_autograd() -> None:
    """Gives Tensor its gradients; does nothing if it has them."""
    plugins.enable("autograd")


def disable_autograd() -> None:
    """Takes the gradients away from Tensor; does nothing if it has none."""
    plugins.disable("autograd")


def add_autograd(cls: Class) -> Class:
    """Gives a subclass of Tensor gradients, and only that subclass. A class decorator.

    Operations on the subclass return the subclass. Given Tensor itself, `enable_autograd`.

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
    """A Tensor that requires grad unless told otherwise.

    >>> x = Variable(2.0)
    >>> x**2 + 3 * x + 1
    Tensor(11., grad_fn=<AddBackward>)
    """
    return Tensor(data, dtype=dtype, requires_grad=requires_grad)
