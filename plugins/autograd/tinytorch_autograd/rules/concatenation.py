"""Functions that concatenate arrays: `concatenate`, `stack`, `append` and their relatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_autograd.rules.arrays import as_array
from tinytorch_autograd.rules.family import Family

Array = Any
Arrays = Sequence[Any]

family = Family()


def concatenate_as(arrays: Arrays, axis: int | None, dtype: Any) -> Array:
    """Return the concatenation of arrays converted to `dtype`; None keeps their own."""
    arrays = [as_array(a, dtype) for a in arrays]
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
    """Return the arrays one after the other along an axis."""
    return concatenate_as(arrays, axis, dtype)


@family.composed(np.stack)
def stack(
    arrays: Arrays,
    axis: int = 0,
    out: None = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Array:
    """Return the arrays along a new axis."""
    return np.stack([as_array(a, dtype) for a in arrays], axis=axis)


@family.composed(np.append)
def append(arr: Array, values: Any, axis: int | None = None) -> Array:
    """Return `arr` and `values` one after the other along an axis, or flattened."""
    return concatenate_as([arr, values], axis, None)


@family.composed(np.vstack)
def vstack(tup: Arrays, *, dtype: Any = None, casting: str = "same_kind") -> Array:
    """Return the arrays, of two axes or more, one after the other along the first axis."""
    return concatenate_as([np.atleast_2d(a) for a in tup], 0, dtype)


@family.composed(np.hstack)
def hstack(tup: Arrays, *, dtype: Any = None, casting: str = "same_kind") -> Array:
    """Return the arrays one after the other along the second axis, or the only one."""
    arrays = [np.atleast_1d(a) for a in tup]
    return concatenate_as(arrays, 0 if arrays and len(arrays[0].shape) == 1 else 1, dtype)


@family.composed(np.dstack)
def dstack(tup: Arrays) -> Array:
    """Return the arrays, of three axes or more, one after the other along the third axis."""
    return concatenate_as([np.atleast_3d(a) for a in tup], 2, None)


@family.composed(np.column_stack)
def column_stack(tup: Arrays) -> Array:
    """Return the columns of matrices, and vectors as columns, in one matrix."""
    arrays = [as_array(a) for a in tup]
    columns = [a if len(a.shape) > 1 else a.reshape(-1, 1) for a in arrays]
    return concatenate_as(columns, 1, None)
