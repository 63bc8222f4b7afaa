"""The documented gradients of NumPy functions at points where they are not differentiable."""

import math
import warnings

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import NoRuleError, grad, gradcheck
from tinytorch_autograd.func import hessian

from .cases import DESCRIBED, concatenated

INF, NAN = math.inf, math.nan


def gradients(function, *arrays):
    """Return the gradients of the sum of a function's elements, without a warning."""
    inputs = [Tensor(np.array(a, float), requires_grad=True) for a in arrays]
    out = function(*inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out.sum().backward()
    return [np.zeros_like(x.data) if x.grad is None else x.grad for x in inputs]


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (np.fabs, [-2, 0, 3], [-1, 0, 1]),
        (np.cbrt, [1.0, 8.0], [1 / 3, 1 / 12]),
        (np.sinc, [0.0, 1.0], [0, -1]),
        (np.i0, [0.0], [0]),
        (np.sort, [2, 1, 2], [1, 1, 1]),
        (lambda x: np.sort(x) * [1, 10, 100], [2, 1, 2], [55, 1, 55]),
        (lambda x: np.partition(x, 1) * [1, 10, 100], [1, 1, 2], [5.5, 5.5, 100]),
        (np.median, [1, 2, 2], [0, 0.5, 0.5]),
        (np.median, [3, 1, 2, 2], [0, 0, 0.5, 0.5]),
        (lambda x: np.quantile(x, 0.25), [0, 0, 1], [0.5, 0.5, 0]),
        (np.nanmedian, [NAN, 1, 3], [0, 0.5, 0.5]),
        (np.median, [1, INF, INF], [0, 0.5, 0.5]),
        (np.median, [INF, -INF, 3], [0, 0, 1]),
        (np.ptp, [1, 3, 3], [-1, 0.5, 0.5]),
        (np.ptp, [2, 2], [0, 0]),
        (np.nanmax, [3, NAN, 3], [0.5, 0, 0.5]),
        (np.nansum, [1, NAN], [1, 0]),
        (np.nanprod, [0, NAN, 5], [5, 0, 0]),
        (np.nanstd, [2, NAN, 2], [0, 0, 0]),
        (np.cumprod, [0, 3, 4], [16, 0, 0]),
        (np.cumprod, [2, 0, 4], [1, 10, 0]),
        (lambda x: np.multiply.reduce(x), [0, 3, 4], [12, 0, 0]),
        (lambda x: np.maximum.accumulate(x), [1, 1, 0], [2, 1, 0]),
        (lambda x: np.std(x, where=[True, True, False]), [2, 2, 5], [0, 0, 0]),
        (np.nan_to_num, [NAN, INF, -INF, 1], [0, 0, 0, 1]),
        (np.unique, [2, 1, 2], [0.5, 1, 0.5]),
        (lambda x: np.take(x, [0, 0, 2]), [1, 2, 3], [2, 0, 1]),
        (lambda x: np.interp(x, [0, 1, 2], [0, 1, 3]), [-1, 0, 1, 2, 3], [0, 1, 2, 2, 0]),
        (lambda x: np.select([x > 0, x > 1], [x * 2, x * 5]), [-1, 0, 1, 2], [0, 0, 2, 2]),
        (np.angle, [-1.0, 0.0], [0, 0]),
        (lambda x: np.pad(x, 1, mode="maximum"), [1, 1], [2, 2]),
        (lambda x: np.vander(x, 3), [0.0, 2.0], [1, 5]),
        (lambda x: np.polyval([1, 0, 2], x), [0.0, 3.0], [0, 6]),
        (lambda x: np.clip(x, -1, 1), [-1, 1, 2], [1, 1, 0]),
        (lambda x: np.power(x, 2), [0.0], [0]),
        (lambda x: np.float_power(x, [0, 1, 2]), [0, 0, 0], [0, 1, 0]),
        (np.sign, [0, 2], [0, 0]),
        (np.round, [0.5], [0]),
    ],
)
def test_gradient(function, x, expected):
    np.testing.assert_allclose(gradients(function, x)[0], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("function", "arrays", "expected"),
    [
        (np.hypot, (0, 0), (0, 0)),
        (np.hypot, (3, 4), (0.6, 0.8)),
        (np.hypot, (0, 2), (0, 1)),
        (np.arctan2, (0, 0), (0, 0)),
        (np.arctan2, (0, -1), (-1, 0)),
        (np.logaddexp, (-INF, -INF), (0.5, 0.5)),
        (np.logaddexp, (-INF, 1), (0, 1)),
        (np.logaddexp, (INF, 1), (1, 0)),
        (np.logaddexp2, (-INF, -INF), (0.5, 0.5)),
        (np.fmax, (2, 2), (0.5, 0.5)),
        (np.fmax, (NAN, 2), (0, 1)),
        (np.fmin, (1, NAN), (1, 0)),
        (np.fmod, (-7, 2), (1, 3)),
        (np.heaviside, ([-1, 0, 1], 0.5), ([0, 0, 0], 1)),
        (lambda x, y: np.copysign(x, -1) + y, (0, 1), (0, 1)),
        (lambda x, y: np.where([True, False], x, y), ([1, NAN], [NAN, 2]), ([1, 0], [0, 1])),
        (lambda x, y: np.choose([0, 1], [x, y]), ([1, 2], [3, 4]), ([1, 0], [0, 1])),
        (lambda x, y: np.divide(x, y), ([6.0], [2.0]), ([0.5], [-1.5])),
    ],
)
def test_gradients(function, arrays, expected):
    for found, wanted in zip(gradients(function, *arrays), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 1 / x,
        lambda x: x / x,
        lambda x: (x + 1) / (x * x),
        lambda x: np.log(x),
        lambda x: np.log2(x),
        lambda x: np.log10(x),
        lambda x: np.log1p(x - 1),
        lambda x: np.sqrt(x),
        lambda x: np.cbrt(x),
        lambda x: np.reciprocal(x),
        lambda x: x**-1.5,
        lambda x: np.power(x, -1.0),
        lambda x: np.arcsin(1 - x),
        lambda x: np.arccos(x - 1),
        lambda x: np.arccosh(x + 1),
        lambda x: np.arctanh(1 - x),
        lambda x: np.hypot(x, 0),
        lambda x: np.arctan2(x, x),
        lambda x: np.std(x * np.ones((2, 1)), axis=0),
    ],
)
def test_where_gives_gradient_0_to_an_infinite_derivative_that_it_does_not_select(function):
    x = Tensor(np.array([0.0, 0.25]), requires_grad=True)
    with np.errstate(all="ignore"):
        y = np.where(np.array([False, True]), function(x), x * 3)
    y.sum().backward()  # pytest makes a warning an error
    assert x.grad[0] == 3
    assert np.isfinite(x.grad[1])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.hypot(x[0], x[1]),
        lambda x: np.arctan2(x[0], x[1]),
        np.linalg.norm,
        lambda x: np.linalg.norm(x, 3),
    ],
)
def test_the_second_derivatives_at_the_origin_are_0(function):
    assert hessian(function)(np.zeros(2)).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("size", [1e-30, 1e-16, 1.0, 1e16, 1e30])
@pytest.mark.parametrize("order", [1.5, 2, 3, 10])
def test_the_gradient_of_a_norm_does_not_depend_on_the_size_of_its_input(order, size):
    """In float32 the powers of these numbers are 0 or infinite."""
    x = Tensor(np.array([[1, -2], [0, 0]], np.float32) * np.float32(size), requires_grad=True)
    with np.errstate(over="ignore"):
        np.linalg.norm(x, order, axis=1).sum().backward()
    expected = np.array([1, -(2 ** (order - 1))]) / (1 + 2**order) ** ((order - 1) / order)
    np.testing.assert_allclose(x.grad, [expected, [0, 0]], rtol=1e-5)


def test_the_second_derivative_of_the_norm_of_tiny_numbers():
    """The Hessian of |x| is (1 - x xᵀ / |x|²) / |x|."""
    x = np.array([3e-30, 4e-30], np.float32)
    expected = np.array([[16, -12], [-12, 9]]) / 25 / 5e-30
    np.testing.assert_allclose(hessian(np.linalg.norm)(x).data, expected, rtol=1e-4)


def test_the_product_of_a_number_along_axis_0():
    for value in (0.0, 3.0):
        assert gradients(lambda x: np.prod(x, axis=0), value) == [1]
        assert gradients(lambda x: np.prod(x, axis=-1, initial=2.0), value) == [2]


@pytest.mark.parametrize(
    "shapes",
    [
        [(2, 0), (0, 3), (3, 2)],
        [(0, 3), (3, 2), (2, 0)],
        [(0, 3), (3, 2), (2,)],
        [(3,), (3, 2), (2, 0)],
        [(0,), (0, 2), (2,)],
    ],
)
def test_a_product_of_matrices_without_elements_has_the_gradient_0(shapes):
    found = gradients(lambda *arrays: np.linalg.multi_dot(arrays), *map(np.ones, shapes))
    assert [g.shape for g in found] == shapes
    assert not any(g.any() for g in found)


def test_second_derivatives_of_the_determinant_of_a_complex_matrix_without_elements():
    a = Tensor(np.zeros((0, 0), complex), requires_grad=True)
    sign, log = np.linalg.slogdet(a)
    first = grad(np.real(sign) + log, a, create_graph=True)
    assert grad(np.real(first).sum(), a).shape == (0, 0)


@pytest.mark.parametrize(
    "function",
    [np.linalg.cholesky, np.linalg.eigvalsh, lambda a: np.linalg.eigh(a)[0]],
)
def test_functions_that_read_one_triangle_have_symmetric_gradients(function):
    """They are the derivatives of the function of (a + aᵀ) / 2."""
    a = np.array([[3.0, 1.0, 0.2], [1.0, 2.0, 0.3], [0.2, 0.3, 1.0]])
    weights = np.arange(1.0, 4.0)
    assert gradcheck(lambda a: function((a + a.T) / 2), a)
    (found,) = gradients(lambda a: function(a) * weights, a)
    (of_symmetric,) = gradients(lambda a: function((a + a.T) / 2) * weights, a)
    np.testing.assert_allclose(found, found.T, rtol=1e-12)
    np.testing.assert_allclose(found, of_symmetric, rtol=1e-12)


@pytest.mark.parametrize("function", [np.sinc, np.i0])
def test_all_derivatives_at_0(function):
    """sinc = Σ (-1)^k (πx)^2k / (2k+1)!, I0 = Σ (x/2)^2k / k!²."""
    x = Tensor(np.array(0.0), requires_grad=True)
    expected = {
        np.sinc: [1, 0, -(math.pi**2) / 3, 0, math.pi**4 / 5, 0, -(math.pi**6) / 7],
        np.i0: [1, 0, 1 / 2, 0, 3 / 8, 0, 5 / 16],
    }[function]
    y = function(x)
    for order, value in enumerate(expected):
        assert float(y.data) == pytest.approx(value, rel=1e-12, abs=1e-13), order
        y = grad(y, x, create_graph=True)


def test_the_gradient_of_a_nan_is_nan():
    x = Tensor(np.array([NAN, 1.0]), requires_grad=True)
    (x * x).sum().backward()
    assert np.isnan(x.grad[0])
    assert x.grad[1] == 2


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(
    "function",
    [
        np.median,
        lambda x: np.quantile(x, 0.3),
        lambda x: np.percentile(x, [30, 60]).sum(),
        np.max,
        np.min,
        np.ptp,
        np.logaddexp.reduce,
        np.maximum.reduce,
        lambda x: np.logaddexp(x[0], x[1]),
        lambda x: np.logaddexp2(x[0], x[1]),
    ],
)
@pytest.mark.parametrize("x", [[1.0, NAN], [NAN, 1.0], [NAN, NAN], [math.inf, NAN]])
def test_a_selection_among_elements_of_which_one_is_nan_has_gradients_of_nan(function, x):
    x = Tensor(np.array(x), requires_grad=True)
    y = function(x)
    assert np.isnan(y.data)
    y.backward()
    assert np.isnan(x.grad).all()


@pytest.mark.parametrize("function", [np.maximum, np.minimum])
@pytest.mark.parametrize(("x", "y"), [(NAN, 1.0), (1.0, NAN), (NAN, NAN)])
def test_maximum_passes_the_gradient_to_both_operands_if_one_is_nan(function, x, y):
    x, y = Tensor(np.array(x), requires_grad=True), Tensor(np.array(y), requires_grad=True)
    function(x, y).backward(np.array(3.0))
    assert (x.grad, y.grad) == (3, 3)


@pytest.mark.parametrize(
    ("x", "low", "high", "expected"),
    [(NAN, -1.0, 1.0, (1, 0, 0)), (0.5, NAN, 1.0, (1, 1, 0)), (0.5, 0.0, NAN, (1, 0, 1))],
)
def test_clip_passes_the_gradient_to_an_argument_that_is_nan(x, low, high, expected):
    inputs = [Tensor(np.array(v), requires_grad=True) for v in (x, low, high)]
    assert np.isnan(np.clip(*inputs).data)
    assert [g.item() for g in grad(np.clip(*inputs), inputs)] == list(expected)


@pytest.mark.filterwarnings("ignore:invalid value encountered in logaddexp")
@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.maximum(x, 0.0),
        lambda x: np.minimum(x, 0.0),
        lambda x: np.logaddexp(x, 1.0),
        lambda x: np.clip(x, -1.0, 1.0),
        lambda x: np.median(x.reshape(2, 1) * np.ones(3), axis=1),
    ],
)
def test_where_gives_gradient_0_to_a_nan_that_it_does_not_select(function):
    x = Tensor(np.array([NAN, 0.25]), requires_grad=True)
    np.where([False, True], function(x), x.data).sum().backward()
    assert x.grad[0] == 0
    assert np.isfinite(x.grad[1])


def test_i0_of_nan_and_infinity_has_a_gradient():
    x = Tensor(np.array([NAN, 0.5]), requires_grad=True)
    np.i0(x).sum().backward()
    assert np.isnan(x.grad[0])
    assert x.grad[1] == pytest.approx(0.25789430539089633)  # I1(0.5), from Abramowitz and Stegun


# Functions with a derivative of 0 everywhere, as in PyTorch and JAX.
FLAT = "sign floor ceil trunc round around rint fix spacing floor_divide nextafter"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "described", [d for d in DESCRIBED if d.name not in FLAT.split()], ids=lambda d: d.name
)
def test_an_input_that_makes_a_result_nan_has_no_gradient_of_zero(described):
    for parameters, case in described.with_parameters():
        function = described.plain(parameters)
        for i, array in enumerate(case.arrays):
            if array.size:
                arrays = [a.copy() for a in case.arrays]
                arrays[i].flat[0] = NAN
                assert gradient_of_nan(function, arrays, i) != 0, case.name


def gradient_of_nan(function, arrays, i):
    """The gradient of the first element of an input, passed to it by the results that are NaN."""
    inputs = [Tensor(a, requires_grad=True) for a in arrays]
    try:
        y = concatenated(function(*inputs))
    except (np.linalg.LinAlgError, ValueError):
        return NAN  # an error is not silent
    weights = np.where(np.isnan(y.data), np.sqrt(1.0 + np.arange(y.size)).reshape(y.shape), 0)
    if not weights.any():
        return NAN  # the results do not depend on this element, or ignore NaN
    try:
        return grad(y, inputs[i], weights.astype(y.dtype)).data.flat[0]
    except NoRuleError:
        return NAN  # an error is not silent
