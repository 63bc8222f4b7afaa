"""Methods of arrays that a Tensor has too: each is NumPy's function of the same name.

They are no ops, of which each costs time at the start; what becomes of NumPy's functions on
tensors, plugins decide. `sort` is missing, because arrays, PyTorch and Python's lists disagree on
what it does: `np.sort(x)` gives a sorted copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class ArrayMethods:
    """Base class of the plain Tensor.

    >>> from tinytorch_core import Tensor
    >>> Tensor([[1, 2], [3, 4]]).cumsum(axis=1)
    Tensor([[1., 3.],
            [3., 7.]])
    """

    __slots__ = ()

    def all(self: Any, axis: Any = None, keepdims: Any = False) -> Any:
        """Whether all elements, or all along `axis`, are other than 0."""
        return np.all(self, axis=axis, keepdims=keepdims)

    def any(self: Any, axis: Any = None, keepdims: Any = False) -> Any:
        """Whether any element, or any along `axis`, is other than 0."""
        return np.any(self, axis=axis, keepdims=keepdims)

    def argsort(self: Any, axis: int | None = -1) -> Any:
        """The indices that would sort the elements along `axis`."""
        return np.argsort(self, axis=axis)

    def cumprod(self: Any, axis: int | None = None) -> Any:
        """The product of the elements up to each, of all or along `axis`."""
        return np.cumprod(self, axis=axis)

    def cumsum(self: Any, axis: int | None = None) -> Any:
        """The sum of the elements up to each, of all or along `axis`."""
        return np.cumsum(self, axis=axis)

    def diagonal(self: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """The elements whose indices on two axes differ by `offset`."""
        return np.diagonal(self, offset, axis1, axis2)

    def dot(self: Any, other: Any) -> Any:
        """The sum of products over the last axis of this and the last but one of `other`."""
        return np.dot(self, other)

    def flatten(self: Any) -> Any:
        """The elements in one row."""
        return np.ravel(self)

    def nonzero(self: Any) -> tuple[Any, ...]:
        """For each axis the indices of the elements other than 0."""
        indices: tuple[Any, ...] = np.nonzero(self)
        return indices

    def ravel(self: Any) -> Any:
        """The elements in one row."""
        return np.ravel(self)

    def repeat(self: Any, repeats: int | Sequence[int], axis: int | None = None) -> Any:
        """Each element, or each layer along `axis`, several times in a row."""
        return np.repeat(self, repeats, axis=axis)

    def round(self: Any, decimals: int = 0) -> Any:
        """The elements rounded, halves to even numbers."""
        return np.round(self, decimals)

    def squeeze(self: Any, axis: Any = None) -> Any:
        """Without the axes of length 1, or without `axis`."""
        return np.squeeze(self, axis=axis)

    def swapaxes(self: Any, axis1: int, axis2: int) -> Any:
        """Two axes swapped."""
        return np.swapaxes(self, axis1, axis2)

    def take(self: Any, indices: Any, axis: int | None = None) -> Any:
        """The elements, or layers along `axis`, of these numbers."""
        return np.take(self, indices, axis=axis)

    def trace(self: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """The sum of the diagonal."""
        return np.trace(self, offset, axis1, axis2)
