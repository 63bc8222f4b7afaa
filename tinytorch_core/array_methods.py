"""The methods of Tensor that call the NumPy function of the same name.

They are not ops, which add to start-up time; plugins still wrap the NumPy calls that they make.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class ArrayMethods:
    """The base class of the plain Tensor."""

    __slots__ = ()

    def __divmod__(self: Any, other: Any) -> Any:
        return np.divmod(self, other)

    def __rdivmod__(self: Any, other: Any) -> Any:
        return np.divmod(other, self)

    def all(self: Any, axis: Any = None, keepdims: Any = False) -> Any:
        """Return whether all elements are nonzero, of the tensor or along `axis`."""
        return np.all(self, axis=axis, keepdims=keepdims)

    def any(self: Any, axis: Any = None, keepdims: Any = False) -> Any:
        """Return whether any element is nonzero, of the tensor or along `axis`."""
        return np.any(self, axis=axis, keepdims=keepdims)

    def argsort(self: Any, axis: int | None = -1) -> Any:
        """Return the indices that would sort the elements along `axis`."""
        return np.argsort(self, axis=axis)

    def cumprod(self: Any, axis: int | None = None) -> Any:
        """Return the cumulative product, of the flattened tensor or along `axis`."""
        return np.cumprod(self, axis=axis)

    def cumsum(self: Any, axis: int | None = None) -> Any:
        """Return the cumulative sum, of the flattened tensor or along `axis`."""
        return np.cumsum(self, axis=axis)

    def diagonal(self: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """Return the diagonal of the matrices in two axes, `offset` above the main diagonal."""
        return np.diagonal(self, offset, axis1, axis2)

    def dot(self: Any, other: Any) -> Any:
        """Return the dot product over the last axis, and the second-to-last axis of `other`."""
        return np.dot(self, other)

    @property
    def flat(self: Any) -> Any:
        """The elements in one dimension; writing into them needs contiguous memory."""
        elements = np.ravel(self)
        if isinstance(elements.data, np.ndarray) and elements.data.base is None:
            elements.data.flags.writeable = False  # a copy, in which the values would be lost
        return elements

    def nonzero(self: Any) -> tuple[Any, ...]:
        """Return the indices of the nonzero elements, an array for each axis."""
        return np.nonzero(self)

    def ravel(self: Any) -> Any:
        """Return the elements in one dimension."""
        return np.ravel(self)

    flatten = ravel

    def repeat(self: Any, repeats: int | Sequence[int], axis: int | None = None) -> Any:
        """Return the elements, or the slices along `axis`, each repeated."""
        return np.repeat(self, repeats, axis=axis)

    def round(self: Any, decimals: int = 0) -> Any:
        """Return the elements rounded to `decimals` digits, halves to even digits."""
        return np.round(self, decimals)

    __round__ = round

    def sort(self: Any, axis: int = -1, kind: Any = None) -> None:
        """Sort the elements along `axis` in place; `np.sort` returns a sorted copy."""
        self[...] = np.sort(self, axis, kind)

    def squeeze(self: Any, axis: Any = None) -> Any:
        """Return the tensor without the axes of length 1, or without `axis`."""
        return np.squeeze(self, axis=axis)

    def take(self: Any, indices: Any, axis: int | None = None) -> Any:
        """Return the elements, or the slices along `axis`, at these indices."""
        return np.take(self, indices, axis=axis)

    def trace(self: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """Return the sum of the diagonal that `diagonal` returns."""
        return np.trace(self, offset, axis1, axis2)
