"""Histograms of constants, with tracked weights."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, unwrap

from tinytorch_autograd.rules.arrays import as_array
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.shapes import scatter_add
from tinytorch_autograd.unrecorded import nodes_in

Array = Any

family = Family()


@family.composed(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Array = None
) -> Any:
    """Return the sum of the weights in each bin; differentiable by the weights."""
    if nodes_in([a, bins], Tensor):
        return NotImplemented
    a, bins, weights = unwrap(a), unwrap(bins), as_array(weights)
    known, edges = np.histogram(a, bins, range, density, unwrap(weights))
    sums = _sums([np.ravel(a)], [edges], np.ravel(weights), density)
    return np.astype(sums, known.dtype), from_array(type(weights), edges)


@family.composed(np.histogram2d)
def histogram2d(
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,
    density: Any = None,
    weights: Array = None,
) -> Any:
    """Return the sum of the weights in each bin; differentiable by the weights."""
    if nodes_in([x, y, bins], Tensor):
        return NotImplemented
    x, y, bins, weights = unwrap(x), unwrap(y), unwrap(bins), as_array(weights)
    _, *edges = np.histogram2d(x, y, bins, range, density, unwrap(weights))
    sums = _sums([np.asarray(x), np.asarray(y)], edges, weights, density)
    return np.astype(sums, float), *(from_array(type(weights), edge) for edge in edges)


@family.composed(np.histogramdd)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Array = None
) -> Any:
    """Return the sum of the weights in each bin; differentiable by the weights."""
    if nodes_in([sample, bins], Tensor):
        return NotImplemented
    sample, bins, weights = unwrap(sample), unwrap(bins), as_array(weights)
    _, edges = np.histogramdd(sample, bins, range, density, unwrap(weights))
    columns = list(sample.T) if hasattr(sample, "shape") else list(np.atleast_2d(sample))
    sums = _sums(columns, edges, weights, density)
    wrapped = type(edges)(from_array(type(weights), edge) for edge in edges)
    return np.astype(sums, float), wrapped


def _sums(columns: Sequence[Any], edges: Sequence[Any], weights: Array, density: Any) -> Array:
    """Return the sum of the weights in each bin, given coordinates and edges for each axis."""
    inside: Any = True
    bins = []
    for values, edge in zip(columns, edges, strict=True):
        # The last bin contains both of its edges.
        last = values == edge[-1]
        found = np.where(last, len(edge) - 2, np.searchsorted(edge, values, "right") - 1)
        bins.append(np.clip(found, 0, len(edge) - 2))
        inside = inside & (edge[0] <= values) & (values <= edge[-1])
    shape = tuple(len(edge) - 1 for edge in edges)
    sums = scatter_add(np.where(inside, weights, 0), tuple(bins), shape)
    if not density:
        return sums
    return sums / functools.reduce(np.multiply.outer, map(np.diff, edges)) / sums.sum()
