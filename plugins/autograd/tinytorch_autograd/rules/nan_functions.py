"""Reductions that pass over NaNs: as the ones without, of what is left.

A NaN has the gradient 0.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core.tensor import plain

from tinytorch_autograd.rules import whole_reductions as whole
from tinytorch_autograd.rules.family import Family

Array = Any
Axis = int | tuple[int, ...] | None

family = Family()


def numbers(a: Array, where: Any = True) -> Any:
    """Where there is no NaN, among what is wanted."""
    return ~np.isnan(plain(a)) & plain(where)


@family.composed(np.nansum)
def nansum(
    a: Array,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = 0,
    where: Any = True,
) -> Array:
    """`sum` where there is no NaN."""
    return whole.sum(a, axis, dtype, None, keepdims, initial, numbers(a, where))


@family.composed(np.nanprod)
def nanprod(
    a: Array,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = 1,
    where: Any = True,
) -> Array:
    """`prod` where there is no NaN."""
    return whole.prod(a, axis, dtype, None, keepdims, initial, numbers(a, where))


@family.composed(np.nanmean)
def nanmean(
    a: Array,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Array:
    """`mean` where there is no NaN."""
    return whole.mean(a, axis, dtype, None, keepdims, where=numbers(a, where))


@family.composed(np.nanvar)
def nanvar(
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
    """`var` where there is no NaN."""
    options = {"where": numbers(a, where), "mean": mean, "correction": correction}
    return whole.var(a, axis, dtype, None, ddof, keepdims, **options)


@family.composed(np.nanstd)
def nanstd(
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
    """`std` where there is no NaN."""
    options = {"where": numbers(a, where), "mean": mean, "correction": correction}
    return whole.std(a, axis, dtype, None, ddof, keepdims, **options)


@family.composed(np.nanmax)
def nanmax(
    a: Array,
    axis: Axis = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = -math.inf,
    where: Any = True,
) -> Array:
    """`max` where there is no NaN."""
    return _extreme(whole.max, a, axis, keepdims, initial, where, -math.inf)


@family.composed(np.nanmin)
def nanmin(
    a: Array,
    axis: Axis = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = math.inf,
    where: Any = True,
) -> Array:
    """`min` where there is no NaN."""
    return _extreme(whole.min, a, axis, keepdims, initial, where, math.inf)


def _extreme(
    extreme: Callable[..., Any],
    a: Array,
    axis: Axis,
    keepdims: Any,
    initial: Any,
    where: Any,
    nothing: float,
) -> Array:
    """The extreme where there is no NaN, and NaN, as a constant, where there is nothing else."""
    wanted = numbers(a, where)
    found = extreme(whole.only(a, wanted, nothing), axis, None, keepdims, initial)
    empty = ~np.any(wanted, axis=axis, keepdims=keepdims) & (plain(initial) == nothing)
    if not np.any(empty):
        return found
    warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=3)
    return np.where(empty, math.nan, found)


@family.composed(np.nancumsum)
def nancumsum(a: Array, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
    """`cumsum` with 0 in place of NaN."""
    return np.cumsum(whole.only(a, numbers(a), 0), axis=axis, dtype=dtype)


@family.composed(np.nancumprod)
def nancumprod(a: Array, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
    """`cumprod` with 1 in place of NaN."""
    return np.cumprod(whole.only(a, numbers(a), 1), axis=axis, dtype=dtype)
