"""The functions of the array API standard that reduce axes, and cumulative ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.array_api.conversion import asarray

Array = Any
Axis = int | tuple[int, ...] | None


def all(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Return whether all elements are nonzero."""
    return np.all(asarray(x), axis=axis, keepdims=keepdims)


def any(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Return whether any element is nonzero."""
    return np.any(asarray(x), axis=axis, keepdims=keepdims)


def count_nonzero(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Return the number of nonzero elements."""
    return np.count_nonzero(asarray(x), axis=axis, keepdims=keepdims)


def cumulative_prod(
    x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """Return the cumulative products along `axis`, with a 1 in front if `include_initial`."""
    return np.cumulative_prod(asarray(x), axis=axis, dtype=dtype, include_initial=include_initial)


def cumulative_sum(
    x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """Return the cumulative sums along `axis`, with a 0 in front if `include_initial`."""
    return np.cumulative_sum(asarray(x), axis=axis, dtype=dtype, include_initial=include_initial)


def diff(
    x: Array, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None
) -> Array:
    """Return the differences of neighbours along `axis`, taken `n` times."""
    ends = {"prepend": prepend, "append": append}
    given = {name: asarray(end) for name, end in ends.items() if end is not None}
    return np.diff(asarray(x), n=n, axis=axis, **given)


def max(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Return the largest element; nan if one of them is nan."""
    return np.max(asarray(x), axis=axis, keepdims=keepdims)


def mean(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Return the mean of the elements."""
    return np.mean(asarray(x), axis=axis, keepdims=keepdims)


def min(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Return the smallest element; nan if one of them is nan."""
    return np.min(asarray(x), axis=axis, keepdims=keepdims)


def prod(x: Array, /, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """Return the product of the elements."""
    return np.prod(asarray(x), axis=axis, keepdims=keepdims, **_given(dtype))


def std(
    x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    """Return the standard deviation, with the divisor n - `correction` for n elements."""
    return np.std(asarray(x), axis=axis, ddof=correction, keepdims=keepdims)


def sum(x: Array, /, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """Return the sum of the elements."""
    return np.sum(asarray(x), axis=axis, keepdims=keepdims, **_given(dtype))


def var(
    x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    """Return the variance, with the divisor n - `correction` for n elements."""
    return np.var(asarray(x), axis=axis, ddof=correction, keepdims=keepdims)


def _given(dtype: Any) -> dict[str, Any]:
    # Without a dtype, the function is an op of the surface, which is faster.
    return {} if dtype is None else {"dtype": dtype}
