"""The arithmetic operators, and functions that select one of two operands."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import kernel, unwrap

from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()

# As tuples, because creating a union in each call takes longer than the check.
_NUMBERS = (int, float, complex)
_ARRAYS = (np.ndarray, np.generic)


def has_values(x: Any) -> bool:
    """Return whether the values of an array or a number can be read.

    Arrays of other libraries may be recorded, or computed later, so a rule must not depend on
    their values. For arrays with values it may take a shortcut, or raise an error.
    """
    return isinstance(x, _ARRAYS) or not hasattr(x, "__array_ufunc__")


@kernel("mask")
def nowhere(mask: Any) -> bool:
    """Return whether a mask is known to be false everywhere, which an empty one always is."""
    if isinstance(mask, _ARRAYS):
        return not mask.any()
    return not (mask if isinstance(mask, bool) else mask.size)


@kernel("mask")
def somewhere(mask: Any) -> bool:
    """Return whether a mask is known to be true somewhere."""
    return bool(mask.any()) if isinstance(mask, _ARRAYS) else mask is True


def power_by_base(grad: Array, x: Array, y: Array) -> Array:
    """grad y x**(y-1), the gradient of x in x**y; 0 where y is 0, or at x = 0 where grad is 0."""
    if isinstance(y, _NUMBERS):
        if y == 0:
            return grad * 0
        if y == 2:
            return square_rule(grad, x)
        if isinstance(y, complex) or y < 1:
            x = np.where(unwrap(x == 0) & unwrap(grad == 0), 1, x)
        return grad * (y * x ** (y - 1))
    zero = unwrap(x == 0) & (unwrap(y == 0) | unwrap(grad == 0))
    return grad * (y * x ** np.where(zero, 1, y - 1))


def power_by_exponent(grad: Array, out: Array, x: Array) -> Array:
    """grad x**y log x, the gradient of y in x**y; 0 at x = 0."""
    return grad * out * np.log(np.where(x == 0, 1, x).astype(out.dtype))


def square_rule(grad: Array, x: Array) -> Array:
    """2 x grad; 0 at x = 0 even if grad is infinite, so that √(Σ x²) has the gradient 0 there."""
    if isinstance(grad, _ARRAYS):
        # The fastest test for infinite elements. It does not warn of an overflow.
        squares: Any = np.vdot(grad, grad)  # type: ignore[arg-type]
        if math.isfinite(squares.real):
            return (x + x) * grad
    absorbed = unwrap(x == 0) & np.isinf(unwrap(grad))
    return (x + x) * np.where(absorbed, 0, grad)


def zero_over_zero(grad: Array, divisor: Array) -> Any:
    """Return a mask of where the gradient is 0 and the divisor is 0 or NaN, or None if nowhere."""
    if isinstance(divisor, _NUMBERS) and abs(divisor) > 0:
        return None
    # Looking at the values of a Dask array would compute it.
    known = isinstance(unwrap(grad), np.ndarray | np.generic)
    if known and unwrap(grad).all():
        return None
    mask = unwrap(grad == 0) & ~(np.abs(unwrap(divisor)) > 0)
    return None if known and not np.any(mask) else mask


def safe_divide(grad: Array, divisor: Array) -> Array:
    """grad / divisor; 0 where grad is 0, even if the divisor is 0 or NaN."""
    zero = zero_over_zero(grad, divisor)
    if zero is None:
        return grad / divisor
    return np.where(zero, 0, grad / np.where(zero, 1, divisor))


def divide_by_divisor(grad: Array, out: Array, y: Array) -> Array:
    """-grad x / y², the gradient of y in x / y; 0 where grad is 0, even if y is 0 or NaN."""
    zero = zero_over_zero(grad, y)
    if zero is None:
        return -grad * out / y
    return np.where(zero, 0, -grad * np.where(zero, 0, out) / np.where(zero, 1, y))


def share_ties(grad: Array, is_selected: Array, is_tie: Array) -> Array:
    """The gradient where this operand was selected; half of it where both are equal."""
    selected, tie = unwrap(is_selected), unwrap(is_tie)
    return grad * (selected.astype(grad.dtype) + tie.astype(grad.dtype) * 0.5)


def to_larger(grad: Array, x: Array, y: Array) -> Array:
    """The gradient of x where it is not less than y; half of it where both are equal."""
    less, not_greater = unwrap(x < y), unwrap(x <= y)
    return grad * (1 - (less.astype(grad.dtype) + not_greater.astype(grad.dtype)) * 0.5)


def or_nan(result: Array, grad: Array, undefined: Array) -> Array:
    """Return a gradient with NaN where it is undefined; 0 where the gradient of the output is 0."""
    return np.where(undefined & unwrap(grad != 0), math.nan, result)


def zero_rule(grad: Array) -> Array:
    """0, the derivative of a piecewise constant function."""
    return np.zeros_like(grad)


def clip_inside(grad: Array, x: Array, min: Array, max: Array) -> Array:
    """The gradient where x is within the bounds, or NaN."""
    below = False if min is None else unwrap(x < min)
    above = False if max is None else unwrap(x > max)
    return np.where(below | above, 0, grad)


def clip_low(grad: Array, x: Array, min: Array, max: Array) -> Array:
    """The gradient where the result is the lower bound, or where this is NaN."""
    reached = unwrap(x < min) if max is None else unwrap((x < min) & (min <= max))
    return np.where(reached | np.isnan(unwrap(min)), grad, 0)


def clip_high(grad: Array, x: Array, min: Array, max: Array) -> Array:
    """The gradient where the result is the upper bound, or where this is NaN."""
    reached = unwrap((x if min is None else np.maximum(x, min)) > max)
    return np.where(reached | np.isnan(unwrap(max)), grad, 0)


family.rule("add", lambda grad: grad, lambda grad: grad)
family.rule("sub", lambda grad: grad, lambda grad: -grad)
family.rule("mul", lambda grad, y: grad * y, lambda grad, x: grad * x)
# The derivative at y = 0 is infinite; a gradient of 0 stays 0.
family.rule("div", lambda grad, y: safe_divide(grad, y), divide_by_divisor)
family.rule("pow", power_by_base, power_by_exponent)
# x % y = x - y floor(x / y), and floor has the derivative 0.
family.rule("mod", lambda grad: grad, lambda grad, x, y: -grad * unwrap(x // y))
family.rule("neg", lambda grad: -grad)
family.rule("pos", lambda grad: grad)

# Ties share the gradient equally. If an operand is NaN, both get the gradient, as in PyTorch.
family.function(
    "maximum",
    np.maximum,
    lambda grad, x, y: to_larger(grad, x, y),
    lambda grad, x, y: to_larger(grad, y, x),
)
# Ties share the gradient equally. If an operand is NaN, both get the gradient, as in PyTorch.
family.function(
    "minimum",
    np.minimum,
    lambda grad, x, y: to_larger(grad, y, x),
    lambda grad, x, y: to_larger(grad, x, y),
)
# Elements that are not selected have the gradient 0, even if they are infinite or NaN.
family.function(
    "where",
    np.where,
    None,
    lambda grad, condition: np.where(condition, grad, 0),
    lambda grad, condition: np.where(condition, 0, grad),
    inputs=("condition", "x", "y"),
    forward=lambda condition, x, y: np.where(condition, x, y),
)
# At a bound the gradient goes to x, as in PyTorch; if min > max, it goes to max.
family.rule("clip", clip_inside, clip_low, clip_high)

family.rule("floordiv", zero_rule, zero_rule)

family.not_differentiable("eq", "ne", "lt", "le", "gt", "ge")
family.not_differentiable("bitwise_and", "bitwise_or", "bitwise_xor", "invert")
