"""SparseMatrix, with which scipy.sparse takes part in matrix products of tensors."""

from __future__ import annotations

from typing import Any

import numpy as np


class SparseMatrix:
    """A constant sparse matrix as an operand of `@`, on either side of a tensor.

    `s @ x` itself is an error for a tracked tensor: scipy.sparse converts `x` to an array and does
    not let it take part in the product. Gradients are products with the transposed matrix, which
    stays sparse.

    Args:
        matrix: a matrix or array of scipy.sparse, in any format.

    Raises:
        TypeError: `matrix` is not of scipy.sparse.

    >>> from scipy import sparse
    >>> from tinytorch_core import Tensor
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (SparseMatrix(sparse.diags_array([3.0, 4.0])) @ x).sum().backward()
    >>> x.grad
    array([3., 4.], dtype=float32)
    """

    ndim = 2

    def __init__(self, matrix: Any) -> None:
        if not hasattr(matrix, "tocsr") or len(matrix.shape) != 2:
            raise TypeError(
                f"SparseMatrix takes a matrix of scipy.sparse, not {type(matrix).__name__}: "
                f"{matrix!r:.60}; multiply other matrices by `@` as they are"
            )
        self.matrix = matrix

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns."""
        return self.matrix.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the elements."""
        return self.matrix.dtype

    @property
    def mT(self) -> SparseMatrix:
        """The transposed matrix."""
        return SparseMatrix(self.matrix.T)

    T = mT

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc is not np.matmul or method != "__call__" or options:
            return NotImplemented
        if not all(isinstance(x, SparseMatrix | np.ndarray) for x in inputs):
            return NotImplemented  # a Tensor, which calls us again with its array
        x, y = (x.matrix if isinstance(x, SparseMatrix) else x for x in inputs)
        return x @ y

    def __repr__(self) -> str:
        return f"SparseMatrix({self.matrix!r})"
