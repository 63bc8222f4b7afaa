"""At singular points the derivative is the one stated in the docstring, never a silent NaN."""

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_special as special
from tinytorch_autograd import grad


def first_derivative(function, *points, of=0):
    inputs = [Tensor(np.array([p]), requires_grad=True) for p in points]
    with np.errstate(divide="ignore"):
        return grad(function(*inputs), inputs[of]).item()


@pytest.mark.parametrize(
    ("function", "points", "of", "expected"),
    [
        (special.erfinv, [1.0], 0, np.inf),
        (special.erfinv, [-1.0], 0, np.inf),
        (special.erfcinv, [0.0], 0, -np.inf),
        (special.ndtri, [0.0], 0, np.inf),
        (special.logit, [0.0], 0, np.inf),
        (special.entr, [0.0], 0, np.inf),
        (special.cbrt, [0.0], 0, np.inf),
        (special.i0e, [0.0], 0, 0.0),
        (special.i1e, [0.0], 0, 0.5),
        (special.j1, [0.0], 0, 0.5),
        (special.i1, [0.0], 0, 0.5),
        (special.spence, [1.0], 0, -1.0),
        (special.xlogy, [0.0, 2.0], 1, 0.0),
        (special.xlogy, [0.0, 0.0], 1, 0.0),
        (special.xlogy, [2.0, 0.0], 0, -np.inf),
        (special.xlog1py, [0.0, -1.0], 1, 0.0),
        (special.rel_entr, [0.0, 1.0], 0, -np.inf),
        (special.rel_entr, [0.0, 1.0], 1, 0.0),
        (special.kl_div, [0.0, 1.0], 1, 1.0),
        (special.huber, [1.0, 1.0], 1, 1.0),
        (special.huber, [1.0, 1.0], 0, 0.0),
        (lambda x: special.gammainc(1.0, x), [0.0], 0, 1.0),
        (lambda x: special.gammainc(3.0, x), [0.0], 0, 0.0),
        (lambda x: special.gammainc(0.5, x), [0.0], 0, np.inf),
        (special.rgamma, [0.0], 0, 1.0),
        (special.rgamma, [-3.0], 0, -6.0),
        (special.rgamma, [-20.0], 0, 2432902008176640000.0),
        (special.rgamma, [200.0], 0, 0.0),
        (lambda x: special.pdtr(0, x), [0.0], 0, -1.0),
        (lambda x: special.pdtrc(2, x), [0.0], 0, 0.0),
        (special.log_ndtr, [-1e10], 0, 1e10),
        (special.log_ndtr, [-1e200], 0, 1e200),
        (special.log_ndtr, [1e200], 0, 0.0),
        (special.erf, [1e200], 0, 0.0),
        (special.expit, [1e5], 0, 0.0),
        (special.log_expit, [-1e5], 0, 1.0),
    ],
)
def test_first_derivative(function, points, of, expected):
    assert first_derivative(function, *points, of=of) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("function", "point", "expected"),
    [
        (special.log_ndtr, -1e5, -1.0),
        (special.log_ndtr, 50.0, 0.0),
        (special.erf, 0.0, 0.0),
        (special.spence, 1.0, 0.5),
        (special.ellipk, 0.0, np.pi / 2 * 9 / 32),
        (special.ellipe, 0.0, -np.pi / 2 * 3 / 32),
    ],
)
def test_second_derivative(function, point, expected):
    x = Tensor(np.array([point]), requires_grad=True)
    first = grad(function(x), x, create_graph=True)
    # Cancellation in the second derivative of log Φ: the error grows as x² times the precision.
    assert grad(first, x).item() == pytest.approx(expected, rel=1e-5, abs=1e-12)


def test_the_mixed_derivative_of_xlogy_at_0():
    x, y = (Tensor(np.array(v), requires_grad=True) for v in (0.0, 2.0))
    by_y = grad(special.xlogy(x, y), y, create_graph=True)
    assert by_y.item() == 0
    assert grad(by_y, x).item() == 0.5


def test_logsumexp_of_minus_infinity_has_gradient_0():
    x = Tensor(np.array([[-np.inf, -np.inf], [0.0, -np.inf]]), requires_grad=True)
    special.logsumexp(x, axis=1).backward(np.ones(2))
    np.testing.assert_array_equal(x.grad, [[0, 0], [1, 0]])
