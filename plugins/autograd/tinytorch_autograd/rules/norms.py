"""Norms of vectors and matrices, and the condition number.

At 0 every norm has the gradient 0, like |x|. Where the largest or smallest elements are equal, they
share the gradient equally.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

from tinytorch_autograd.complex_numbers import conj, real_part
from tinytorch_autograd.rules.arithmetic import has_values, safe_divide, somewhere
from tinytorch_autograd.rules.axes import normalize_axes
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.reductions import extreme_rule, restore_axes

Array = Any
Order = Any

family = Family()

_LAST = (-2, -1)


def vector_norm_rule(
    grad: Array, out: Array, x: Array, axis: Any, keepdims: bool, ord: Order
) -> Array:
    """grad (|x_i| / out)^(p-1) sign(x_i); 0 where out is 0."""
    grad = real_part(grad)
    if ord == 0:
        return x * 0
    if 0 < ord < math.inf and _powers_out_of_range(unwrap(out), ord):
        # The gradient of a norm is the same for every multiple of x.
        size = np.abs(unwrap(x)).max(axis=axis, keepdims=True, initial=0)
        x = x / np.where((size > 0) & (size < math.inf), size, 1)
        out = np.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)
    return _gradient_of_norm(grad, out, x, axis, keepdims, ord)


def _powers_out_of_range(norms: Any, ord: float) -> bool:
    """Return whether a sum of powers is not precise, because it is too small, or infinite."""
    if not isinstance(norms, np.ndarray | np.generic):
        return False  # looking at the values of another library's array may compute it
    if not norms.size:
        return False
    least, largest = float(norms.min()), float(norms.max())
    smallest = _SMALLEST_SUM.get(norms.dtype.char, 0)
    return not smallest ** (1 / ord) < least <= largest < math.inf


# The smallest normal number divided by the precision.
_SMALLEST_SUM = {"f": 1e-31, "d": 1e-292}


def _gradient_of_norm(
    grad: Array, out: Array, x: Array, axis: Any, keepdims: bool, ord: Order
) -> Array:
    if abs(ord) == math.inf:
        size = np.abs(x)
        return extreme_rule(grad, out, size, axis, keepdims) * derivative_of_abs(x, size)
    grad, out = (restore_axes(part, x.shape, axis, keepdims) for part in (grad, out))
    if ord == 2:
        return grad * safe_divide(conj(x), out)
    size = np.abs(x)
    if ord == 1:
        return grad * derivative_of_abs(x, size)
    return grad * power(safe_divide(size, out), ord - 1) * derivative_of_abs(x, size)


def derivative_of_abs(x: Array, size: Array) -> Array:
    """Return sign(x), or conj(x) / |x| for complex numbers; 0 at 0."""
    return safe_divide(conj(x), size) if x.dtype.kind == "c" else np.sign(unwrap(x))


def power(ratio: Array, exponent: Any) -> Array:
    """Return ratio ** exponent, and 0 where the ratio is 0, even for a negative exponent."""
    zero = unwrap(ratio == 0)
    return np.where(zero, 0, np.where(zero, 1, ratio) ** exponent)


# At 0 the gradient is 0. Equal elements that are the largest or smallest share it equally.
family.function("vector_norm", np.linalg.vector_norm, vector_norm_rule)


@family.composed(np.linalg.norm)
def norm(x: Array, ord: Order = None, axis: Any = None, keepdims: bool = False) -> Array:
    """Return the norm of x as a vector, or of its matrices if `axis` has two axes.

    At 0 the gradient is 0. Equal elements that are the largest or smallest share it equally.
    """
    if isinstance(ord, Tensor):
        return _norm_of_order(x, ord, axis, keepdims)
    if axis is None:
        axis = tuple(range(x.ndim))
        if ord is None or (ord == 2 and x.ndim == 1) or (ord in ("f", "fro") and x.ndim == 2):
            return np.linalg.vector_norm(x, axis=axis, keepdims=keepdims)
    axes = axis if isinstance(axis, tuple) else (axis,)
    if len(axes) == 2:
        return norm_of_matrices(x, "fro" if ord is None else ord, axes, keepdims)
    if not 1 <= len(axes) <= 2 or isinstance(ord, str):
        return NotImplemented
    return np.linalg.vector_norm(x, axis=axes, keepdims=keepdims, ord=2 if ord is None else ord)


def _norm_of_order(x: Array, ord: Array, axis: Any, keepdims: bool) -> Array:
    """Return (Σ |x|^p)^(1/p) of vectors for an order p that is a tensor."""
    axes = normalize_axes(axis, x.ndim)
    unusual = has_values(unwrap(ord)) and not 0 < ord.item() < math.inf
    if len(axes) != 1 or ord.size != 1 or unusual:
        return NotImplemented
    size = np.abs(x)
    p = np.astype(ord, size.dtype)
    return power((size**p).sum(axis=axes, keepdims=keepdims), 1 / p)


@family.composed(np.linalg.matrix_norm)
def matrix_norm(x: Array, keepdims: bool = False, ord: Order = "fro") -> Array:
    """Return the norm of each matrix, of the last two axes.

    At 0 the gradient is 0. Equal elements that are the largest or smallest share it equally.
    """
    return norm_of_matrices(x, ord, _LAST, keepdims)


def norm_of_matrices(x: Array, ord: Order, axes: tuple[int, int], keepdims: bool) -> Array:
    """Return norms from the elements ("fro"), singular values (2, "nuc") or Σ |x| (1, inf)."""
    if ord in ("f", "fro"):
        return np.linalg.vector_norm(x, axis=axes, keepdims=keepdims)
    if ord not in ("nuc", 1, -1, 2, -2, math.inf, -math.inf):
        return NotImplemented
    row, column = normalize_axes(axes, x.ndim)
    matrices = np.transpose(x, [i for i in range(x.ndim) if i not in (row, column)] + [row, column])
    if ord in ("nuc", 2, -2):
        parts = np.linalg.svdvals(matrices)
    else:
        parts = np.abs(matrices).sum(axis=-2 if abs(ord) == 1 else -1)
    if not parts.shape[-1]:
        return NotImplemented
    norms = parts.sum(-1) if ord == "nuc" else parts.max(-1) if ord > 0 else parts.min(-1)
    return restore_axes(norms, x.shape, (row, column), keepdims=False) if keepdims else norms


@family.composed(np.linalg.cond)
def cond(x: Array, p: Order = None) -> Array:
    """Return norm(x) norm(x^-1), or the ratio of the largest and smallest singular values.

    A singular matrix, whose condition number is infinite, raises an error.
    """
    value = np.linalg.cond(unwrap(x), p)
    if somewhere(~np.isfinite(value)):
        return NotImplemented
    if p is None or p in (2, -2):
        values = np.linalg.svdvals(x)
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    inverse = np.linalg.inv(x)
    product = norm_of_matrices(x, p, _LAST, False) * norm_of_matrices(inverse, p, _LAST, False)
    # Before NumPy 2.4, the result for complex matrices has a complex dtype.
    return product if product.dtype == value.dtype else np.astype(product, value.dtype)


family.not_differentiable(np.linalg.matrix_rank)
