"""numpy.linalg at singular matrices, equal values and undetermined vectors, and of any shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from tinytorch_core import Tensor

from tinytorch_autograd import NoRuleError, NotDifferentiableError, grad
from tinytorch_autograd.debug.numerical import check_derivative

from .cases import spread
from .cases.matrices import general

ROTATION = np.linalg.qr(spread((3, 3)))[0]


def tracked(values):
    return Tensor(
        np.asarray(values, np.result_type(np.asarray(values).dtype, float)), requires_grad=True
    )


def gradient(function, values):
    x = tracked(values)
    function(x).backward()
    return x.grad


def with_eigenvalues(*values):
    return ROTATION * values @ ROTATION.T


# Norms at 0, and with ties.

NORMS = {
    **{
        f"vector, {ord}": {"ord": ord, "axis": 0}
        for ord in (None, 1, 2, 3, 0.5, -1, np.inf, -np.inf)
    },
    **{
        f"matrix, {ord}": {"ord": ord}
        for ord in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    },
}


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("options", NORMS.values(), ids=NORMS)
def test_a_norm_has_the_gradient_0_at_0(options, dtype):
    x = tracked(np.zeros((2, 3), dtype))
    with np.errstate(divide="ignore"):  # of 0 ** -1, which NumPy takes for a negative order
        y = np.linalg.norm(x, **options).sum()
    first = grad(y, x, create_graph=True)
    assert first.tolist() == np.zeros((2, 3)).tolist()
    if first.requires_grad:
        second = grad((first * first.conj()).real.sum(), x)
        assert second.tolist() == np.zeros((2, 3)).tolist()


def test_a_norm_at_0_does_not_affect_the_other_norms():
    x = gradient(lambda x: np.linalg.norm(x, axis=1).sum(), [[0, 0], [3, 4]])
    np.testing.assert_allclose(x, [[0, 0], [0.6, 0.8]])


def test_the_second_derivative_of_a_norm_with_an_element_of_0():
    x = tracked([0.0, 2.0])
    first = grad(np.linalg.norm(x), x, create_graph=True)
    np.testing.assert_allclose(grad(first[0], x).data, [0.5, 0])


@pytest.mark.parametrize(
    ("ord", "x", "expected"),
    [
        (np.inf, [1, -2, 2], [0, -0.5, 0.5]),
        (-np.inf, [1, -1, 2], [0.5, -0.5, 0]),
        (1, [-1, 0, 2], [-1, 0, 1]),
        (0, [-1, 0, 2], [0, 0, 0]),
        (2, np.eye(2), np.eye(2) / 2),
        (-2, np.eye(2), np.eye(2) / 2),
        ("nuc", np.eye(2), np.eye(2)),
        ("nuc", np.ones((2, 2)), np.full((2, 2), 0.5)),
        (1, [[1, 1], [2, -2]], [[0.5, 0.5], [0.5, -0.5]]),
        ("fro", [[3, 4]], [[0.6, 0.8]]),
    ],
)
def test_norms_with_ties(ord, x, expected):
    found = gradient(lambda x: np.linalg.norm(x, ord), x)
    np.testing.assert_allclose(found, expected, atol=1e-15)


# Singular matrices.


def minors(x):
    """Return the cofactors of a matrix, each computed from its minor."""
    n = len(x)
    found = np.empty_like(x)
    for i in range(n):
        for j in range(n):
            minor = np.delete(np.delete(x, i, 0), j, 1)
            found[i, j] = (-1) ** (i + j) * np.linalg.det(minor)
    return found


@pytest.mark.parametrize(
    "x",
    [
        np.arange(9.0).reshape(3, 3),
        [[1, 2], [2, 4]],
        np.ones((3, 3)),
        np.zeros((2, 2)),
        [[0.0]],
        np.diag([1.0, 0, 2, 3]),
        [[1, 1j], [1j, -1]],
        spread((4, 4)),
    ],
    ids=["rank 2", "2x2", "rank 1", "0", "1x1", "diagonal", "complex", "regular"],
)
def test_the_gradient_of_det_is_the_cofactors(x):
    x = tracked(x)
    det = np.linalg.det(x)
    seed = np.ones((), det.dtype)
    (found,) = grad([det], [x], [seed])
    np.testing.assert_allclose(found.data, minors(x.data).conj(), atol=1e-13)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(
    "start", [np.ones((3, 3)), np.zeros((3, 3)), np.stack([np.eye(3), np.ones((3, 3))])]
)
def test_det_of_a_singular_matrix_to_any_order(start, order):
    # The matrices at the points of the differences are regular.
    check_derivative(np.linalg.det, [start], order)


def test_a_stack_of_a_singular_and_a_regular_matrix():
    singular, regular = np.ones((2, 2)), np.array([[2.0, 1], [0, 1]])
    found = gradient(lambda x: np.linalg.det(x).sum(), [singular, regular])
    np.testing.assert_allclose(found, [minors(singular), minors(regular)], atol=1e-15)


def test_slogdet_of_a_singular_matrix_raises_in_backward():
    x = tracked([[1, 2], [2, 4]])
    sign, logabsdet = np.linalg.slogdet(x)
    assert (sign.item(), logabsdet.item()) == (0, -np.inf)
    with pytest.raises(np.linalg.LinAlgError):
        logabsdet.backward()


@pytest.mark.parametrize("p", [None, 1, "fro"])
def test_cond_of_a_singular_matrix_raises_in_backward(p):
    x = tracked([[1, 0], [0, 0]])  # singular without a rounding error
    cond = np.linalg.cond(x, p)
    assert cond.item() == np.inf
    with pytest.raises(NoRuleError, match=r"np\.linalg\.cond"):
        cond.backward()


def test_pinv_and_lstsq_of_rank_deficient_matrices():
    a = np.array([[1.0, 2], [2, 4], [3, 6]])

    def pinv_along_a_line(t):  # of rank 1 for every t
        return np.linalg.pinv(a * (1 + t * t) + t * a)

    check_derivative(pinv_along_a_line, [np.array(0.5)], 2)
    b = np.array([1.0, 2, 4])
    check_derivative(lambda t: np.linalg.lstsq(a * t, b * t**3)[0], [np.array(1.5)], 2)


# Eigenvalues.


def test_equal_eigenvalues_share_their_gradient():
    a = with_eigenvalues(1, 2, 2)
    found = gradient(lambda a: np.linalg.eigvalsh(a)[2], a)
    space = ROTATION[:, 1:]
    np.testing.assert_allclose(found, space @ space.T / 2, atol=1e-12)


@pytest.mark.parametrize("function", [np.linalg.eigvalsh, np.linalg.svdvals])
def test_a_function_of_all_equal_values(function):
    found = gradient(lambda a: (function(a) ** 2).sum(), 3 * np.eye(3))
    np.testing.assert_allclose(found, 6 * np.eye(3), atol=1e-12)


def test_eigenvectors_of_equal_eigenvalues_are_not_differentiable():
    a = tracked(with_eigenvalues(1, 2, 2))
    root = np.linalg.eigh(a)
    matrix = (root.eigenvectors * np.sqrt(root.eigenvalues)) @ root.eigenvectors.T
    with pytest.raises(
        NotDifferentiableError,
        match=r"eigenvectors .* where eigenvalues are",
    ):
        (matrix * np.arange(9).reshape(3, 3)).sum().backward()
    assert a.grad is None


def test_the_eigenvector_of_a_single_eigenvalue_next_to_equal_ones():
    a = with_eigenvalues(1, 2, 2)

    def projection(a):
        first = np.linalg.eigh(a + a.T).eigenvectors[:, 0]
        return first[:, None] * first

    check_derivative(projection, [a], 1)


def test_gradients_of_symmetric_decompositions_are_symmetric():
    a = with_eigenvalues(1, 2, 4)
    for function in (
        lambda a: np.linalg.eigh(a).eigenvectors[0, 0] ** 2,
        lambda a: np.linalg.eigvalsh(a)[0],
        lambda a: np.linalg.cholesky(a)[2, 1],
        lambda a: np.linalg.cholesky(a, upper=True)[0, 1],
    ):
        found = gradient(function, a)
        np.testing.assert_allclose(found, found.T, atol=1e-15)
        assert abs(found).max() > 0.01


@pytest.mark.parametrize(
    ("function", "vectors"),
    [
        (np.linalg.eigh, "complex eigenvectors"),
        (np.linalg.eig, "complex eigenvectors"),
        (lambda a: np.linalg.svd(a)[::-1], "complex singular vectors"),
    ],
)
def test_the_phase_of_complex_vectors_is_not_differentiable(function, vectors):
    a = tracked(with_eigenvalues(1, 2, 4) + np.array([[0, 1j, 0], [-1j, 0, 0], [0, 0, 0]]))
    with pytest.raises(NotDifferentiableError, match=f"{vectors} are determined up to"):
        np.real(function(a)[-1]).sum().backward()


def test_eigenvalues_of_a_defective_matrix_are_not_differentiable():
    a = tracked([[1.0, 1], [0, 1]])
    with pytest.raises(NotDifferentiableError, match="defective"):
        np.real(np.linalg.eigvals(a)).sum().backward()  # complex since NumPy 2.5


def test_complex_eigenvalues_of_a_real_matrix_have_real_gradients():
    a = tracked([[0.0, 1], [-2, 0]])
    values = np.linalg.eigvals(a)
    assert values.dtype == complex
    np.imag(values)[0].backward()
    assert a.grad.dtype == float
    np.testing.assert_allclose(a.grad, [[0, 2**0.5 / 2], [-(2**-0.5) / 2, 0]], atol=1e-12)


# Singular values.


def test_a_singular_value_of_0_has_the_gradient_0():
    a = np.outer([1.0, 2, 2], [0.6, 0.8])
    found = gradient(lambda a: np.linalg.svdvals(a).sum(), a)
    np.testing.assert_allclose(found, a / 3, atol=1e-12)


def test_singular_vectors_of_a_singular_value_of_0_are_not_differentiable():
    a = tracked([[1.0, 0], [0, 0], [0, 0]])
    with pytest.raises(NotDifferentiableError, match="singular value is 0"):
        np.linalg.svd(a, full_matrices=False).U[1:, 1].prod().backward()
    a = tracked([[1.0, 0], [0, 0], [0, 0]])
    (np.linalg.svd(a, full_matrices=False).U[:, 0] ** 2)[0].sum().backward()
    np.testing.assert_allclose(a.grad, np.zeros((3, 2)), atol=1e-15)


def test_singular_vectors_of_equal_singular_values_are_not_differentiable():
    a = tracked(2 * np.eye(2))
    u, _, vh = np.linalg.svd(a)
    with pytest.raises(
        NotDifferentiableError,
        match=r"vectors .* where singular values are",
    ):
        (u @ vh).sum().backward()


def test_singular_vectors_of_full_matrices_are_not_differentiable():
    a = tracked(spread((3, 2)))
    u = np.linalg.svd(a).U
    assert u.shape == (3, 3)
    with pytest.raises(NotDifferentiableError, match=r"only the first 2.*full_matrices=False"):
        (u[0] ** 2).sum().backward()


# QR.


def test_qr_of_dependent_columns_is_not_differentiable():
    a = tracked([[1.0, 0], [0, 0]])
    with pytest.raises(NotDifferentiableError, match="linearly dependent"):
        np.linalg.qr(a).Q.sum().backward()


def test_columns_of_q_that_complete_adds_are_not_differentiable():
    a = tracked(spread((3, 2)))
    with pytest.raises(NotDifferentiableError, match=r"only the first 2 columns of q.*'reduced'"):
        np.linalg.qr(a, mode="complete").Q[0, 2].backward()


def test_qr_in_raw_mode_is_not_differentiable():
    a = tracked(spread((3, 2)))
    with pytest.raises(NotDifferentiableError, match="raw"):
        np.linalg.qr(a, mode="raw")[0].sum().backward()


# Results and errors.


@pytest.mark.parametrize("name", ["svd", "eigh", "eig", "qr", "slogdet"])
def test_results_are_named_tuples_of_tensors(name):
    a = tracked(with_eigenvalues(1, 2, 4))
    function = getattr(np.linalg, name)
    tensors, arrays = function(a), function(a.data)
    assert type(tensors).__name__ == type(arrays).__name__
    assert tensors._fields == arrays._fields
    for tensor, array in zip(tensors, arrays, strict=True):
        assert tensor.grad_fn is not None
        np.testing.assert_array_equal(tensor.data, array)
    assert repr(tensors[0].grad_fn) == f"<{name.capitalize()}Backward output 0>"


def test_the_rank_of_a_matrix_is_not_tracked():
    assert not np.linalg.matrix_rank(tracked(np.eye(2))).requires_grad


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x: np.einsum("ij->i", x, dtype=np.float64), r"np\.einsum\(dtype=\)"),
        (lambda x: np.einsum("ij->i", x, order="F"), r"np\.einsum\(order=\)"),
    ],
)
def test_an_option_without_a_rule_raises_in_backward_with_its_name(call, name):
    with pytest.raises(NoRuleError, match=name):
        call(tracked(np.ones((2, 2)))).sum().backward()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: np.linalg.inv(x * 0), np.linalg.LinAlgError, "Singular"),
        (lambda x: np.linalg.inv(x[:1]), np.linalg.LinAlgError, "square"),
        (lambda x: np.linalg.norm(x, "f" * 3), ValueError, "order"),
        (lambda x: np.linalg.norm(x, 3), ValueError, "order"),
        (lambda x: np.linalg.cholesky(-x), np.linalg.LinAlgError, "positive"),
        (lambda x: np.tensordot(x, x[:1], axes=1), ValueError, "shape-mismatch"),
        (lambda x: np.einsum("ij,jk", x), ValueError, "operand"),
        (lambda x: np.einsum("...j->j", x), ValueError, "broadcast"),
        (lambda x: np.einsum("i", x), ValueError, "more dimensions"),
        (lambda x: np.linalg.cross(x, x), ValueError, "3"),
        (lambda x: np.convolve(x, x), ValueError, "deep"),
        (lambda x: np.linalg.matrix_power(x[:1], 2), np.linalg.LinAlgError, "square"),
        (lambda x: np.linalg.outer(x, x), ValueError, "one-dimensional"),
        (lambda x: np.fft.fft(x, n=0), ValueError, "0"),
        (lambda x: np.fft.fft(x, norm="other"), ValueError, "norm"),
        (lambda x: np.fft.hfft(x, norm="other"), ValueError, "norm"),
        (lambda x: np.fft.fftn(x, (2,), (0, 1)), ValueError, "different lengths"),
        (lambda x: np.fft.rfftn(x, axes=()), IndexError, "range"),
    ],
)
def test_bad_input_raises_the_error_of_numpy(call, error, message):
    x = tracked(np.eye(2) + 1)
    with pytest.raises(error, match=message):
        call(x)
    with pytest.raises(error, match=message):
        call(x.detach())


# Random shapes.


def arrays(shapes):
    return [spread(shape, -1 + 0.1 * i, 1.25, seed=i) for i, shape in enumerate(shapes)]


@settings(max_examples=20)
@given(
    shapes=arrays_of.mutually_broadcastable_shapes(
        signature="(n,n),(n,k)->(n,k)", max_dims=2, max_side=3
    )
)
def test_solve_of_any_shapes(shapes):
    a, b = arrays(shapes.input_shapes)
    check_derivative(lambda a, b: np.linalg.solve(general(a), b), [a, b], 2)


@settings(max_examples=20)
@given(data=st.data())
def test_tensordot_of_any_axes(data):
    shape = data.draw(arrays_of.array_shapes(max_dims=3, max_side=3))
    axes = data.draw(st.permutations(range(len(shape))))
    count = data.draw(st.integers(0, len(shape)))
    other = data.draw(st.permutations([shape[i] for i in axes[:count]] + [2]))
    free = list(range(len(other)))
    second = [
        free.pop(next(k for k, axis in enumerate(free) if other[axis] == shape[i]))
        for i in axes[:count]
    ]
    check_derivative(
        lambda x, y: np.tensordot(x, y, (axes[:count], second)) ** 2,
        arrays([shape, tuple(other)]),
        2,
    )


@settings(max_examples=40)
@given(data=st.data())
def test_einsum_of_any_subscripts(data):
    lengths = {"i": 2, "j": 3, "k": 1, "l": 2}
    terms = data.draw(st.lists(st.text("ijkl", max_size=3), min_size=1, max_size=3))
    letters = sorted(set("".join(terms)))
    out = "".join(data.draw(st.permutations(letters))[: data.draw(st.integers(0, len(letters)))])
    subscripts = ",".join(terms) + "->" + out
    shapes = [tuple(lengths[letter] for letter in term) for term in terms]
    check_derivative(lambda *x: np.einsum(subscripts, *x) ** 2, arrays(shapes), 2)


@settings(max_examples=40)
@given(data=st.data())
def test_fourier_transforms_of_any_axes(data):
    name = data.draw(st.sampled_from(["fftn", "ifftn", "rfftn", "irfftn"]))
    shape = data.draw(arrays_of.array_shapes(max_dims=3, min_side=2, max_side=4))
    axes = data.draw(arrays_of.valid_tuple_axes(len(shape), min_size=1))
    s = data.draw(st.none() | st.tuples(*[st.integers(2, 5)] * len(axes)))
    norm = data.draw(st.sampled_from([None, "ortho", "forward"]))

    def transform(x):
        out = getattr(np.fft, name)(x, s, axes, norm)
        return (out * out.conj()).real

    x = arrays([shape])[0]
    x = x if name == "rfftn" else x + 1j * x[..., ::-1]
    check_derivative(transform, [x], 2)
