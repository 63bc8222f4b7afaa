"""The functions of the array API standard that search, sort and select elements, and sets."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.array_api.conversion import asarray, with_tensor

Array = Any


def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """Return the index of the largest element, of all or along `axis`."""
    return np.argmax(asarray(x), axis=axis, keepdims=keepdims)


def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """Return the index of the smallest element, of all or along `axis`."""
    return np.argmin(asarray(x), axis=axis, keepdims=keepdims)


def argsort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """Return the indices that sort the elements along `axis`."""
    x = asarray(x)
    if not descending:
        return np.argsort(x, axis=axis, stable=stable)
    # The reverse of an ascending order would also reverse equal elements.
    of_reversed = np.argsort(np.flip(x, axis), axis=axis, stable=stable)
    return x.shape[axis] - 1 - np.flip(of_reversed, axis)


def isin(x1: Array, x2: Array, /, *, invert: bool = False) -> Array:
    """Return for each element of `x1` whether it is in `x2`."""
    x1, x2 = with_tensor(x1, x2)
    return np.isin(x1, x2, invert=invert)


def nonzero(x: Array, /) -> tuple[Array, ...]:
    """Return the indices of the nonzero elements, a tensor for each axis.

    Raises:
        ValueError: `x` has no axes.
    """
    x = asarray(x)
    if not x.ndim:
        raise ValueError("nonzero() of a 0-d tensor has no axes to return indices for")
    return np.nonzero(x)


def searchsorted(
    x1: Array, x2: Array, /, *, side: Any = "left", sorter: Array | None = None
) -> Array:
    """Return the indices at which inserting `x2` keeps the tensor `x1` sorted."""
    x1, x2 = with_tensor(x1, x2)
    return np.searchsorted(x1, x2, side=side, sorter=sorter)


def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """Return the elements sorted along `axis`."""
    ascending = np.sort(asarray(x), axis=axis, kind="stable" if stable else None)
    return np.flip(ascending, axis) if descending else ascending


def unique_all(x: Array, /) -> Any:
    """Return the different elements, and their first indices, inverse indices and counts."""
    return np.unique_all(asarray(x))


def unique_counts(x: Array, /) -> Any:
    """Return the different elements, and how often each occurs."""
    return np.unique_counts(asarray(x))


def unique_inverse(x: Array, /) -> Any:
    """Return the different elements, and for each element of `x` its index among them."""
    return np.unique_inverse(asarray(x))


def unique_values(x: Array, /) -> Array:
    """Return the different elements."""
    return np.unique_values(asarray(x))


def where(condition: Array, x1: Any, x2: Any, /) -> Array:
    """Return the elements of `x1` where the condition is true, and those of `x2` elsewhere."""
    return np.where(asarray(condition), x1, x2)
