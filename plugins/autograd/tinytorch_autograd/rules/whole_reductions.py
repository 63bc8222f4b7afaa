"""Reductions with all of NumPy's options, such as `dtype`, `initial` and `where`.

Without these options they are ops of the core. Elements that `where` excludes are replaced by a
neutral number, so their gradient is 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.arrays import as_array, no_scalar
from tinytorch_autograd.rules.axes import Axis, normalize_axes
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def select(x: Array, where: Any, neutral: float) -> Array:
    """Return x where `where` is true, and the neutral number of a reduction elsewhere."""
    if where is True:
        return x
    selected = unwrap(as_array(where))
    if np.broadcast_shapes(selected.shape, x.shape) != x.shape:
        raise ValueError(f"`where` of shape {selected.shape} does not fit shape {x.shape}")
    return np.where(selected, x, neutral)


@family.composed(np.sum)
def sum(
    a: Array,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = 0,
    where: Any = True,
) -> Array:
    """Return initial + Σ x over the elements that `where` selects."""
    a = as_array(a, dtype)
    total = select(a, where, 0).sum(axis=axis, keepdims=keepdims)
    return total if is_number(initial, 0) else initial + total


@family.composed(np.prod)
def prod(
    a: Array,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = 1,
    where: Any = True,
) -> Array:
    """Return initial · Π x over the elements that `where` selects."""
    a = as_array(a, dtype)
    product = select(a, where, 1).prod(axis=axis, keepdims=keepdims)
    return product if is_number(initial, 1) else initial * product


@family.composed(np.max, np.amax)
def max(
    a: Array,
    axis: Axis = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = -math.inf,
    where: Any = True,
) -> Array:
    """Return the largest of `initial` and the selected elements; ties share equally."""
    if where is not True and is_number(initial, -math.inf):
        return NotImplemented  # NumPy raises an error: `where` requires `initial`
    a = select(a, where, initial)
    if not a.size and not is_number(initial, -math.inf):
        return a.sum(axis=axis, keepdims=keepdims) + initial
    largest = a.max(axis=axis, keepdims=keepdims)
    return np.maximum(largest, initial)


@family.composed(np.min, np.amin)
def min(
    a: Array,
    axis: Axis = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = math.inf,
    where: Any = True,
) -> Array:
    """Return the smallest of `initial` and the selected elements; ties share equally."""
    if where is not True and is_number(initial, math.inf):
        return NotImplemented
    a = select(a, where, initial)
    if not a.size and not is_number(initial, math.inf):
        return a.sum(axis=axis, keepdims=keepdims) + initial
    smallest = a.min(axis=axis, keepdims=keepdims)
    return np.minimum(smallest, initial)


@family.composed(np.ptp)
def ptp(a: Array, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
    """Return max - min; ties share the gradient equally."""
    return a.max(axis=axis, keepdims=keepdims) - a.min(axis=axis, keepdims=keepdims)


@family.composed(np.mean)
def mean(
    a: Array,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Array:
    """Return Σ x / n over the n elements that `where` selects."""
    total = sum(a, axis, dtype, keepdims=keepdims, where=where)
    return total / count_selected(a, axis, keepdims, where).astype(total.dtype)


@family.composed(np.var)
def var(
    a: Array,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Array:
    """Return Σ |x - mean|² / (n - ddof) over the n elements that `where` selects."""
    is_complex = as_array(a).dtype.kind == "c"
    a = as_array(a, dtype)
    center = _mean(a, axis, keepdims=True, where=where) if mean is None else mean
    d = select(a - center, where, 0)
    squares = np.real(d * np.conjugate(d)) if is_complex else d * d
    if correction is not None and ddof != 0:
        raise ValueError("ddof and correction cannot both be given")
    selected = count_selected(a, axis, keepdims, where)
    freedom = np.maximum(selected - (ddof if correction is None else correction), 0)
    if dtype is not None:
        squares = as_array(squares, dtype)
    return squares.sum(axis=axis, keepdims=keepdims) / freedom.astype(squares.dtype)


@family.composed(np.std)
def std(
    a: Array,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Array:
    """Return √var; where it is 0 the gradient is 0."""
    options = {"where": where, "mean": mean, "correction": correction}
    return root(var(a, axis, dtype, None, ddof, keepdims, **options))


_mean = mean


def root(x: Array) -> Array:
    """Return √x, whose gradient is 0 where x is 0."""
    zero = unwrap(x) == 0
    return np.where(zero, 0, np.sqrt(np.where(zero, 1, x)))


def count_selected(a: Array, axis: Axis, keepdims: bool, where: Any) -> Any:
    """Return the number of elements along `axis` that `where` selects, as an array."""
    if where is True:
        axes = normalize_axes(axis, len(a.shape)) if a.shape else ()  # a number has axis 0 too
        return np.asarray(math.prod(a.shape[i] for i in axes))
    selected = np.broadcast_to(unwrap(where), a.shape)
    return no_scalar(np.count_nonzero(selected, axis=axis, keepdims=keepdims))


def is_number(value: Any, number: float) -> bool:
    """Return whether a value is a Python number equal to `number`."""
    return isinstance(value, int | float) and value == number
