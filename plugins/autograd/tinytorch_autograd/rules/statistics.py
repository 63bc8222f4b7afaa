"""Averages, covariances and quantiles."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.arithmetic import has_values, nowhere, somewhere
from tinytorch_autograd.rules.arrays import as_array
from tinytorch_autograd.rules.axes import Axis, normalize_axes
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


@family.composed(np.average)
def average(
    a: Array,
    axis: Axis = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: Any = False,
) -> Any:
    """Return Σ w x / Σ w."""
    a = as_array(a)
    if weights is None:
        mean = np.mean(a, axis=axis, keepdims=keepdims)
        total = np.full(mean.shape, a.size / mean.size, mean.dtype)
    else:
        w, axes = as_array(weights), normalize_axes(axis, len(a.shape))
        if w.shape != a.shape:
            if axis is None:
                return NotImplemented  # NumPy raises its own error
            w = np.transpose(w, [axes.index(i) for i in range(len(a.shape)) if i in axes])
            w = w.reshape([n if i in axes else 1 for i, n in enumerate(a.shape)])
        w = np.broadcast_to(as_array(w, np.result_type(a.dtype, w.dtype)), a.shape)
        total = np.sum(w, axis=axis, keepdims=keepdims)
        if somewhere(unwrap(total) == 0):
            return NotImplemented  # NumPy raises its own error
        mean = np.sum(a * w, axis=axis, keepdims=keepdims) / total
    return (mean, total) if returned else mean


@family.composed(np.cov)
def cov(
    m: Array,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Array:
    """Return Σ w (x - mean x) (y - mean y)* / (Σ w - ddof Σ w a / Σ w) for each pair x, y."""
    if dtype is not None or (ddof is not None and ddof != int(ddof)):
        return NotImplemented
    wide = np.result_type(*(as_array(v).dtype for v in (m, y) if v is not None), np.float64)
    variables = [np.astype(_variables(v, rowvar), wide) for v in (m, y) if v is not None]
    if not variables[0].shape[0] or len(variables[0].shape) > 2:
        return NotImplemented
    x = variables[0] if y is None else np.concatenate(variables, axis=0)
    ddof = int(not bias) if ddof is None else ddof
    weights = [as_array(w) for w in (fweights, aweights) if w is not None]
    if not weights:
        deviations = x - np.mean(x, axis=1, keepdims=True)
        freedom = x.shape[1] - ddof
        weighted = deviations
    else:
        if any(w.ndim != 1 or somewhere(unwrap(w) < 0) for w in weights):
            return NotImplemented  # NumPy raises its own error
        if fweights is not None and somewhere(unwrap(weights[0]) % 1):
            return NotImplemented
        w = weights[0] if len(weights) == 1 else weights[0] * weights[1]
        total = w.sum()
        deviations = x - np.sum(x * (w / total).astype(x.dtype), axis=1, keepdims=True)
        other = 1 if aweights is None else weights[-1]
        freedom = total - ddof * (w * other).sum() / total
        weighted = deviations * w.astype(x.dtype)
    return np.squeeze(weighted @ np.conjugate(deviations).mT / np.maximum(freedom, 0.0))


def _variables(v: Any, rowvar: bool) -> Array:
    """Return a matrix with a variable in each row."""
    v = as_array(v)
    if len(v.shape) < 2:
        return v.reshape(1, -1)
    return v if rowvar or (v.shape[0] == 1 and not _transposes_rows()) else v.T


@functools.cache
def _transposes_rows() -> bool:
    """Return whether a matrix of one row is one observation if `rowvar` is False.

    Before NumPy 2.2, it is one variable.
    """
    return np.ndim(np.cov(np.ones((1, 2)), rowvar=False, ddof=0)) == 2


@family.composed(np.corrcoef)
def corrcoef(x: Array, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Array:
    """Return cov_ij / √(cov_ii cov_jj)."""
    if dtype is not None:
        return NotImplemented
    c = cov(x, y, rowvar)
    if c is NotImplemented:
        return c
    if not c.shape:
        return c / c
    spread = np.sqrt(np.real(np.diagonal(c)))
    return c / spread[:, None] / spread[None, :]


def quantile_of(
    x: Array,
    axis: Axis,
    keepdims: bool,
    position: Callable[[int], Any],
    skip_nan: bool,
    shift: Callable[[int], Any] | None = None,
) -> Array:
    """Return the values at some positions among the sorted elements along `axis`.

    Args:
        x: the elements.
        axis, keepdims: as in NumPy.
        position: returns the positions, an array, for a number of elements. Position 1.5 is
            halfway between the second and the third element. The axes of the positions come
            first in the result.
        skip_nan: ignore NaNs; otherwise the result and the gradient are NaN where an element is.
        shift: returns zeros with the derivatives of the positions, if these are differentiable.
    """
    axes = normalize_axes(axis, len(x.shape))
    others = [i for i in range(len(x.shape)) if i not in axes]
    rows = np.transpose(x, [*others, *axes]).reshape(*(x.shape[i] for i in others), -1)
    missing = np.isnan(unwrap(rows))
    counts = (~missing).sum(axis=-1) if skip_nan else np.full(rows.shape[:-1], rows.shape[-1])
    positions = _positions(counts, position)
    ordered = np.sort(rows, axis=-1)
    found = _interpolate(ordered, positions)
    if shift is not None:
        found = found + _slope(ordered, positions, counts) * _by_count(counts, shift, ordered.dtype)
    invalid = np.isnan(positions)
    found = np.where(invalid, math.nan, found) if not nowhere(invalid) else found
    if not skip_nan and not nowhere(missing):
        undefined = missing.any(axis=-1)
        divisor = np.where(undefined, math.nan, 1).astype(rows.dtype)
        # NaN, with a gradient of NaN for each element and for the position.
        nan = (rows / divisor[..., None]).sum(axis=-1) + found / divisor
        found = np.where(undefined, nan, found)
    if not keepdims:
        return found
    before = found.shape[: len(found.shape) - counts.ndim]
    return found.reshape((*before, *(1 if i in axes else n for i, n in enumerate(x.shape))))


def _positions(counts: Any, position: Callable[[int], Any]) -> Any:
    """Return the positions in each row, given its number of elements; NaN for a number of 0."""
    known = {int(n): as_array(position(int(n)) if n else math.nan) for n in np.unique(counts)}
    first: Any = next(iter(known.values()), math.nan)
    if not has_values(first):  # then there is only one number of elements
        column = first.reshape((*first.shape, *[1] * counts.ndim)).astype(float)
        return np.broadcast_to(column, (*first.shape, *counts.shape))
    shape = np.broadcast_shapes(*(positions.shape for positions in known.values()))
    found = np.empty((*shape, *counts.shape))
    for n, positions in known.items():
        found[..., counts == n] = positions[..., None]
    return found


def _interpolate(ordered: Array, positions: Any) -> Array:
    """Interpolate linearly between the elements before and after each position."""
    known = np.where(np.isnan(positions), 0, positions)
    low, high = np.floor(known).astype(int), np.ceil(known).astype(int)
    part = (known - low).astype(ordered.dtype)
    row = tuple(np.indices(ordered.shape[:-1]))
    below, above = ordered[(*row, low)], ordered[(*row, high)]
    # Equal neighbours may both be infinite, and inf - inf is NaN.
    equal = unwrap(below == above)
    rise = np.where(equal, 0, above) - np.where(equal, 0, below)
    # From the nearer end, so that the rounding is NumPy's.
    above = np.where(equal, below, above)
    return np.where(part < 0.5, below + rise * part, above - rise * (1 - part))


def _by_count(counts: Any, function: Callable[[int], Any], dtype: Any) -> Array:
    """Return what a function returns for the number of elements in each row, in its first axes."""
    zeros = np.zeros(counts.shape, dtype)
    parts = [
        np.where(
            counts == n, as_array(function(int(n)), dtype)[(..., *[None] * counts.ndim)], zeros
        )
        for n in np.unique(counts)
    ]
    return functools.reduce(np.add, parts)


def _slope(ordered: Array, positions: Any, counts: Any) -> Array:
    """Return the difference of the elements around each position; to the right of an element."""
    last = np.maximum(counts - 1, 0)
    low = np.floor(np.where(np.isnan(positions), 0, positions)).astype(int)
    low = np.clip(low, 0, np.maximum(last - 1, 0))
    row = tuple(np.indices(ordered.shape[:-1]))
    below, above = ordered[(*row, low)], ordered[(*row, np.minimum(low + 1, last))]
    finite = np.isfinite(unwrap(below)) & np.isfinite(unwrap(above))
    return np.where(finite, above, 0) - np.where(finite, below, 0)


# For each continuous method α and β in the position n q + α + q (1 - α - β) - 1. R. Hyndman and
# Y. Fan, "Sample quantiles in statistical packages" (1996).
_PLOTTING_POSITIONS = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}


def _shift_of(q: Array, method: str) -> Callable[[int], Any] | None:
    """Return a function from n to zeros with the derivative of the position by a quantile q."""
    if method not in _PLOTTING_POSITIONS:
        return None  # the position is piecewise constant
    a, b = _PLOTTING_POSITIONS[method]
    values = unwrap(q)

    def shift(n: int) -> Array:
        position = n * values + a + values * (1 - a - b) - 1
        inside = (position >= 0) & (position <= n - 1)
        return (q - values) * np.where(inside, n + 1 - a - b, 0)

    return shift


def _position_of(function: Any, q: Any, method: str) -> Callable[[int], Any]:
    """Return a function from n to the position of a quantile: the quantile of 0, 1, ..., n - 1."""
    return lambda n: function(np.arange(n, dtype=float), unwrap(q), method=method)


def _register(plain_name: str, skip_nan: bool) -> None:
    function = getattr(np, f"nan{plain_name}" if skip_nan else plain_name)
    without_nan = getattr(np, plain_name)

    def quantile(
        a: Array,
        q: Any,
        axis: Axis = None,
        out: None = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: bool = False,
        *,
        weights: Any = None,
    ) -> Array:
        """Return the interpolation between sorted elements; ties share the gradient equally.

        At an element the derivative by q is the one to its right.
        """
        a = as_array(a)
        q = as_array(q) if isinstance(q, list | tuple) else q  # a number does not widen the dtype
        if not a.size or weights is not None:
            return NotImplemented
        if skip_nan and np.ndim(unwrap(q)) > 1:
            return NotImplemented  # NumPy puts these axes in another order
        dtype = without_nan(np.ones(1, a.dtype), unwrap(q), method=method).dtype
        a = a if a.dtype == dtype else np.astype(a, dtype)
        position = _position_of(without_nan, q, method)
        per_cent = 100 if plain_name == "percentile" else 1
        shift = _shift_of(q / per_cent, method) if isinstance(q, Tensor) else None
        return quantile_of(a, axis, keepdims, position, skip_nan, shift)

    def median(
        a: Array,
        axis: Axis = None,
        out: None = None,
        overwrite_input: bool = False,
        keepdims: bool = False,
    ) -> Array:
        """Return the middle sorted element, or the mean of the middle two; ties share equally."""
        if not a.size:
            return NotImplemented
        return quantile_of(a, axis, keepdims, lambda n: (n - 1) / 2, skip_nan)

    family.composed(function)(median if plain_name == "median" else quantile)


for _name in ("median", "quantile", "percentile"):
    _register(_name, skip_nan=False)
    _register(_name, skip_nan=True)
