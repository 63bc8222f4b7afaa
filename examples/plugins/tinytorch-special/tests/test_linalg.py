"""Matrix functions, compared with their equations and with numerical differentiation."""

import numpy as np
import pytest
import scipy

from tinytorch_core import Tensor

from tinytorch_autograd import grad
from tinytorch_special import linalg

RANDOM = np.random.default_rng(0)
A = RANDOM.normal(size=(3, 3)) + 4 * np.eye(3)
B = RANDOM.normal(size=(2, 2)) + 3 * np.eye(2)
Q = RANDOM.normal(size=(3, 2))
COMPLEX = A + 0.5j * RANDOM.normal(size=(3, 3))


def test_the_square_of_sqrtm_is_the_matrix():
    for matrix in (A, COMPLEX, -A):
        root = linalg.sqrtm(Tensor(matrix))
        np.testing.assert_allclose((root @ root).data, matrix, atol=1e-12)


@pytest.mark.parametrize("matrix", [A, A[:1, :1], A @ A.T, COMPLEX])
def test_derivatives_of_sqrtm(check_derivatives, matrix):
    check_derivatives(linalg.sqrtm, matrix)


def test_a_real_matrix_with_a_complex_root_has_a_real_gradient(check_derivatives):
    matrix = np.diag([1.0, -2.0, 3.0]) + 0.1 * A
    assert linalg.sqrtm(matrix).dtype == complex
    check_derivatives(lambda a: abs(linalg.sqrtm(a) * COMPLEX), matrix)


def test_the_gradient_of_the_root_of_a_diagonal_matrix():
    a = Tensor(np.diag([4.0, 9.0]), requires_grad=True)
    found = grad(np.trace(linalg.sqrtm(a)), a)
    np.testing.assert_allclose(found.data, np.diag([1 / 4, 1 / 6]), atol=1e-14)


def test_the_solution_of_sylvesters_equation():
    x = linalg.solve_sylvester(Tensor(A), B, Q)
    np.testing.assert_allclose((A @ x + x @ B).data, Q, atol=1e-13)


@pytest.mark.parametrize("factor", [1, 1 + 0.5j])
def test_derivatives_of_solve_sylvester(check_derivatives, factor):
    check_derivatives(linalg.solve_sylvester, A * factor, B, Q * factor)
    check_derivatives(lambda a: linalg.solve_sylvester(a, a.T, A), A)


def banded(l_and_u, n, factor=1):
    """Return the diagonals of a well-conditioned matrix."""
    ab = RANDOM.normal(size=(sum(l_and_u) + 1, n)) * factor
    ab[l_and_u[1]] += 5
    return ab


@pytest.mark.parametrize("factor", [1, 1 + 0.5j])
@pytest.mark.parametrize("columns", [(), (2,)])
@pytest.mark.parametrize("l_and_u", [(0, 0), (1, 1), (2, 0), (0, 2), (1, 2), (3, 1)])
def test_derivatives_of_solve_banded(check_derivatives, l_and_u, columns, factor):
    ab, b = banded(l_and_u, 5, factor), RANDOM.normal(size=(5, *columns)) * factor
    found = linalg.solve_banded(l_and_u, Tensor(ab), b)
    np.testing.assert_array_equal(found.data, scipy.linalg.solve_banded(l_and_u, ab, b))
    check_derivatives(lambda ab, b: linalg.solve_banded(l_and_u, ab, b), ab, b, rtol=1e-5)


def test_elements_outside_of_the_matrix_have_the_gradient_0():
    ab = Tensor(banded((1, 2), 4), requires_grad=True)
    linalg.solve_banded((1, 2), ab, np.ones(4)).sum().backward()
    outside = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]], bool)
    np.testing.assert_array_equal(ab.grad == 0, outside)


def test_float32_stays_float32():
    a, b, q, ab = (
        Tensor(v.astype(np.float32), requires_grad=True) for v in (A, B, Q, banded((1, 1), 3))
    )
    assert linalg.sqrtm(a).dtype == np.float32
    assert linalg.sqrtm(-a).dtype == np.complex64
    assert linalg.solve_sylvester(a, b, q).dtype == np.float32
    assert linalg.solve_banded((1, 1), ab, q).dtype == np.float32


@pytest.mark.skipif(np.lib.NumpyVersion(scipy.__version__) < "1.17.0", reason="needs SciPy 1.17")
def test_stacks_of_matrices(check_derivatives):
    check_derivatives(linalg.sqrtm, np.stack([A, A.T]))
    check_derivatives(
        linalg.solve_sylvester, np.stack([A, A.T]), np.stack([B, B]), np.stack([Q, -Q])
    )


def test_lists_of_numbers():
    np.testing.assert_allclose(linalg.sqrtm([[4, 0], [0, 9]]), [[2, 0], [0, 3]])


def test_other_shapes_are_rejected():
    with pytest.raises(
        ValueError, match=r"sqrtm\(\) takes a square matrix, not an array of shape \(\)"
    ):
        linalg.sqrtm(4.0)
    with pytest.raises(ValueError, match="square"):
        linalg.sqrtm(Tensor(Q))
    with pytest.raises(ValueError, match=r"ab of solve_banded\(\) must have two axes"):
        linalg.solve_banded((0, 0), Tensor([1.0, 2.0]), np.ones(2))


def test_numbers_of_diagonals_are_checked():
    with pytest.raises(
        TypeError, match=r"l_and_u of solve_banded\(\) must be an integer, not float"
    ):
        linalg.solve_banded((1.0, 1.0), banded((1, 1), 3), np.ones(3))
    with pytest.raises(ValueError, match="l_and_u"):
        linalg.solve_banded((1, -1), banded((1, 1), 3), np.ones(3))
