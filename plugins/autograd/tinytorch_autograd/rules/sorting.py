"""Functions that put the elements along an axis in another order, by their values.

Equal elements share the gradients of their places equally.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.shapes import scatter_add

Array = Any

family = Family()


def rearranged_rule(grad: Array, out: Array, x: Array, axis: int | None) -> Array:
    """The k-th smallest of the input gets the gradient of the k-th smallest of the output."""
    if axis is None:
        return rearranged_rule(grad, out, x.reshape(-1), 0).reshape(x.shape)
    values, made = unwrap(x), unwrap(out)
    if not x.shape or not x.size:
        return grad
    by_rank = np.take_along_axis(grad, np.argsort(made, axis, kind="stable"), axis)
    by_rank = _shared(by_rank, np.sort(values, axis), axis)
    order = np.argsort(values, axis, kind="stable")
    return np.take_along_axis(by_rank, np.argsort(order, axis), axis)


def _shared(grad: Array, ordered: Any, axis: int) -> Array:
    """The gradients of equal elements, which are neighbours, replaced by their mean."""
    ordered = np.moveaxis(ordered, axis, -1)
    new = np.ones(ordered.shape, bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    if new.all():
        return grad
    group = np.cumsum(new) - 1
    count = np.bincount(group)
    rows = np.moveaxis(grad, axis, -1)
    sums = scatter_add(rows.reshape(-1), group, count.shape)
    means = sums / count.astype(sums.dtype)
    return np.moveaxis(means[group].reshape(ordered.shape), -1, axis)


family.function(
    "sort",
    np.sort,
    rearranged_rule,
    forward=lambda x, axis=-1, kind=None: np.sort(x, axis, kind),
)
family.function(
    "partition",
    np.partition,
    rearranged_rule,
    forward=lambda x, kth, axis=-1, kind="introselect": np.partition(x, kth, axis, kind),
    inputs=("x",),
)


@family.composed(np.sort_complex)
def sort_complex(a: Array) -> Array:
    """The elements in order, as complex numbers."""
    return np.sort(a if a.dtype.kind == "c" else np.astype(a, np.complex128), axis=-1)
