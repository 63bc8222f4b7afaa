"""SparseMatrix: products of tensors with matrices of scipy.sparse."""

import numpy as np
import pytest
from scipy import sparse

from tinytorch_core import Tensor

from tinytorch_autograd import LostGradientError, SparseMatrix, grad
from tinytorch_autograd.debug.numerical import check_derivative

DENSE = np.array([[1.0, 0.0, 2.0], [0.0, -3.0, 0.0]])
VECTOR, MATRIX = np.array([1.0, 2.0, 3.0]), np.array([[0.5, -1.0], [2.0, 1.5], [-0.25, 3.0]])
FORMATS = [sparse.csr_matrix, sparse.csr_array, sparse.csc_array, sparse.coo_array]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("array", [VECTOR, MATRIX], ids=["vector", "matrix"])
@pytest.mark.parametrize("scale", [1.0, 1.0 - 2.0j], ids=["real", "complex"])
def test_products_and_their_derivatives_are_those_of_the_dense_matrix(kind, array, scale):
    dense = DENSE * scale
    left, right = SparseMatrix(kind(dense)), SparseMatrix(kind(dense.T))
    np.testing.assert_allclose((left @ Tensor(array)).data, dense @ array)
    np.testing.assert_allclose((Tensor(array.T) @ right).data, array.T @ dense.T)
    for order in (1, 2):
        check_derivative(lambda x: (left @ x) ** 3, (array,), order)
        check_derivative(lambda x: (x @ right) ** 3, (array.T,), order)
        check_derivative(lambda x: np.matmul(left, x) ** 3, (array,), order)


def test_float32_stays_float32():
    s = SparseMatrix(sparse.csr_array(DENSE.astype(np.float32)))
    x = Tensor(VECTOR.astype(np.float32), requires_grad=True)
    y = s @ x
    assert y.dtype == np.float32
    assert grad(y.sum(), x).tolist() == [1.0, -3.0, 2.0]


def test_the_matrix_stays_sparse():
    n = 100_000  # as a dense matrix it would take 80 GB
    x = Tensor(np.ones(n), requires_grad=True)
    y = SparseMatrix(sparse.diags_array(np.arange(float(n)))) @ x
    np.testing.assert_array_equal(grad(y.sum(), x).data, np.arange(n))


def test_a_sparse_matrix_itself_is_refused_with_the_remedy():
    s, x = sparse.csr_array(DENSE), Tensor(MATRIX, requires_grad=True)
    for call in (lambda: s @ x, lambda: s.dot(x), lambda: x.T @ s.T):
        with pytest.raises(LostGradientError, match=r"tinytorch_autograd\.SparseMatrix\(s\)"):
            call()


def test_other_operations_are_refused():
    s = SparseMatrix(sparse.csr_array(DENSE))
    for call in (lambda: s * Tensor(VECTOR), lambda: np.add(s, VECTOR), lambda: s + 1):
        with pytest.raises(TypeError, match="SparseMatrix"):
            call()


@pytest.mark.parametrize("value", [DENSE, [[1.0]], Tensor(DENSE)])
def test_only_matrices_of_scipy_are_accepted(value):
    with pytest.raises(TypeError, match=r"takes a matrix of scipy\.sparse"):
        SparseMatrix(value)
