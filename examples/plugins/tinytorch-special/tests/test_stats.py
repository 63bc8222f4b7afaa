"""Probability distributions, compared with scipy.stats and with numerical differentiation."""

import subprocess
import sys

import mpmath
import numpy as np
import pytest
import scipy.stats

from tinytorch_core import Tensor

from tinytorch_autograd import grad
from tinytorch_special import stats

CONTINUOUS = ("pdf", "logpdf", "cdf", "logcdf", "sf", "logsf")
DISCRETE = ("pmf", "logpmf", "cdf", "logcdf", "sf", "logsf")

# Each row: a distribution, valid and invalid shapes.
SHAPES = [
    ("norm", ()),
    ("t", (0.5,)),
    ("t", (3.0,)),
    ("t", (1e5,)),
    ("t", (np.inf,)),
    ("t", (-1.0,)),
    ("chi2", (0.5,)),
    ("chi2", (2,)),
    ("chi2", (7.0,)),
    ("chi2", (0.0,)),
    ("gamma", (0.5,)),
    ("gamma", (1,)),
    ("gamma", (7.0,)),
    ("gamma", (-1.0,)),
    ("beta", (0.5, 0.5)),
    ("beta", (1, 1)),
    ("beta", (2.0, 5.0)),
    ("beta", (2.0, 0.0)),
]
# Inside, outside and at the ends of the supports.
X = np.array([-40.0, -1.5, -0.0, 1e-8, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 10.0, 60.0, np.nan])


def agree(found, expected, rtol=1e-10):
    assert np.shape(found) == np.shape(expected)
    assert np.isscalar(found) == np.isscalar(expected)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-300)


def scipys(distribution, name, *arguments):
    """Return SciPy's value; logarithms near 0 by the complement, as SciPy does from 1.17 on."""
    theirs = getattr(scipy.stats, distribution)
    expected = getattr(theirs, name)(*arguments)
    if name not in ("logcdf", "logsf"):
        return expected
    with np.errstate(divide="ignore"):
        by_complement = np.log1p(-(theirs.sf if name == "logcdf" else theirs.cdf)(*arguments))
    return np.where(expected > -0.5, by_complement, expected)[()]


@pytest.mark.parametrize("where", [(), (0.5,), (0.5, 2.0), (0.0, -1.0)])
@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize(("distribution", "shapes"), SHAPES)
def test_values_are_those_of_scipy(distribution, shapes, name, where):
    function = getattr(getattr(stats, distribution), name)
    for x in (X, 0.25):
        expected = scipys(distribution, name, x, *shapes, *where)
        agree(function(x, *shapes, *where), expected)
        agree(function(Tensor(np.array(x)), *shapes, *where).data[()], expected)


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize(
    ("distribution", "shapes"), [("norm", ()), ("t", (3.0,)), ("gamma", (2.0,)), ("beta", (2, 3))]
)
def test_infinities_are_outside_of_the_support(distribution, shapes, name):
    function = getattr(getattr(stats, distribution), name)
    expected = {"pdf": [0, 0], "cdf": [0, 1], "sf": [1, 0]}[name.removeprefix("log")]
    found = function(np.array([-np.inf, np.inf]), *shapes)
    np.testing.assert_array_equal(np.exp(found) if name.startswith("log") else found, expected)


@pytest.mark.parametrize("loc", [(), (1,)])
@pytest.mark.parametrize("mu", [0, 0.5, 8.0, -1.0])
@pytest.mark.parametrize("name", DISCRETE)
def test_poisson_values_are_those_of_scipy(name, mu, loc):
    k = np.array([-2.0, -0.5, 0.0, 1.0, 1.5, 3.0, 12.0, np.nan])
    expected = scipys("poisson", name, k, mu, *loc)
    agree(getattr(stats.poisson, name)(k, mu, *loc), expected)
    agree(getattr(stats.poisson, name)(Tensor(k), mu, *loc).data, expected)


def test_arguments_broadcast_and_may_be_lists_and_numbers():
    x, df, loc = [0.5, 1.0, 2.0], [[1.0], [4.0]], np.array(0.25)
    for name in ("t", "chi2"):
        ours, theirs = getattr(stats, name), getattr(scipy.stats, name)
        agree(ours.logpdf(x, df, loc, scale=2), theirs.logpdf(x, df, loc, scale=2))
    agree(stats.norm.cdf(1), scipy.stats.norm.cdf(1))
    agree(stats.poisson.pmf([0, 1], 2), scipy.stats.poisson.pmf([0, 1], 2))


@pytest.mark.parametrize(
    ("distribution", "shapes"),
    [
        ("norm", ()),
        ("t", (3.0,)),
        ("chi2", (2,)),
        ("gamma", (2.5,)),
        ("beta", (2.0, 3)),
        ("poisson", (2.5,)),
    ],
)
def test_float32_stays_float32(distribution, shapes):
    x = Tensor([0.0, 0.25, 1.0, 3.0], requires_grad=True)
    for name in DISCRETE if distribution == "poisson" else CONTINUOUS:
        y = getattr(getattr(stats, distribution), name)(x, *shapes, 0.5)
        assert y.dtype == np.float32
        assert stats.norm.pdf(np.float32(0.5)).dtype == np.float32


def test_complex_numbers_are_rejected():
    with pytest.raises(TypeError, match="complex"):
        stats.norm.pdf(1j)


def at(distribution, name):
    return getattr(getattr(stats, distribution), name)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_derivatives_of_the_normal_distribution(check_derivatives, name):
    x, loc, scale = np.array([[-2.5, 0.3, 2.8]]), np.array([[0.25], [-0.5]]), np.array(1.5)
    check_derivatives(at("norm", name), x, loc, scale)


@pytest.mark.parametrize("name", ["pdf", "logpdf"])
@pytest.mark.parametrize(
    ("distribution", "shapes", "x"),
    [
        ("t", [2.5], [-3.0, 0.4, 2.0]),
        ("chi2", [3.5], [0.4, 2.0, 6.0]),
        ("gamma", [2.5], [0.4, 2.0, 6.0]),
        ("beta", [2.5, 1.5], [0.2, 0.5, 0.9]),
    ],
)
def test_derivatives_of_densities_by_every_argument(
    check_derivatives, distribution, shapes, x, name
):
    arrays = [np.array(v) for v in (x, *shapes, 0.05, 1.25)]
    check_derivatives(at(distribution, name), *arrays)


@pytest.mark.parametrize("name", ["cdf", "sf", "logcdf", "logsf"])
@pytest.mark.parametrize(
    ("distribution", "shapes", "x"),
    [
        ("t", [2.5], [-3.0, 0.4, 2.0]),
        ("chi2", [3.5], [0.4, 2.0, 6.0]),
        ("gamma", [2.5], [0.4, 2.0, 6.0]),
        ("beta", [2.5, 1.5], [0.2, 0.5, 0.9]),
    ],
)
def test_derivatives_of_probabilities(check_derivatives, distribution, shapes, x, name):
    def function(x, loc, scale):
        return at(distribution, name)(x, *shapes, loc, scale)

    check_derivatives(function, np.array(x), np.array(0.05), np.array(1.25))


@pytest.mark.parametrize("name", DISCRETE)
def test_derivatives_of_the_poisson_distribution(check_derivatives, name):
    k = np.array([0.0, 1.0, 4.0])
    check_derivatives(lambda mu: at("poisson", name)(k, mu), np.array([[0.7], [3.0]]))


@pytest.mark.parametrize("name", DISCRETE)
def test_poisson_is_constant_between_whole_numbers(name):
    k, mu, loc = (Tensor(v, requires_grad=True) for v in ([0.5, 2.0], 2.5, 0.0))
    at("poisson", name)(k, mu, loc)[1].backward()
    assert mu.grad != 0
    assert k.grad is None or not k.grad.any()
    assert loc.grad is None or loc.grad == 0


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize(("distribution", "shapes"), [("gamma", (2.5,)), ("beta", (0.5, 0.5))])
def test_derivatives_outside_of_the_support_are_0(distribution, shapes, name):
    x = Tensor([-1.0, -1e30, np.inf], requires_grad=True)
    at(distribution, name)(x, *shapes).backward(np.ones(3))
    np.testing.assert_array_equal(x.grad, [0, 0, 0])


@pytest.mark.parametrize("name", ["cdf", "logsf"])
@pytest.mark.parametrize(
    ("distribution", "count"), [("t", 1), ("chi2", 1), ("gamma", 1), ("beta", 2)]
)
def test_a_missing_derivative_by_a_shape_raises_an_error(distribution, count, name):
    for i in range(count):
        shapes = [Tensor(2.0, requires_grad=i == j) for j in range(count)]
        with pytest.raises(NotImplementedError, match=r"with respect to '(df|a|b)' is not impl"):
            at(distribution, name)(0.5, *shapes).backward()


@pytest.mark.parametrize("x", [-200.0, -30.0, 0.0, 30.0])
def test_logcdf_of_the_normal_distribution_in_the_tails(x):
    loc, scale = 0.5, 2.0

    def reference(x):
        return mpmath.log(mpmath.ncdf((x - loc) / scale))

    point = Tensor(np.array(x), requires_grad=True)
    y = stats.norm.logcdf(point, loc, scale)
    with mpmath.workdps(30):
        assert y.item() == pytest.approx(float(reference(mpmath.mpf(x))), rel=1e-12)
        slope = float(mpmath.diff(reference, mpmath.mpf(x)))
    assert grad(y, point).item() == pytest.approx(slope, rel=1e-10)


def test_a_density_at_the_end_of_its_support():
    x = Tensor([0.0], requires_grad=True)
    for density in (stats.gamma.pdf(x, 1.0), stats.chi2.pdf(x, 2.0) * 4):
        assert grad(density, x).item() == -1  # exp(-x) and 2 exp(-x/2)


POINT = np.array([0.2, 0.5, 0.3])
ALPHA = np.array([1.5, 2.0, 0.75])


@pytest.mark.parametrize("name", ["pdf", "logpdf"])
def test_dirichlet(check_derivatives, name):
    ours, theirs = getattr(stats.dirichlet, name), getattr(scipy.stats.dirichlet, name)
    several = np.array([[0.2, 0.1], [0.5, 0.3], [0.3, 0.6]])
    for x in (POINT, POINT[:2], several, several[:2]):
        agree(ours(x, ALPHA), theirs(x, ALPHA))
        agree(ours(Tensor(x), ALPHA).data[()], theirs(x, ALPHA))
    check_derivatives(ours, several[:2], ALPHA)
    assert ours(Tensor([0.1, 0.2, 0.7]), [1.0, 2.0, 3.0]).dtype == np.float32
    assert ours(Tensor([0.1, 0.2, 0.7]), ALPHA).dtype == np.float64


@pytest.mark.parametrize(
    ("x", "alpha", "message"),
    [
        (POINT, -ALPHA, "alpha of dirichlet must be positive"),
        (POINT, ALPHA[:, None], "must have one axis"),
        (POINT[:1], ALPHA, "must have 3 or 2 components"),
        (POINT + 0.1, ALPHA, "sum 1"),
        ([-0.2, 0.5, 0.7], ALPHA, "from 0 to 1"),
        ([0.4, 0.6, 0.0], ALPHA, "0 where alpha is less than 1"),
    ],
)
def test_dirichlet_refuses_what_scipy_refuses(x, alpha, message):
    with pytest.raises(ValueError, match=message):
        stats.dirichlet.logpdf(x, alpha)
    with pytest.raises(ValueError):  # noqa: PT011  # SciPy's own message
        scipy.stats.dirichlet.logpdf(x, alpha)


MEAN = np.array([0.5, -0.25])
COV = np.array([[2.0, 0.6], [0.6, 1.0]])


@pytest.mark.parametrize("name", ["pdf", "logpdf"])
@pytest.mark.parametrize(
    ("x", "mean", "cov"),
    [
        (MEAN + 1, MEAN, COV),
        (np.arange(6.0).reshape(3, 2), MEAN, COV),
        (np.arange(6.0).reshape(3, 1, 2), None, COV),
        (MEAN, [0.0, 0.0], [1.0, 2.0]),
        (MEAN, MEAN, 2.0),
        (np.array([0.5, 1.0, 2.0]), 0.25, 2.0),
        (0.5, None, 1),
    ],
)
def test_values_of_the_multivariate_normal_distribution(x, mean, cov, name):
    ours, theirs = (getattr(s.multivariate_normal, name) for s in (stats, scipy.stats))
    agree(ours(x, mean, cov), theirs(x, mean, cov))
    agree(ours(Tensor(np.array(x)), mean, cov).data[()], theirs(x, mean, cov))


@pytest.mark.parametrize("name", ["pdf", "logpdf"])
def test_derivatives_of_the_multivariate_normal_distribution(check_derivatives, name):
    def function(x, mean, lower):
        return getattr(stats.multivariate_normal, name)(x, mean, lower @ lower.T)

    check_derivatives(function, np.arange(4.0).reshape(2, 2) / 3, MEAN, np.linalg.cholesky(COV))


def test_the_gradient_of_a_covariance_is_symmetric():
    cov = Tensor(COV, requires_grad=True)
    stats.multivariate_normal.logpdf(MEAN + 1, MEAN, cov).backward()
    z = np.linalg.solve(COV, np.ones(2))
    np.testing.assert_allclose(cov.grad, 0.5 * (np.outer(z, z) - np.linalg.inv(COV)), rtol=1e-12)


def test_entropy_of_the_multivariate_normal_distribution():
    agree(
        stats.multivariate_normal.entropy(MEAN, COV),
        scipy.stats.multivariate_normal(MEAN, COV).entropy(),
    )
    cov = Tensor(COV, requires_grad=True)
    stats.multivariate_normal.entropy(cov=cov).backward()
    np.testing.assert_allclose(cov.grad, 0.5 * np.linalg.inv(COV), rtol=1e-12)


@pytest.mark.parametrize("cov", [-COV, [[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.5], [0.0, 1.0]]])
def test_a_covariance_must_be_symmetric_and_positive_definite(cov):
    with pytest.raises(ValueError, match="symmetric and positive definite"):
        stats.multivariate_normal.logpdf(MEAN, MEAN, cov)


def test_the_shapes_of_mean_and_covariance_must_fit():
    with pytest.raises(ValueError, match=r"mean of shape \(2,\) and cov of shape \(3, 3\)"):
        stats.multivariate_normal.logpdf(MEAN, MEAN, np.eye(3))


def test_scipy_stats_is_never_imported_and_stats_on_first_use():
    program = """
import sys
import tinytorch_special as special
assert "tinytorch_special.stats" not in sys.modules
special.stats.norm.pdf(0.0)
import tinytorch_special.stats.gamma as gamma
print(round(gamma.cdf(1.0, 1.0), 6))
assert "scipy.stats" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "0.632121\n", done.stderr
