"""The documented gradients of ops at points where they are not differentiable."""

import warnings

import numpy as np
import pytest

from tinytorch_core import Tensor

RISING = np.array([1.0, 3.0, 3.0])


def gradient(function, *arrays):
    """Return the gradients of the sum of a function's elements."""
    inputs = [Tensor(np.array(a, float), requires_grad=True) for a in arrays]
    function(*inputs).sum().backward()
    found = [x.grad.tolist() for x in inputs]
    return found[0] if len(found) == 1 else found


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (abs, [-2, 0, 3], [-1, 0, 1]),
        (lambda x: x.abs(), [0.0], [0]),
        (lambda x: x.max(), [1, 3, 3], [0, 0.5, 0.5]),
        (lambda x: x.min(), [1, 1, 1, 2], [1 / 3, 1 / 3, 1 / 3, 0]),
        (lambda x: x.max(axis=1), [[1, 1], [2, 3]], [[0.5, 0.5], [0, 1]]),
        (lambda x: x.max(axis=(0, -1)), [[2, 2], [1, 2]], [[1 / 3, 1 / 3], [0, 1 / 3]]),
        (lambda x: x.min(axis=0, keepdims=True), [[1, 4], [1, 3]], [[0.5, 0], [0.5, 1]]),
        (lambda x: x[[0, 0, 2]], [1, 2, 3], [2, 0, 1]),
        (lambda x: x[[0, 0, 2]] * np.array([1, 10, 100]), [1, 2, 3], [11, 0, 100]),
        (lambda x: x[[0, -2, 1], [1, 1, 1]], [[1, 2], [3, 4]], [[0, 2], [0, 1]]),
        (lambda x: x[x > 1], [1, 2, 3], [0, 1, 1]),
        (lambda x: x.prod(), [2, 3, 4], [12, 8, 6]),
        (lambda x: x.prod(), [0, 3, 4], [12, 0, 0]),
        (lambda x: x.prod(), [0, 3, 0], [0, 0, 0]),
        (lambda x: x.prod(axis=1), [[0, 3], [2, 5]], [[3, 0], [5, 2]]),
        (lambda x: x.std(), [2, 2, 2], [0, 0, 0]),
        (lambda x: x.std(axis=1), [[2, 2], [1, 3]], [[0, 0], [-0.5, 0.5]]),
        (lambda x: x.var(), [2, 2, 2], [0, 0, 0]),
        (lambda x: x**0, [0, 2, -1], [0, 0, 0]),
        (lambda x: x**1, [0, 2], [1, 1]),
        (lambda x: x**2, [0, -3], [0, -6]),
        (lambda x: x**3, [0, -2], [0, 12]),
        (lambda x: x ** np.array([0, 1, 2]), [0, 0, 0], [0, 1, 0]),
        (lambda x: 0**x, [1, 2], [0, 0]),
        (lambda x: x.clip(-1, 1), [-2, -1, 0, 1, 2], [0, 1, 1, 1, 0]),
        (lambda x: x.clip(min=0), [-1, 0, 1], [0, 1, 1]),
        (lambda x: x.clip(max=0), [-1, 0, 1], [1, 1, 0]),
        (lambda x: x % 2, [3, -3], [1, 1]),
        (lambda x: (x * 0).sqrt() * 0, [4], [0]),
        (lambda x: x**2.0, [0, 1], [0, 2]),
        (np.tanh, [1000, -1000], [0, 0]),
        (lambda x: np.logaddexp(x, 0), [1000, -1000], [1, 0]),
        (lambda x: x.sum() * 0 + x.mean(axis=0).sum(), [[1, 2], [3, 4]], [[0.5, 0.5]] * 2),
        (lambda x: x.astype(np.float32), [0.1], [1]),
    ],
)
def test_gradient(function, x, expected):
    np.testing.assert_allclose(gradient(function, x), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("function", "arrays", "expected"),
    [
        (np.maximum, ([1, 2, 3], [3, 2, 1]), [[0, 0.5, 1], [1, 0.5, 0]]),
        (np.minimum, ([1, 2, 3], [3, 2, 1]), [[1, 0.5, 0], [0, 0.5, 1]]),
        (np.maximum, (2, [2, 2]), [1, [0.5, 0.5]]),
        (lambda x, y: x**y, ([0, 2], [0, 0]), [[0, 0], [0, np.log(2)]]),
        (lambda x, y: x**y, ([0, 0], [1, 2]), [[1, 0], [0, 0]]),
        (lambda x, low: x.clip(low), ([0, 1], [1, 1]), [[0, 1], [1, 0]]),
        (lambda x, high: x.clip(max=high), ([2, 1], [1, 1]), [[0, 1], [1, 0]]),
        # If min > max, the result is max, which gets the gradient.
        (lambda x, a, b: x.clip(a, b), ([0, 3], [2, 2], [1, 1]), [[0, 0], [0, 0], [1, 1]]),
        (lambda x, y: x % y, ([7, -7], [2, 2]), [[1, 1], [-3, 4]]),
        (lambda x, y: np.where([True, False], x, y), ([1, 2], [3, 4]), [[1, 0], [0, 1]]),
    ],
)
def test_gradients(function, arrays, expected):
    for found, wanted in zip(gradient(function, *arrays), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_0_to_the_0_is_1():
    x = Tensor([0.0], requires_grad=True)
    assert (x**0).tolist() == [1.0]
    assert (x ** Tensor([0.0])).tolist() == [1.0]


def test_ties_share_the_gradient_of_their_own_maximum():
    x = Tensor([[5.0, 5.0], [5.0, 1.0]], requires_grad=True)
    (x.max(axis=0) * np.array([1, 10], np.float32)).sum().backward()
    assert x.grad.tolist() == [[0.5, 10.0], [0.5, 0.0]]


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda x: np.where(x > 0, x, np.nan * np.ones(2)), [1, 2]),
        (lambda x: np.where(x > 0, x.sqrt(), 0), [1, 0]),
        (lambda x: np.where(x > 0, x.sqrt(), 0), [1, -1]),
        (lambda x: np.where(x > 0, x**0.5, 0), [1, 0]),
        (lambda x: np.where(x > 0, x**1.5, 0), [1, 0]),
        (lambda x: np.where(x > 0, x**-1, 0), [1, 0]),
        (lambda x: np.where(x > 0, x**-0.5, 0), [1, 0]),
        (lambda x: np.where(x > 0, np.log(np.where(x > 0, x, 1)), 0), [1, 0]),
    ],
    ids=["nan", "sqrt(0)", "sqrt(-1)", "0**0.5", "0**1.5", "0**-1", "0**-0.5", "log, guarded"],
)
def test_where_gives_gradient_0_to_elements_that_it_does_not_select(function, x):
    with np.errstate(all="ignore"):
        found = gradient(function, x)
    assert np.isfinite(found).all()
    assert found[0] != 0


def test_a_gradient_does_not_depend_on_the_other_elements():
    """A rule may compute differently if an element is 0, with the same result for the others."""

    def root(x):
        return np.where(x > 0, x.sqrt(), 0)

    with np.errstate(all="ignore"):
        alone, together = gradient(root, [-1]), gradient(root, [-1, 0])
    assert together[:1] == alone


def test_the_gradient_of_sqrt_at_0_is_infinite():
    with np.errstate(divide="ignore"):
        assert gradient(lambda x: x.sqrt(), [0, 4]) == [np.inf, 0.25]


@pytest.mark.parametrize("name", ["mean", "var", "std"])
def test_an_empty_reduction_has_an_empty_gradient(name):
    x = Tensor(np.zeros((0, 3)), requires_grad=True)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns about the mean of no elements
        getattr(x, name)(axis=0).sum().backward()
    assert x.grad.shape == (0, 3)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.argmax(),
        lambda x: x.argmin(axis=0),
        lambda x: x > 0,
        lambda x: x == x,
        np.isnan,
        np.nonzero,
        np.argsort,
        lambda x: x.astype(int),
        lambda x: x.astype(bool),
    ],
)
def test_a_nondifferentiable_result_is_not_tracked(function):
    x = Tensor([-1.5, 0.5, 2.0], requires_grad=True)
    out = function(x)
    outs = out if isinstance(out, tuple) else (out,)
    assert not any(o.requires_grad for o in outs)
