"""The hooks of tinytorch-course, which are active between install() and uninstall()."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core import Op, hookimpl
from tinytorch_core.extend import SurfaceBuilder, TensorExtension

tinytorch_api = (1, 1)
tinytorch_needs = ("autograd", "activations", "losses", "layers", "training")

# The ops for which an operand may be an array of another dtype.
_ARITHMETIC = {"add", "sub", "mul", "div", "pow", "matmul", "maximum", "minimum"}


def get_grad_fn(self: Any) -> Any:
    """The node of the op that computed this tensor, as `grad_fn`; None for a leaf."""
    return self.grad_fn


def set_grad_fn(self: Any, value: Any) -> None:
    """Raise AttributeError, because the graph cannot be changed."""
    raise AttributeError(
        f"_grad_fn cannot be set, as to {value!r:.60}, because ops record themselves; define the "
        "derivative of a function with tinytorch_autograd.custom_gradient"
    )


@hookimpl
def tinytorch_extend_tensor(tensor: TensorExtension) -> None:
    tensor.add("_grad_fn", property(get_grad_fn, set_grad_fn))


@hookimpl
def tinytorch_wrap_op(
    op: Op, call: Callable[..., Any], surface: SurfaceBuilder
) -> Callable[..., Any] | None:
    if op.name not in _ARITHMETIC:
        return None

    def in_float32(*operands: Any, **options: Any) -> Any:
        return call(*map(_single, operands), **options)

    return in_float32


def _single(value: Any) -> Any:
    """Return a NumPy array or scalar of another dtype as float32, and other values unchanged."""
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        return value.astype(np.float32, copy=False)
    return value
