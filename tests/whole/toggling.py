"""What tests of toggling share: all attributes of Tensor, and a plugin to toggle."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from tinytorch_core import Tensor, hookimpl


def surface(cls: type = Tensor) -> dict[str, Any]:
    """Return all attributes of a class, as stored in the classes, and these classes."""
    attributes = {name: inspect.getattr_static(cls, name) for name in dir(cls)}
    return {**attributes, "__bases__": cls.__mro__[1:]}


class Doubles:
    """A plugin that doubles the result of multiplications."""

    @hookimpl
    def tinytorch_extend_tensor(self, tensor: Any) -> None:
        tensor.add("doubles", True)

    @hookimpl
    def tinytorch_wrap_op(self, op: Any, call: Callable[..., Any]) -> Callable[..., Any] | None:
        if op.name != "mul":
            return None
        return lambda x, y: call(call(x, y), 2)
