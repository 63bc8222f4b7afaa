"""Derivatives of orders 0 to 3, compared with mpmath at 30 digits."""

import mpmath
import numpy as np
import pytest
import scipy.special

from tinytorch_core import Tensor

import tinytorch_special as special
from tinytorch_autograd import grad

mpmath.mp.dps = 30


def log_abs_gamma(x):
    return mpmath.log(abs(mpmath.gamma(x)))


def ndtr(x):
    return mpmath.ncdf(x)


def lower(a):
    return lambda x: mpmath.gammainc(a, 0, x, regularized=True)


def scaled(function, order, sign):
    return lambda x: function(order, x) * mpmath.exp(sign * x)


def student(t, df=2.5):
    tail = mpmath.betainc(df / 2, 0.5, 0, df / (df + t * t), regularized=True) / 2
    return tail if t < 0 else 1 - tail


# Each row: the function, its mpmath equivalent, and points, including difficult ones.
TABLE = [
    (special.erf, mpmath.erf, [-5.0, -0.3, 0.0, 2.0]),
    (special.erfc, mpmath.erfc, [-1.0, 0.0, 5.0, 20.0]),
    (special.erfcx, lambda x: mpmath.exp(x * x) * mpmath.erfc(x), [-2.0, 0.0, 1.0, 10.0]),
    (special.erfi, mpmath.erfi, [-1.0, 0.0, 2.0]),
    (special.erfinv, mpmath.erfinv, [-0.99, -0.1, 0.5, 0.999]),
    (
        special.dawsn,
        lambda x: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-x * x) * mpmath.erfi(x),
        [-1.0, 0.0, 3.0],
    ),
    (special.ndtr, ndtr, [-8.0, -1.0, 0.0, 3.0]),
    (special.log_ndtr, lambda x: mpmath.log(ndtr(x)), [-30.0, -10.0, -1e-3, 1e-3, 1.0, 6.0]),
    (special.gamma, mpmath.gamma, [-2.5, -0.5, 0.1, 1.0, 5.5]),
    (special.gammaln, log_abs_gamma, [-2.5, 0.01, 1.0, 2.0, 40.0]),
    # The zeros, close to them, and on both sides of the limit between the two formulas.
    (special.rgamma, mpmath.rgamma, [-7.0, -2.0, -2.0001, -1.5, 0.0, 0.499, 0.5, 3.0, 60.0]),
    (lambda x: special.poch(x, 0.5), lambda x: mpmath.rf(x, 0.5), [0.3, 2.0, 50.0]),
    (lambda x: special.poch(2.5, x), lambda x: mpmath.rf(2.5, x), [0.3, 2.0, 10.0]),
    (special.digamma, mpmath.digamma, [-1.5, 0.1, 1.0, 30.0]),
    (lambda x: special.polygamma(2, x), lambda x: mpmath.polygamma(2, x), [-0.5, 0.3, 4.0]),
    (lambda x: special.zeta(3.5, x), lambda q: mpmath.zeta(3.5, q), [0.2, 1.0, 9.0]),
    (lambda x: special.gammainc(2.5, x), lower(2.5), [0.1, 2.0, 12.0]),
    (lambda x: special.gammaincc(0.5, x), lambda x: 1 - lower(0.5)(x), [0.1, 2.0, 9.0]),
    (
        lambda x: special.betainc(2.0, 3.5, x),
        lambda x: mpmath.betainc(2, 3.5, 0, x, regularized=True),
        [0.05, 0.5, 0.9],
    ),
    (
        lambda x: special.betaincc(2.0, 3.5, x),
        lambda x: mpmath.betainc(2, 3.5, x, 1, regularized=True),
        [0.05, 0.5, 0.99],
    ),
    (lambda x: special.stdtr(2.5, x), student, [-20.0, -1.0, 0.5, 3.0]),
    (
        lambda x: special.pdtr(3.7, x),
        lambda x: mpmath.gammainc(4, x, regularized=True),
        [0.1, 2.0, 20.0],
    ),
    (lambda x: special.pdtrc(3, x), lower(4), [0.1, 2.0, 20.0]),
    (special.j0, lambda x: mpmath.besselj(0, x), [-2.0, 0.0, 1.0, 20.0]),
    (special.j1, lambda x: mpmath.besselj(1, x), [-2.0, 0.0, 1.0, 20.0]),
    (lambda x: special.jv(2.5, x), lambda x: mpmath.besselj(2.5, x), [0.5, 7.0]),
    (lambda x: special.jv(-1, x), lambda x: mpmath.besselj(-1, x), [0.5, 7.0]),
    (special.y0, lambda x: mpmath.bessely(0, x), [0.2, 9.0]),
    (special.y1, lambda x: mpmath.bessely(1, x), [0.2, 9.0]),
    (lambda x: special.yn(0, x), lambda x: mpmath.bessely(0, x), [0.2, 9.0]),
    (lambda x: special.yn(3, x), lambda x: mpmath.bessely(3, x), [0.5, 9.0]),
    (lambda x: special.yn(-2, x), lambda x: mpmath.bessely(-2, x), [0.5, 9.0]),
    (special.i0, lambda x: mpmath.besseli(0, x), [-1.0, 0.0, 5.0]),
    (special.i1, lambda x: mpmath.besseli(1, x), [-1.0, 0.0, 5.0]),
    (special.i1e, scaled(mpmath.besseli, 1, -1), [0.1, 5.0]),
    (special.i1e, scaled(mpmath.besseli, 1, 1), [-0.1, -5.0]),
    (lambda x: special.ive(1.5, x), scaled(mpmath.besseli, 1.5, -1), [0.3, 5.0]),
    (special.k0, lambda x: mpmath.besselk(0, x), [0.2, 9.0]),
    (special.k1e, scaled(mpmath.besselk, 1, 1), [0.2, 9.0]),
    (lambda x: special.kve(0.5, x), scaled(mpmath.besselk, 0.5, 1), [0.2, 9.0]),
    (special.expit, lambda x: 1 / (1 + mpmath.exp(-x)), [-40.0, 0.0, 40.0]),
    (special.log_expit, lambda x: -mpmath.log(1 + mpmath.exp(-x)), [-40.0, 0.0, 40.0]),
    (special.exp1, mpmath.e1, [0.1, 3.0, 30.0]),
    (special.expi, mpmath.ei, [-2.0, 0.1, 3.0]),
    (lambda x: special.expn(1, x), lambda x: mpmath.expint(1, x), [0.3, 4.0]),
    # On both sides of the limits of the series, and at the removable singularity.
    (special.spence, lambda x: mpmath.polylog(2, 1 - x), [0.1, 0.874, 0.876, 1.0, 1.1249, 1.13]),
    (special.ellipk, mpmath.ellipk, [-3.0, 0.0, 0.5, 0.9]),
    (special.ellipe, mpmath.ellipe, [-3.0, 0.0, 0.5, 0.9]),
    (special.wrightomega, lambda x: mpmath.lambertw(mpmath.exp(x)).real, [-5.0, 0.0, 3.0]),
    (special.cbrt, lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), [-2.0, 0.01, 8.0]),
]


def derivative(function, x, order):
    """Return the derivative of the given order, by autograd."""
    x = Tensor(np.array(x), requires_grad=True)
    y = function(x)
    for _ in range(order):
        y = grad(y.sum(), x, create_graph=True)
    return y.data


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("function", "reference", "points"), TABLE, ids=[str(i) for i in range(len(TABLE))]
)
def test_agrees_with_mpmath(function, reference, points, order):
    expected = [float(mpmath.diff(reference, mpmath.mpf(x), order)) for x in points]
    # Cancellation costs the third derivative a few digits.
    np.testing.assert_allclose(derivative(function, points, order), expected, rtol=1e-7, atol=1e-13)


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("yn", 1),
        ("stdtr", 1),
        ("betaincc", 2),
        ("jv", 1),
        ("yv", 1),
        ("iv", 1),
        ("ive", 1),
        ("kv", 1),
        ("kve", 1),
        ("gammainc", 1),
        ("gammaincc", 1),
        ("gammaincinv", 1),
        ("gammainccinv", 1),
        ("betainc", 2),
        ("betaincinv", 2),
        ("zeta", 1),
        ("hyp0f1", 1),
        ("hyp1f1", 2),
        ("hyperu", 2),
        ("hyp2f1", 3),
    ],
)
def test_a_missing_derivative_raises_an_error_that_names_the_parameter(name, constants):
    function = getattr(special, name)
    for position in range(constants):
        first = 1.0 if name == "yn" else 1.5  # SciPy warns if the order of yn is not whole
        inputs = [first + 0.25 * i for i in range(constants)] + [np.array([0.25, 0.5])]
        inputs[position] = Tensor(np.array(inputs[position]), requires_grad=True)
        y = function(*inputs)
        assert y.requires_grad
        with pytest.raises(
            NotImplementedError, match=rf"{name}\(\) with respect to '\w+' .*detach"
        ):
            y.sum().backward()


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("erf", mpmath.erf),
        ("erfc", mpmath.erfc),
        ("erfcx", lambda z: mpmath.exp(z * z) * mpmath.erfc(z)),
        ("erfi", mpmath.erfi),
        ("dawsn", lambda z: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-z * z) * mpmath.erfi(z)),
    ],
)
def test_complex_derivatives_agree_with_mpmath(name, reference, order):
    points = [0.5 + 1j, -1.25 - 0.5j, 2j, 1.5]
    expected = [mpmath.diff(reference, mpmath.mpc(z), order) for z in points]
    # The gradient of the real part of f(z) is the conjugate of f'(z).
    z = Tensor(np.array(points, complex), requires_grad=True)
    y = getattr(special, name)(z)
    for _ in range(order):
        y = np.conj(grad(np.real(y).sum(), z, create_graph=True))
    np.testing.assert_allclose(y.data, np.array(expected, complex), rtol=1e-9, atol=1e-12)
    scipys = getattr(scipy.special, name)(z)
    assert scipys.grad_fn.op.name == f"special_{name}"


def test_complex64_stays_complex64():
    z = Tensor(np.array([0.5 + 1j], np.complex64), requires_grad=True)
    special.erf(z).backward(np.ones(1, np.complex64))
    assert z.grad.dtype == np.complex64


def test_an_order_may_be_a_broadcast_array():
    x = Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
    special.jv(np.array([[0.0], [1.5]]), x).sum().backward()
    expected = sum(derivative(lambda x, v=v: special.jv(v, x), x.data, 1) for v in (0.0, 1.5))
    np.testing.assert_allclose(x.grad, expected, rtol=1e-13)


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_gradient_of_logsumexp_is_the_softmax(axis, keepdims):
    values = np.array([[1000.0, 1001.0, 999.0], [0.0, -1000.0, 1.0]])
    x = Tensor(values, requires_grad=True)
    special.logsumexp(x, axis=axis, keepdims=keepdims).sum().backward()
    expected = np.exp(values - special.logsumexp(values, axis=axis, keepdims=True))
    np.testing.assert_allclose(x.grad, expected)
