"""Reductions with all of NumPy's options: `dtype`, `initial`, `where` and the like.

Without them they are ops of the surface. What `where` leaves out is replaced by what changes
nothing, and so has the gradient 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.reductions import axes_of
from tinytorch_autograd.rules.ufuncs import converted

Array = Any
Axis = int | tuple[int, ...] | None

family = Family()


def only(x: Array, where: Any, instead: float) -> Array:
    """X where it is wanted, and elsewhere a number that changes nothing."""
    return x if where is True else np.where(unwrap(where), x, instead)


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
    """Initial + Σ of what is wanted."""
    a = a if dtype is None else converted(a, dtype)
    total = only(a, where, 0).sum(axis=axis, keepdims=keepdims)
    return total if _is(initial, 0) else initial + total


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
    """Initial · Π of what is wanted."""
    a = a if dtype is None else converted(a, dtype)
    product = only(a, where, 1).prod(axis=axis, keepdims=keepdims)
    return product if _is(initial, 1) else initial * product


@family.composed(np.max, np.amax)
def max(
    a: Array,
    axis: Axis = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = -math.inf,
    where: Any = True,
) -> Array:
    """The largest of `initial` and what is wanted; ties share the gradient equally."""
    if where is not True and _is(initial, -math.inf):
        return NotImplemented  # NumPy asks for `initial` too
    largest = only(a, where, initial).max(axis=axis, keepdims=keepdims)
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
    """The smallest of `initial` and what is wanted; ties share the gradient equally."""
    if where is not True and _is(initial, math.inf):
        return NotImplemented
    smallest = only(a, where, initial).min(axis=axis, keepdims=keepdims)
    return np.minimum(smallest, initial)


@family.composed(np.ptp)
def ptp(a: Array, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
    """Max - min; ties share the gradient equally."""
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
    """Σ / the count of what is wanted."""
    total = sum(a, axis, dtype, keepdims=keepdims, where=where)
    return total / counted(a, axis, keepdims, where).astype(total.dtype)


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
    """Σ |x - mean|² / (count - ddof) of what is wanted."""
    a = a if dtype is None else converted(a, dtype)
    center = _mean(a, axis, keepdims=True, where=where) if mean is None else mean
    away = only(a - center, where, 0)
    squares = away * away if away.dtype.kind != "c" else np.real(away * np.conjugate(away))
    freedom = counted(a, axis, keepdims, where) - (ddof if correction is None else correction)
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
    """√var, and the gradient 0 where the spread is 0."""
    options = {"where": where, "mean": mean, "correction": correction}
    return root(var(a, axis, dtype, None, ddof, keepdims, **options))


_mean = mean


def root(x: Array) -> Array:
    """√x with the gradient 0 where x is 0."""
    flat = unwrap(x) == 0
    return np.where(flat, 0, np.sqrt(np.where(flat, 1, x)))


def counted(a: Array, axis: Axis, keepdims: bool, where: Any) -> Any:
    """How many of the elements of `a` along `axis` are wanted."""
    if where is True:
        return np.asarray(math.prod(a.shape[i] for i in axes_of(axis, len(a.shape))))
    wanted = np.broadcast_to(unwrap(where), a.shape)
    return np.asarray(np.count_nonzero(wanted, axis=axis, keepdims=keepdims))


def _is(value: Any, number: float) -> bool:
    return isinstance(value, int | float) and value == number
