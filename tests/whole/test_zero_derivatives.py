"""A derivative that is zero is zero, not an error: of flat functions, and second derivatives."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_activations.functional import leaky_relu, relu
from tinytorch_autograd import GradientTape, UntrackedError, func, grad, gradcheck, gradgradcheck
from tinytorch_layers.functional import avg_pool2d, embedding, max_pool2d
from tinytorch_losses import l1_loss, nll_loss

X = np.array([1.43, -2.28, 0.31])

# Functions that are constant wherever they are continuous.
FLAT = {
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "rint": np.rint,
    "fix": np.fix,
    "round": np.round,
    "around": np.around,
    "round to decimals": lambda x: np.round(x, 1),
    "x.round()": lambda x: x.round(),
    "x // 2": lambda x: x // 2,
    "2 // x": lambda x: 2 // x,
    "x // y": lambda x: x // (x * x + 1),
    "floor_divide": lambda x: np.floor_divide(x, 2),
    "divmod": lambda x: np.divmod(x, 2)[0],
    "modf": lambda x: np.modf(x)[1],
    "heaviside": lambda x: np.heaviside(x, 0.5),
    "copysign": lambda x: np.copysign(2.0, x),
    "spacing": np.spacing,
    "angle": np.angle,
    "imag": np.imag,
    "norm 0": lambda x: np.linalg.vector_norm(x, ord=0),
    "sign of slogdet": lambda x: np.linalg.slogdet(np.diag(x)).sign,
    "x * 0": lambda x: x * 0,
}

# Functions whose first derivative is constant wherever it exists.
LINEAR = {
    "3 x": lambda x: 3 * x,
    "sum": lambda x: x.sum(),
    "relu": relu,
    "leaky_relu": leaky_relu,
    "abs": abs,
    "fabs": np.fabs,
    "l1_loss": lambda x: l1_loss(x, np.zeros(3)),
    "nll_loss": lambda x: nll_loss(x.reshape(1, 3), np.array([1])),
    "hardtanh": lambda x: np.clip(x, -1, 1),
    "max_pool2d": lambda x: max_pool2d(x.reshape(1, 1, 1, 3), (1, 2)),
    "avg_pool2d": lambda x: avg_pool2d(x.reshape(1, 1, 1, 3), (1, 2)),
    "embedding": lambda x: embedding(np.array([0, 0, 2]), x.reshape(3, 1)),
    "norm 1": lambda x: np.linalg.norm(x, 1),
    "norm inf": lambda x: np.linalg.norm(x, np.inf),
    "x % 2": lambda x: x % 2,
    "2 % x": lambda x: 2 % x,
    "fmod": lambda x: np.fmod(x, 2),
    "copysign": lambda x: np.copysign(x, -1),
    "nextafter": lambda x: np.nextafter(x, 9.0),
    "maximum": lambda x: np.maximum(x, 0),
    "max": np.max,
    "sort": np.sort,
    "median": np.median,
    "nan_to_num": np.nan_to_num,
    "where": lambda x: np.where(x > 0, x, 2 * x),
}


def tracked():
    return Tensor(X, requires_grad=True)


def slope_of(function, x):
    """The first derivative as a Tensor, weighted so that its elements differ."""
    y = function(x)
    weights = np.arange(1.0, y.size + 1).reshape(y.shape)
    return grad((y * weights).sum(), x, create_graph=True)


@pytest.mark.parametrize("name", FLAT)
def test_a_flat_function_has_the_gradient_zero(name):
    x = tracked()
    FLAT[name](x).sum().backward()
    assert x.grad.tolist() == [0, 0, 0]
    assert grad(FLAT[name](x).sum(), x).tolist() == [0, 0, 0]
    assert func.grad(lambda x: FLAT[name](x).sum())(X).tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", [*FLAT, *LINEAR])
def test_the_second_derivative_is_zero(name):
    function = (FLAT | LINEAR)[name]
    zeros = np.zeros((3, 3))
    x = tracked()
    assert grad(slope_of(function, x).sum(), x).tolist() == [0, 0, 0]
    slope_of(function, x).sum().backward()
    assert x.grad.tolist() == [0, 0, 0]
    np.testing.assert_array_equal(func.hessian(lambda x: function(x).sum())(X), zeros)
    rows = func.jacobian(func.jacobian(function))(X)
    assert rows.shape[-2:] == (3, 3)
    assert not rows.any()
    product = func.hvp(lambda x: function(x).sum())(X, np.ones(3))
    assert product.tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", [*FLAT, *LINEAR])
def test_nested_tapes_return_zeros(name):
    function = (FLAT | LINEAR)[name]
    x = Tensor(X)
    with GradientTape() as outer:
        outer.watch(x)
        with GradientTape() as inner:
            inner.watch(x)
            y = function(x).sum()
        slope = inner.gradient(y, x)
    assert outer.gradient(slope, x).tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", [n for n in (*FLAT, *LINEAR) if n != "spacing"])
def test_gradcheck_and_gradgradcheck_accept_them(name):
    function = (FLAT | LINEAR)[name]
    assert gradcheck(function, X)
    assert gradgradcheck(function, X)


def test_a_third_derivative_is_zero_too():
    x = tracked()
    second = grad(slope_of(lambda x: x * x, x).sum(), x, create_graph=True)
    third = grad(second.sum(), x, create_graph=True)
    assert third.tolist() == grad(third.sum(), x).tolist() == [0, 0, 0]


def test_each_gradient_is_connected_to_every_input():
    x, y = tracked(), tracked()
    by_x, by_y = grad((x * y).sum(), [x, y], create_graph=True)
    assert [g.tolist() for g in grad(by_x.sum(), [x, y])] == [[0, 0, 0], [1, 1, 1]]
    assert [g.tolist() for g in grad(by_y.sum(), [x, y])] == [[1, 1, 1], [0, 0, 0]]


def test_a_gradient_is_connected_to_an_input_that_is_not_a_leaf():
    x = tracked()
    y = x * x
    (slope,) = grad([(3 * y).sum()], [y], create_graph=True)
    assert grad(slope.sum(), y, retain_graph=True).tolist() == [0, 0, 0]
    assert grad(slope.sum(), x).tolist() == [0, 0, 0]


def test_an_input_on_which_the_output_does_not_depend_is_still_an_error():
    x, other = tracked(), tracked()
    slope = grad((3 * x).sum(), x, create_graph=True)
    with pytest.raises(UntrackedError, match="do not depend on an input"):
        grad(slope.sum(), other)
    with pytest.raises(UntrackedError, match="do not depend on an input"):
        grad(np.sign(x).sum(), other)
    assert grad(slope.sum(), [x, other], allow_unused=True)[1] is None


@pytest.mark.parametrize(
    "function", [lambda x: x.argmax(), lambda x: x > 0, np.isnan, np.zeros_like, np.argsort]
)
def test_results_that_are_not_numbers_to_differentiate_are_still_untracked(function):
    with pytest.raises(UntrackedError):
        function(tracked()).sum().backward()


def test_a_gradient_of_zero_has_the_dtype_and_shape_of_the_input():
    x = Tensor([[1.5, 2.5]], requires_grad=True)
    (np.floor(x) * Tensor(np.ones((3, 1)))).sum().backward()
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [[0, 0]]


PENALTIES = {
    "norm": np.linalg.norm,
    "norms of rows": lambda g: ((np.linalg.norm(g, axis=1) - 1) ** 2).sum(),
    "root of squares": lambda g: np.sqrt((g**2).sum()),
    "method": lambda g: ((g**2).sum(axis=1).sqrt() - 1).sum(),
    "power of squares": lambda g: (g**2).sum() ** 0.5,
    "sum of squares": lambda g: (g**2).sum(),
    "sum of absolute values": lambda g: abs(g).sum(),
}


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("hidden", [relu, lambda h: relu(h) ** 2, lambda h: np.tanh(relu(h))])
def test_a_gradient_penalty_through_a_dead_unit_is_zero(penalty, hidden):
    weight = Tensor(np.array([[-1.0, -2.0], [-0.5, -1.0]]), requires_grad=True)
    x = Tensor(np.array([[1.0, 1.0]]), requires_grad=True)
    slope = grad(hidden(x @ weight).sum(), x, create_graph=True)
    assert slope.tolist() == [[0, 0]]
    PENALTIES[penalty](slope).backward()
    assert weight.grad.tolist() == [[0, 0], [0, 0]]
    assert x.grad.tolist() == [[0, 0]]


def test_an_infinite_gradient_is_kept_where_the_derivative_is_not_zero():
    x = Tensor(np.array([0.0, 2.0]), requires_grad=True)
    (x**2).backward(np.array([np.inf, np.inf]))
    assert x.grad.tolist() == [0, np.inf]
