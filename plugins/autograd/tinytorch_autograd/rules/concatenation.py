"""Functions that join arrays, as `concatenate` and `stack` do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.statistics import array
from tinytorch_autograd.rules.ufuncs import converted

Array = Any
Arrays = Sequence[Any]

family = Family()


def joined(arrays: Arrays, axis: int | None, dtype: Any) -> Array:
    """`concatenate` of arrays of `dtype`, or of the one that they have together."""
    arrays = [a if dtype is None else converted(a, dtype) for a in arrays]
    return np.concatenate(arrays, axis=axis)


@family.composed(np.concatenate)
def concatenate(
    arrays: Arrays,
    /,
    axis: int | None = 0,
    out: None = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Array:
    """One after the other along an axis."""
    return joined([array(a) for a in arrays], axis, dtype)


@family.composed(np.stack)
def stack(
    arrays: Arrays,
    axis: int = 0,
    out: None = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Array:
    """Along a new axis."""
    return np.stack([array(a) if dtype is None else converted(a, dtype) for a in arrays], axis=axis)


@family.composed(np.append)
def append(arr: Array, values: Any, axis: int | None = None) -> Array:
    """One after the other along an axis, or flattened."""
    return joined([array(arr), array(values)], axis, None)


@family.composed(np.vstack)
def vstack(tup: Arrays, *, dtype: Any = None, casting: str = "same_kind") -> Array:
    """Along the first of at least two axes."""
    return joined([np.atleast_2d(a) for a in tup], 0, dtype)


@family.composed(np.hstack)
def hstack(tup: Arrays, *, dtype: Any = None, casting: str = "same_kind") -> Array:
    """Along the second axis, rows along their only one."""
    rows = [np.atleast_1d(a) for a in tup]
    return joined(rows, 0 if rows and len(rows[0].shape) == 1 else 1, dtype)


@family.composed(np.dstack)
def dstack(tup: Arrays) -> Array:
    """Along the third of at least three axes."""
    return joined([np.atleast_3d(a) for a in tup], 2, None)


@family.composed(np.column_stack)
def column_stack(tup: Arrays) -> Array:
    """Rows as the columns of a matrix, beside the columns of matrices."""
    arrays = [array(a) for a in tup]
    return joined([a if len(a.shape) > 1 else a.reshape(-1, 1) for a in arrays], 1, None)
