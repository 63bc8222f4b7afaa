"""The hooks of tinytorch-course, which are active between install() and uninstall()."""

from __future__ import annotations

import functools
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
    make = next((make for names, make in _CALLS if op.name in names), None)
    return None if make is None else functools.wraps(call)(make(call))


def _single(value: Any) -> Any:
    """Return a NumPy array or scalar of another dtype as float32, and other values unchanged."""
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        return value.astype(np.float32, copy=False)
    return value


def _in_float32(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return the call of an op with arrays as float32."""
    return lambda *operands, **options: call(*map(_single, operands), **options)


def _not_in_place(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return the call of `x += y` that makes Python compute x = x + y, also for a parameter."""
    return lambda *operands: NotImplemented


def _detached(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return the call of a conversion, such as `numpy`, also for tensors that require grad."""
    return lambda x: call(x.detach())


def _transposed(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return the call of `swapaxes`, which leaves a vector as it is by default."""

    def transposed(x: Any, *axes: Any, **options: Any) -> Any:
        if x.ndim < 2 and axes == (-2, -1):
            return x * 1.0
        return call(x, *axes, **options)

    return transposed


# For each kind of ops, what returns the call of one.
_CALLS: tuple[tuple[set[str], Callable[[Callable[..., Any]], Callable[..., Any]]], ...] = (
    (_ARITHMETIC, _in_float32),
    ({f"i{name}" for name in _ARITHMETIC}, _not_in_place),
    ({"numpy", "float", "int"}, _detached),
    ({"swapaxes"}, _transposed),
)
