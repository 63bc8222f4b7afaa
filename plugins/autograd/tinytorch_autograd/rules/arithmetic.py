"""The operators, and the functions that choose between two operands."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def power_by_base(grad: Array, x: Array, y: Array) -> Array:
    """d/dx x**y = y x**(y-1); 0 where y is 0, and where the gradient is 0, also at x = 0."""
    if isinstance(y, int | float | complex):
        if y == 0:
            return grad * 0
        if isinstance(y, complex) or y < 1:
            x = np.where(unwrap(x == 0) & unwrap(grad == 0), 1, x)
        return grad * (y * x ** (y - 1))
    idle = unwrap(x == 0) & (unwrap(y == 0) | unwrap(grad == 0))
    return grad * (y * x ** np.where(idle, 1, y - 1))


def power_by_exponent(grad: Array, out: Array, x: Array) -> Array:
    """d/dy x**y = x**y log x, and 0 at x = 0."""
    return grad * out * np.log(np.where(x == 0, 1, x).astype(out.dtype))


def unused(grad: Array, divisor: Array) -> Any:
    """Where the gradient is 0 and the divisor is 0 or NaN; None if nowhere."""
    # A Dask array would have to be computed to be looked at.
    ready = isinstance(unwrap(grad), np.ndarray | np.generic)
    if ready and unwrap(grad).all():
        return None
    nowhere = unwrap(grad == 0) & ~(np.abs(unwrap(divisor)) > 0)
    return None if ready and not np.any(nowhere) else nowhere


def safe_divide(grad: Array, divisor: Array) -> Array:
    """The quotient; 0 where nothing comes in, however steep it is there."""
    idle = unused(grad, divisor)
    if idle is None:
        return grad / divisor
    return np.where(idle, 0, grad / np.where(idle, 1, divisor))


def by_divisor(grad: Array, out: Array, y: Array) -> Array:
    """d/dy x / y = -x / y²; 0 where nothing comes in, however steep it is there."""
    idle = unused(grad, y)
    if idle is None:
        return -grad * out / y
    return np.where(idle, 0, -grad * np.where(idle, 0, out) / np.where(idle, 1, y))


def share_ties(grad: Array, is_mine: Array, is_tie: Array) -> Array:
    """The gradient where an operand was chosen; half of it where the two were equal."""
    share = np.where(is_tie, 0.5, np.where(is_mine, 1.0, 0.0))
    return grad * unwrap(share).astype(grad.dtype)


def clip_inside(grad: Array, x: Array, min: Array, max: Array) -> Array:
    """The gradient where x lay within the bounds."""
    above = True if min is None else unwrap(x >= min)
    below = True if max is None else unwrap(x <= max)
    return np.where(above & below, grad, 0)


def clip_low(grad: Array, x: Array, min: Array, max: Array) -> Array:
    """The gradient where the result is the lower bound."""
    reached = unwrap(x < min)
    return np.where(reached if max is None else reached & unwrap(min <= max), grad, 0)


def clip_high(grad: Array, x: Array, min: Array, max: Array) -> Array:
    """The gradient where the result is the upper bound."""
    return np.where((x if min is None else np.maximum(x, min)) > max, grad, 0)


family.rule("add", lambda grad: grad, lambda grad: grad)
family.rule("sub", lambda grad: grad, lambda grad: -grad)
family.rule("mul", lambda grad, y: grad * y, lambda grad, x: grad * x)
# By 0 the slope is infinite; a gradient of 0 stays 0.
family.rule("div", lambda grad, y: safe_divide(grad, y), by_divisor)
family.rule("pow", power_by_base, power_by_exponent)
# x % y = x - y floor(x / y), and the floor is flat.
family.rule("mod", lambda grad: grad, lambda grad, x, y: -grad * (x // y))
family.rule("neg", lambda grad: -grad)
family.rule("pos", lambda grad: grad)

# Ties share the gradient equally.
family.function(
    "maximum",
    np.maximum,
    lambda grad, x, y: share_ties(grad, x > y, x == y),
    lambda grad, x, y: share_ties(grad, y > x, x == y),
)
family.function(
    "minimum",
    np.minimum,
    lambda grad, x, y: share_ties(grad, x < y, x == y),
    lambda grad, x, y: share_ties(grad, y < x, x == y),
)
# The branch that was not taken has the gradient 0, whatever it computed.
family.function(
    "where",
    np.where,
    None,
    lambda grad, condition: np.where(condition, grad, 0),
    lambda grad, condition: np.where(condition, 0, grad),
    inputs=("condition", "x", "y"),
    forward=lambda condition, x, y: np.where(condition, x, y),
)
# At a bound the gradient goes to x, as in PyTorch; bounds that are crossed give the upper one.
family.rule("clip", clip_inside, clip_low, clip_high)

family.not_differentiable("floordiv", "eq", "ne", "lt", "le", "gt", "ge")
family.not_differentiable("bitwise_and", "bitwise_or", "bitwise_xor", "invert")
