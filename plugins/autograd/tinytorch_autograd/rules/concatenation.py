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


def concatenate_as(
    arrays: Arrays, axis: int | None, dtype: Any = None, casting: Any = "same_kind"
) -> Array:
    """Return the concatenation of arrays converted to `dtype`; None keeps their own."""
    return np.concatenate(_converted(arrays, dtype, casting), axis=axis)


def _converted(arrays: Arrays, dtype: Any, casting: Any) -> list[Array]:
    given = [as_array(a) for a in arrays]
    if dtype is None and casting == "same_kind":
        return given
    result = np.result_type(*(a.dtype for a in given)) if dtype is None else np.dtype(dtype)
    if not all(np.can_cast(a.dtype, result, casting) for a in given):
        raise TypeError(f"cannot convert to {result} by the rule {casting!r}")
    return [as_array(a, result) for a in given]


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
    return concatenate_as(arrays, axis, dtype, casting)


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
    return np.stack(_converted(arrays, dtype, casting), axis=axis)


@family.composed(np.append)
def append(arr: Array, values: Any, axis: int | None = None) -> Array:
    """Return `arr` and `values` one after the other along an axis, or flattened."""
    return concatenate_as([arr, values], axis)


@family.composed(np.vstack)
def vstack(tup: Arrays, *, dtype: Any = None, casting: str = "same_kind") -> Array:
    """Return the arrays, of two axes or more, one after the other along the first axis."""
    return concatenate_as([np.atleast_2d(a) for a in tup], 0, dtype, casting)


@family.composed(np.hstack)
def hstack(tup: Arrays, *, dtype: Any = None, casting: str = "same_kind") -> Array:
    """Return the arrays one after the other along the second axis, or the only one."""
    arrays = [np.atleast_1d(a) for a in tup]
    axis = 0 if arrays and len(arrays[0].shape) == 1 else 1
    return concatenate_as(arrays, axis, dtype, casting)


@family.composed(np.dstack)
def dstack(tup: Arrays) -> Array:
    """Return the arrays, of three axes or more, one after the other along the third axis."""
    return concatenate_as([np.atleast_3d(a) for a in tup], 2)


@family.composed(np.column_stack)
def column_stack(tup: Arrays) -> Array:
    """Return the columns of matrices, and vectors as columns, in one matrix."""
    arrays = [as_array(a) for a in tup]
    columns = [a if len(a.shape) > 1 else a.reshape(-1, 1) for a in arrays]
    return concatenate_as(columns, 1)
