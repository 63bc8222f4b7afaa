"""The hooks of tinytorch-xla."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinytorch_core import Op, hookimpl
from tinytorch_core.extend import TensorExtension

if TYPE_CHECKING:
    from tinytorch_devkit import Samples

tinytorch_api = (1, 1)
tinytorch_uses = ("autograd", "layers")


def _device(tensor: Any) -> Any:
    """The device of the array: "cpu" for an ndarray, a device or a sharding of JAX."""
    return getattr(tensor.data, "device", "cpu")


@hookimpl
def tinytorch_extend_tensor(tensor: TensorExtension) -> None:
    tensor.add("device", property(_device, doc=_device.__doc__))


@hookimpl
def tinytorch_wrap_op(op: Op, call: Callable[..., Any]) -> Callable[..., Any] | None:
    if op.name != "random_draw":
        return None

    def draw(generator: Any, method: str, arguments: Any) -> Any:
        # Imported here because JAX is optional, and takes long to import.
        from tinytorch_xla.draws import checked_draw

        return checked_draw(call, generator, method, arguments)

    return draw


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    """Describe nothing: this plugin adds no ops."""
