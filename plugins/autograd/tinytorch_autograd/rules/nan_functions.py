"""Reductions that ignore NaNs. The gradient of a NaN is 0."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules import whole_reductions as whole
from tinytorch_autograd.rules.arithmetic import has_values, nowhere
from tinytorch_autograd.rules.axes import Axis
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def not_nan(a: Array, where: Any = True) -> Any:
    """Return a mask of the elements that `where` selects and that are not NaN."""
    return ~np.isnan(unwrap(a)) & unwrap(where)


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
    """Return the sum of the elements that are not NaN."""
    return whole.sum(a, axis, dtype, None, keepdims, initial, not_nan(a, where))


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
    """Return the product of the elements that are not NaN."""
    return whole.prod(a, axis, dtype, None, keepdims, initial, not_nan(a, where))


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
    """Return the mean of the elements that are not NaN."""
    return whole.mean(a, axis, dtype, None, keepdims, where=not_nan(a, where))


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
    """Return the variance of the elements that are not NaN."""
    selected = not_nan(a, where)
    options = {"where": selected, "mean": mean, "correction": correction}
    found = whole.var(a, axis, dtype, None, ddof, keepdims, **options)
    count = whole.count_selected(a, axis, keepdims, selected)
    undefined = count <= (ddof if correction is None else correction)
    return found if nowhere(undefined) else np.where(undefined, math.nan, found)


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
    """Return the standard deviation of the elements that are not NaN."""
    options = {"where": where, "mean": mean, "correction": correction}
    return whole.root(nanvar(a, axis, dtype, None, ddof, keepdims, **options))


@family.composed(np.nanmax)
def nanmax(
    a: Array,
    axis: Axis = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = -math.inf,
    where: Any = True,
) -> Array:
    """Return the largest element that is not NaN; ties share the gradient equally."""
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
    """Return the smallest element that is not NaN; ties share the gradient equally."""
    return _extreme(whole.min, a, axis, keepdims, initial, where, math.inf)


def _extreme(
    extreme: Callable[..., Any],
    a: Array,
    axis: Axis,
    keepdims: Any,
    initial: Any,
    where: Any,
    neutral: float,
) -> Array:
    """Return the extreme of the elements that are not NaN, and an untracked NaN if all are."""
    if where is not True and whole.is_number(initial, neutral):
        return NotImplemented  # NumPy raises an error: `where` requires `initial`
    selected = not_nan(a, where)
    found = extreme(whole.select(a, selected, neutral), axis, None, keepdims, initial)
    empty = ~np.any(selected, axis=axis, keepdims=keepdims) & (unwrap(initial) == neutral)
    if nowhere(empty):
        return found
    if has_values(empty):
        warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=3)
    return np.where(empty, math.nan, found)


@family.composed(np.nancumsum)
def nancumsum(a: Array, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
    """Return the cumulative sum, with 0 in place of NaN."""
    return np.cumsum(whole.select(a, not_nan(a), 0), axis=axis, dtype=dtype)


@family.composed(np.nancumprod)
def nancumprod(a: Array, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
    """Return the cumulative product, with 1 in place of NaN."""
    return np.cumprod(whole.select(a, not_nan(a), 1), axis=axis, dtype=dtype)
