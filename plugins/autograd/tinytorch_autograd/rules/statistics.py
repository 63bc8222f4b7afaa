"""Averages, covariances, and quantiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core.tensor import plain

from tinytorch_autograd.rules.axes import checked_axes
from tinytorch_autograd.rules.family import Family

Array = Any
Axis = int | tuple[int, ...] | None

family = Family()


def array(x: Any) -> Any:
    """An array or Tensor as it is; lists and numbers as arrays."""
    return x if hasattr(x, "dtype") else np.asarray(x)


@family.composed(np.average)
def average(
    a: Array,
    axis: Axis = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: Any = False,
) -> Any:
    """Σ w x / Σ w."""
    a = array(a)
    if weights is None:
        mean = np.mean(a, axis=axis, keepdims=keepdims)
        total = np.full(mean.shape, a.size / mean.size, mean.dtype)
    else:
        w = array(weights)
        if w.shape != a.shape:
            axes = checked_axes(axis, len(a.shape))
            places = [axes.index(i) if i in axes else None for i in range(len(a.shape))]
            w = np.transpose(w, [p for p in places if p is not None])
            w = w.reshape([n if i in axes else 1 for i, n in enumerate(a.shape)])
        w = np.broadcast_to(w, a.shape)
        total = np.sum(w, axis=axis, keepdims=keepdims)
        if not plain(total).all():
            return NotImplemented  # which NumPy refuses, and explains
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
    """Σ w (x - mean x) (y - mean y)* / (Σ w - ddof Σ w a / Σ w), each variable with each."""
    if dtype is not None:
        return NotImplemented
    wide = np.result_type(*(array(v).dtype for v in (m, y) if v is not None), np.float64)
    variables = [np.astype(_rows(v, rowvar), wide) for v in (m, y) if v is not None]
    x = variables[0] if y is None else np.concatenate(variables, axis=0)
    ddof = int(not bias) if ddof is None else ddof
    weights = [plain(array(w)) for w in (fweights, aweights) if w is not None]
    if not weights:
        away = x - np.mean(x, axis=1, keepdims=True)
        freedom = x.shape[1] - ddof
        weighted = away
    else:
        w = np.prod(weights, axis=0)
        total = w.sum()
        away = x - np.sum(x * (w / total).astype(x.dtype), axis=1, keepdims=True)
        other = 1 if aweights is None else plain(array(aweights))
        freedom = total - ddof * (w * other).sum() / total
        weighted = away * w.astype(x.dtype)
    return np.squeeze(weighted @ np.conjugate(away).mT / max(float(freedom), 0.0))


def _rows(v: Any, rowvar: bool) -> Array:
    v = array(v)
    if len(v.shape) < 2:
        return v.reshape(1, -1)
    return v if rowvar or v.shape[0] == 1 else v.T


@family.composed(np.corrcoef)
def corrcoef(x: Array, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Array:
    """Cov_ij / √(cov_ii cov_jj)."""
    if dtype is not None:
        return NotImplemented
    c = cov(x, y, rowvar)
    if not c.shape:
        return c / c
    spread = np.sqrt(np.real(np.diagonal(c)))
    return c / spread[:, None] / spread[None, :]


def quantile_of(
    x: Array, axis: Axis, keepdims: bool, place: Callable[[int], Any], skip_nan: bool
) -> Array:
    """What lies at some places among the sorted elements along `axis`.

    Args:
        x: the elements.
        axis, keepdims: as in NumPy.
        place: gives the places, of any shape, among so many elements: 1.5 is in the middle between
            the second and the third. The axes of that shape come first in the result.
        skip_nan: pass over NaNs; otherwise they spread.
    """
    axes = checked_axes(axis, len(x.shape))
    others = [i for i in range(len(x.shape)) if i not in axes]
    rows = np.transpose(x, [*others, *axes]).reshape(*(x.shape[i] for i in others), -1)
    missing = np.isnan(plain(rows))
    counts = (~missing).sum(axis=-1) if skip_nan else np.full(rows.shape[:-1], rows.shape[-1])
    places = _places(counts, place)
    found = _at_places(np.sort(rows, axis=-1), places)
    undefined = np.isnan(places) if skip_nan else np.isnan(places) | missing.any(axis=-1)
    found = np.where(undefined, math.nan, found) if np.any(undefined) else found
    if not keepdims:
        return found
    before = found.shape[: len(found.shape) - counts.ndim]
    return found.reshape((*before, *(1 if i in axes else n for i, n in enumerate(x.shape))))


def _places(counts: Any, place: Callable[[int], Any]) -> Any:
    """The places in each row, of which `counts` elements count; NaN where none do."""
    known = {int(n): np.asarray(place(int(n)) if n else math.nan) for n in np.unique(counts)}
    shape = np.broadcast_shapes(*(places.shape for places in known.values()))
    made = np.empty((*shape, *counts.shape))
    for n, places in known.items():
        made[..., counts == n] = places[..., None]
    return made


def _at_places(ordered: Array, places: Any) -> Array:
    """What lies between the elements before and after each place, by its distance from them."""
    known = np.where(np.isnan(places), 0, places)
    low, high = np.floor(known).astype(int), np.ceil(known).astype(int)
    part = (known - low).astype(ordered.dtype)
    row = tuple(np.indices(ordered.shape[:-1]))
    below, above = ordered[(*row, low)], ordered[(*row, high)]
    # Equal neighbours may be infinite, and share their gradients anyway.
    level = plain(below == above)
    rise = np.where(level, 0, above) - np.where(level, 0, below)
    # From the nearer end, as NumPy rounds.
    above = np.where(level, below, above)
    return np.where(part < 0.5, below + rise * part, above - rise * (1 - part))


def _place_of(function: Any, q: Any, method: str) -> Callable[[int], Any]:
    """The place of a quantile among n elements, by any method: the quantile of 0, 1, 2, ..."""
    return lambda n: function(np.arange(n, dtype=float), plain(q), method=method)


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
        """Between the sorted elements next to it, by its distances; ties share equally."""
        if not a.size or weights is not None or getattr(q, "_node", None) is not None:
            return NotImplemented
        if skip_nan and np.ndim(plain(q)) > 1:
            return NotImplemented  # NumPy puts these axes in an order of its own
        made = quantile_of(a, axis, keepdims, _place_of(without_nan, q, method), skip_nan)
        dtype = without_nan(np.ones(1, a.dtype), plain(q), method=method).dtype
        return made if made.dtype == dtype else np.astype(made, dtype)

    def median(
        a: Array,
        axis: Axis = None,
        out: None = None,
        overwrite_input: bool = False,
        keepdims: bool = False,
    ) -> Array:
        """The middle one of the sorted elements, or the mean of the middle two; ties share."""
        if not a.size:
            return NotImplemented
        return quantile_of(a, axis, keepdims, lambda n: (n - 1) / 2, skip_nan)

    family.composed(function)(median if plain_name == "median" else quantile)


for _name in ("median", "quantile", "percentile"):
    _register(_name, skip_nan=False)
    _register(_name, skip_nan=True)
