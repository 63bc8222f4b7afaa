"""Averages, covariances, and quantiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core.tensor import plain

from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.reductions import axes_of

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
    keepdims: bool = False,
) -> Any:
    """Σ w x / Σ w."""
    a = array(a)
    if weights is None:
        mean = np.mean(a, axis=axis, keepdims=keepdims)
        total = np.full(mean.shape, a.size / mean.size, mean.dtype)
    else:
        w = array(weights)
        if w.shape != a.shape:
            axes = axes_of(axis, len(a.shape))
            places = [axes.index(i) if i in axes else None for i in range(len(a.shape))]
            w = np.transpose(w, [p for p in places if p is not None])
            w = w.reshape([n if i in axes else 1 for i, n in enumerate(a.shape)])
        w = np.broadcast_to(w, a.shape)
        total = np.sum(w, axis=axis, keepdims=keepdims)
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
    """What lies at some places between the sorted elements along `axis`, their axes first.

    Args:
        x: the elements.
        axis, keepdims: as in NumPy.
        place: the places, for a number of elements: each a whole number and the fraction of the
            way to the next.
        skip_nan: pass over NaNs; otherwise they spread.
    """
    axes = axes_of(axis, len(x.shape))
    others = [i for i in range(len(x.shape)) if i not in axes]
    lanes = np.transpose(x, [*others, *axes]).reshape(*(x.shape[i] for i in others), -1)
    missing = np.isnan(plain(lanes))
    counts = (~missing).sum(axis=-1) if skip_nan else np.full(lanes.shape[:-1], lanes.shape[-1])
    table = {int(n): np.asarray(place(int(n)) if n else math.nan) for n in np.unique(counts)}
    places = np.stack(
        [table[int(n)] * np.ones_like(next(iter(table.values()))) for n in counts.flat]
    )
    places = np.moveaxis(
        places.reshape(counts.shape + places.shape[1:]), range(counts.ndim), range(-counts.ndim, 0)
    )
    empty = np.isnan(places)
    low = np.where(empty, 0, np.floor(places)).astype(int)
    high = np.where(empty, 0, np.ceil(places)).astype(int)
    part = (np.where(empty, 0, places) - low).astype(x.dtype)
    ordered = np.sort(lanes, axis=-1)
    lane = tuple(np.indices(counts.shape))
    below, above = ordered[(*lane, low)], ordered[(*lane, high)]
    # From the nearer end, as NumPy rounds.
    found = np.where(
        part < 0.5, below + (above - below) * part, above - (above - below) * (1 - part)
    )
    invalid = empty if skip_nan else empty | missing.any(axis=-1)
    found = np.where(invalid, math.nan, found) if np.any(invalid) else found
    if keepdims:
        first = found.shape[: len(found.shape) - counts.ndim]
        found = found.reshape((*first, *(1 if i in axes else n for i, n in enumerate(x.shape))))
    return found


def _between(function: Any, q: Any, method: str) -> Callable[[int], Any]:
    """The place of a quantile among n elements: what it is of 0, 1, 2, ..."""
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
        if weights is not None or getattr(q, "_node", None) is not None:
            return NotImplemented
        if skip_nan and np.ndim(plain(q)) > 1:
            return NotImplemented  # NumPy puts these axes in an order of its own
        made = quantile_of(a, axis, keepdims, _between(without_nan, q, method), skip_nan)
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
        return quantile_of(a, axis, keepdims, lambda n: (n - 1) / 2, skip_nan)

    family.composed(function)(median if plain_name == "median" else quantile)


for _name in ("median", "quantile", "percentile"):
    _register(_name, skip_nan=False)
    _register(_name, skip_nan=True)
