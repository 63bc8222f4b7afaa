"""Elementwise functions: exponentials, logarithms, roots, trigonometry.

Where a function is not differentiable, the comment above its rule states the gradient. Where a
derivative is infinite, a gradient of 0 stays 0, so that elements that `where` did not select have
the gradient 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.complex_numbers import real_part
from tinytorch_autograd.rules.arithmetic import nowhere, or_nan, safe_divide, zero_rule
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def abs_rule(grad: Array, x: Array) -> Array:
    """grad sign(x); for complex numbers f_z = z* / 2|z| and f_z* = z / 2|z|. At 0 it is 0."""
    if x.dtype.kind != "c":
        return grad * np.sign(unwrap(x))
    size = np.abs(x)
    return real_part(grad) * np.conjugate(x) / np.where(unwrap(size == 0), 1, size)


def share_of_sum(grad: Array, x: Array, y: Array, out: Array, exp: Any) -> Array:
    """grad e^x / (e^x + e^y) = grad e^(x - out); half of it for equal infinite operands."""
    infinite = ~np.isfinite(unwrap(out))
    if nowhere(infinite):
        return grad * exp(x - out)
    undefined = np.isnan(unwrap(out))
    share = np.where(unwrap(x == y), 0.5, np.where(unwrap(x == out), 1, 0)).astype(out.dtype)
    x, out = np.where(infinite, 0, x), np.where(infinite, 0, out)
    return or_nan(grad * np.where(infinite, share, exp(x - out)), grad, undefined)


family.rule("abs", abs_rule)
# The derivative at 0 is infinite; a gradient of 0 stays 0 there.
family.rule("sqrt", lambda grad, out: safe_divide(grad, 2 * out))
family.rule("exp", lambda grad, out: grad * out)
family.rule("log", lambda grad, x: safe_divide(grad, x))
family.rule("tanh", lambda grad, out: grad - grad * (out * out))  # faster than grad * (1 - out²)

family.function("exp2", np.exp2, lambda grad, out: grad * out * math.log(2))
family.function("expm1", np.expm1, lambda grad, out: grad * (out + 1))
family.function("log2", np.log2, lambda grad, x: safe_divide(grad, x * math.log(2)))
family.function("log10", np.log10, lambda grad, x: safe_divide(grad, x * math.log(10)))
family.function("log1p", np.log1p, lambda grad, x: safe_divide(grad, 1 + x))
family.function("square", np.square, lambda grad, x: 2 * grad * x)
family.function("reciprocal", np.reciprocal, lambda grad, x: -safe_divide(grad, x * x))

family.function("sin", np.sin, lambda grad, x: grad * np.cos(x))
family.function("cos", np.cos, lambda grad, x: -grad * np.sin(x))
family.function("tan", np.tan, lambda grad, out: grad * (1 + out * out))
family.function("arcsin", np.arcsin, lambda grad, x: safe_divide(grad, np.sqrt(1 - x * x)))
family.function("arccos", np.arccos, lambda grad, x: -safe_divide(grad, np.sqrt(1 - x * x)))
family.function("arctan", np.arctan, lambda grad, x: grad / (1 + x * x))
family.function("sinh", np.sinh, lambda grad, x: grad * np.cosh(x))
family.function("cosh", np.cosh, lambda grad, x: grad * np.sinh(x))
family.function("arcsinh", np.arcsinh, lambda grad, x: grad / np.sqrt(x * x + 1))
family.function("arccosh", np.arccosh, lambda grad, x: safe_divide(grad, np.sqrt(x * x - 1)))
family.function("arctanh", np.arctanh, lambda grad, x: safe_divide(grad, 1 - x * x))

family.function(
    "logaddexp",
    np.logaddexp,
    lambda grad, out, x, y: share_of_sum(grad, x, y, out, np.exp),
    lambda grad, out, x, y: share_of_sum(grad, y, x, out, np.exp),
)

for _rounding in (np.floor, np.ceil, np.trunc, np.rint):
    family.function(_rounding.__name__, _rounding, zero_rule)
for _test in (np.isnan, np.isinf, np.isfinite, np.signbit):
    family.function(_test.__name__, _test, differentiable=False)
for _logical in (np.logical_and, np.logical_or, np.logical_not, np.logical_xor):
    family.function(_logical.__name__, _logical, differentiable=False)
