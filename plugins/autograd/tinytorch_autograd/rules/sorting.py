"""Functions that sort the elements along an axis.

Equal elements share the gradients of their positions equally.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.arithmetic import has_values
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.shapes import scatter_add

Array = Any

family = Family()


def sort_rule(grad: Array, out: Array, x: Array, axis: int | None) -> Array:
    """The k-th smallest input gets the gradient of the k-th smallest output; ties share equally."""
    if axis is None:
        return sort_rule(grad, out, x.reshape(-1), 0).reshape(x.shape)
    values, results = unwrap(x), unwrap(out)
    if not x.shape or not x.size:
        return grad
    by_rank = np.take_along_axis(grad, np.argsort(results, axis, kind="stable"), axis)
    by_rank = _share_equally(by_rank, np.sort(values, axis), axis)
    order = np.argsort(values, axis, kind="stable")
    return np.take_along_axis(by_rank, np.argsort(order, axis), axis)


def _share_equally(grad: Array, ordered: Any, axis: int) -> Array:
    """Replace the gradients of equal elements, which are neighbours, by their mean."""
    ordered = np.moveaxis(ordered, axis, -1)
    first = np.ones((*ordered.shape[:-1], 1), bool)
    new = np.concatenate([first, ordered[..., 1:] != ordered[..., :-1]], axis=-1)
    if has_values(new) and new.all():
        return grad
    group = np.cumsum(new) - 1
    rows = np.moveaxis(grad, axis, -1)
    if has_values(group):
        count = np.bincount(group)
    else:  # as many groups as there could be
        count = np.maximum(scatter_add(np.ones_like(group), group, group.shape), 1)
    sums = scatter_add(rows.reshape(-1), group, count.shape)
    means = sums / count.astype(sums.dtype)
    return np.moveaxis(means[group].reshape(ordered.shape), -1, axis)


family.function(
    "sort",
    np.sort,
    sort_rule,
    forward=lambda x, axis=-1, kind=None: np.sort(x, axis, kind),
)
family.function(
    "partition",
    np.partition,
    sort_rule,
    forward=lambda x, kth, axis=-1, kind="introselect": np.partition(x, kth, axis, kind),
    inputs=("x",),
)


@family.composed(np.sort_complex)
def sort_complex(a: Array) -> Array:
    """Return the sorted elements as complex numbers."""
    return np.sort(a if a.dtype.kind == "c" else np.astype(a, np.complex128), axis=-1)
