"""autocast: in its block, matrix products run in float16, and sensitive ops in float32."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

import numpy as np

from tinytorch_core import Op, Tensor

from tinytorch_amp.half import amp_cast, half_matmul

Array = Any
Call = Callable[..., Any]

_HALF, _SINGLE = np.dtype(np.float16), np.dtype(np.float32)
_enabled: ContextVar[bool] = ContextVar("autocast", default=False)


class autocast:
    """Run matrix products and convolutions in float16 inside a `with` block, or a function.

    - `x @ w`, `linear` and `conv2d` round float32 inputs to float16, add in float32, and return
      float16. Their gradients are rounded in the same way.
    - Ops that need the range or the precision of float32, such as `exp`, `sum`, `softmax` and
      losses, convert float16 inputs to float32.
    - Other ops run in the dtype of their inputs, and float64 is never converted.

    The block affects the thread or task that entered it. Gradients may be computed after it.

    Args:
        enabled: False runs all ops as usual, also inside another block.

    >>> x = Tensor([[1.0, 2.0]])
    >>> with autocast():
    ...     (x @ x.T).dtype, (x @ x.T).sum().dtype
    (dtype('float16'), dtype('float32'))
    """

    def __init__(self, enabled: bool = True) -> None:
        self._value = enabled
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> autocast:
        self._tokens.append(_enabled.set(self._value))
        return self

    def __exit__(self, *exception: object) -> None:
        _enabled.reset(self._tokens.pop())

    def __call__(self, function: Call) -> Call:
        """Decorate a function that is to run in such a block."""

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with autocast(self._value):
                return function(*args, **kwargs)

        return run


def is_autocast_enabled() -> bool:
    """Return whether an `autocast` block runs in this thread or task."""
    return _enabled.get()


def casting(op: Op, call: Call) -> Call | None:
    """Return the call of an op with the casts of `autocast`, or None if it needs none."""
    if op.name in _IN_HALF:
        cast = functools.partial(_IN_HALF[op.name], call)
    elif op.name in _IN_SINGLE.split():
        cast = functools.partial(_in_single, call)
    else:
        return None

    @functools.wraps(call)
    def run(*args: Any, **kwargs: Any) -> Any:
        return cast(*args, **kwargs) if _enabled.get() else call(*args, **kwargs)

    return run


def _matmul(call: Call, x: Array, y: Array) -> Any:
    if not _fits_in_half(x, y):
        return call(x, y)
    return half_matmul(_in_half(x), _in_half(y))


def _linear(call: Call, x: Array, weight: Array, bias: Array = None) -> Any:
    if not _fits_in_half(x, weight):
        return call(x, weight, bias)
    out = half_matmul(_in_half(x), _in_half(weight))
    return out if bias is None else out + _in_half(bias)


def _conv2d(call: Call, x: Array, weight: Array, bias: Array, *options: Any, **named: Any) -> Any:
    if not _fits_in_half(x, weight):
        return call(x, weight, bias, *options, **named)
    rounded = [None if a is None else amp_cast(_in_half(a), _SINGLE) for a in (x, weight, bias)]
    return amp_cast(call(*rounded, *options, **named), _HALF)


def _fits_in_half(*arrays: Array) -> bool:
    """Return whether all are arrays or Tensors in float32 or float16, one of them a Tensor."""
    single = all(getattr(a, "dtype", None) in (_HALF, _SINGLE) for a in arrays)
    return single and any(isinstance(a, Tensor) for a in arrays)


def _in_half(x: Array) -> Array:
    return x if x.dtype == _HALF else amp_cast(x, _HALF)


def _in_single(call: Call, *args: Any, **kwargs: Any) -> Any:
    return call(*map(_widened, args), **kwargs)


def _widened(x: Any) -> Any:
    return amp_cast(x, _SINGLE) if isinstance(x, Tensor) and x.dtype == _HALF else x


# By the name of the op; each function gets the call so far and the arguments.
_IN_HALF: dict[str, Call] = {"matmul": _matmul, "linear": _linear, "conv2d": _conv2d}

# As in PyTorch: https://docs.pytorch.org/docs/stable/amp.html#autocast-op-reference
_IN_SINGLE = """
    pow exp expm1 log log2 log10 log1p tan arccos arcsin cosh sinh reciprocal
    sum prod var std cumsum cumprod linalg.norm
    softmax log_softmax softplus layer_norm batch_norm
    mse_loss l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits nll_loss
    cross_entropy kl_div
"""
