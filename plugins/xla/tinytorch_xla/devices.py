"""Moving tensors, modules and optimizers to the devices of JAX, and back to NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_xla.arguments import as_jax, rebuilt
from tinytorch_xla.array import Array
from tinytorch_xla.engine import in_64_bits, jax
from tinytorch_xla.errors import XlaError


@in_64_bits
def device_put(value: Any, device: Any = None) -> Any:
    """Return tensors and arrays on a device of JAX; move a module or an optimizer there in place.

    Args:
        value: a Tensor, an array, a `Module`, an `Optimizer`, or a tuple, list or dict of them.
            Anything else is returned unchanged.
        device: a device of JAX such as `jax.devices()[1]`, a sharding, or None for the default.

    Raises:
        XlaError: a tensor is the result of a recorded operation, so that its gradient would be
            lost.
    """
    return _moved(value, lambda array: Array(jax.device_put(as_jax(array), device)))


def to_numpy(value: Any) -> Any:
    """Return tensors and arrays with ndarrays in place of JAX's; move a module or optimizer back.

    Args:
        value: as for `device_put`.

    Raises:
        XlaError: as for `device_put`.
    """
    return _moved(value, lambda array: np.array(array))


def _moved(value: Any, move: Any) -> Any:
    if isinstance(value, Tensor):
        return _moved_tensor(value, move)
    if isinstance(value, Array | np.ndarray | np.generic | jax.Array):
        return move(value) if value.dtype.kind in "biufcV" else value
    if hasattr(value, "named_parameters") and hasattr(value, "named_buffers"):
        for _, parameter in value.named_parameters():
            _move_in_place(parameter, move)
        for name, buffer in list(value.named_buffers()):
            value.set_buffer(name, move(buffer))
        return value
    if hasattr(value, "named_state") and hasattr(value, "param_groups"):
        for name, array in list(value.named_state()):
            if hasattr(array, "dtype"):
                value.set_state(name, move(array))
        for parameter in value.parameters():
            _move_in_place(parameter, move)
        return value
    return rebuilt(value, lambda item: _moved(item, move))


def _move_in_place(tensor: Any, move: Any) -> None:
    tensor.data = move(tensor.data)
    if getattr(tensor, "grad", None) is not None:
        tensor.grad = move(tensor.grad)


def _moved_tensor(tensor: Any, move: Any) -> Any:
    if getattr(tensor, "grad_fn", None) is not None and tensor.requires_grad:
        raise XlaError(
            "a tensor that a recorded operation has produced would lose its gradient on another "
            "device; move its inputs instead, or pass x.detach()"
        )
    out: Any = object.__new__(type(tensor))
    out.data = move(tensor.data)
    if getattr(tensor, "requires_grad", False):
        out.requires_grad = True
    return out
