"""GLU, which halves an axis, and PReLU, which has a parameter: values, derivatives and errors."""

import copy
import re

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_activations import GLU, PReLU, glu, prelu
from tinytorch_autograd.debug.numerical import check_derivative, gradients
from tinytorch_modules import load_torch_state, torch_state

X = np.random.default_rng(0).permutation(np.linspace(-3, 3.25, 24)).reshape(2, 3, 4)
# The shape of the input and of the weight.
SHAPES = [((4,), (1,)), ((), ()), ((2, 3), (3,)), ((2, 3, 2, 2), (3,)), ((0, 3), (3,))]
every_shape = pytest.mark.parametrize(("shape", "weights"), SHAPES)


def points(shape):
    return X.ravel()[: int(np.prod(shape))].reshape(shape)


@pytest.mark.parametrize("dim", [0, -1])
def test_glu_multiplies_one_half_by_the_sigmoid_of_the_other(dim):
    first, second = np.split(X, 2, dim)
    expected = first / (1 + np.exp(-second))
    for found in (glu(X, dim), glu(Tensor(X), dim).data, GLU(dim)(X)):
        np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_glu_agree_with_numerical_differentiation(order):
    check_derivative(lambda x: glu(x) ** 2, [X], order)


def test_glu_of_large_numbers_is_finite_and_keeps_the_dtype():
    x = np.array([3, 2, 1e30, -1e30], np.float32)
    assert glu(x).tolist() == [3, 0]
    found = gradients(glu, [x], np.ones(2, np.float32))
    assert found[0].dtype == np.float32
    assert np.isfinite(found[0]).all()


def test_glu_refuses_what_it_cannot_halve():
    with pytest.raises(ValueError, match=r"shape \(2, 3, 4\) cannot be halved along dim 1"):
        glu(X, 1)
    with pytest.raises(ValueError, match=r"shape \(\) cannot be halved"):
        glu(Tensor(1.0))


@pytest.mark.peers
@pytest.mark.parametrize("dim", [0, -1])
def test_glu_agrees_with_pytorch(torch, dim):
    x = torch.tensor(X, requires_grad=True)
    y = torch.nn.functional.glu(x, dim)
    y.sum().backward()
    np.testing.assert_allclose(glu(X, dim), y.detach().numpy(), rtol=1e-12)
    (found,) = gradients(lambda x: glu(x, dim), [X], np.ones(y.shape))
    np.testing.assert_allclose(found, x.grad.numpy(), rtol=1e-10)


@every_shape
def test_prelu_has_a_slope_for_each_channel(shape, weights):
    x, weight = points(shape), np.linspace(0.1, 0.5, int(np.prod(weights))).reshape(weights)
    slopes = weight.reshape(-1, *[1] * (x.ndim - 2)) if weight.size > 1 else weight.reshape(())
    expected = np.where(x > 0, x, slopes * x)
    np.testing.assert_array_equal(prelu(x, weight), expected)
    np.testing.assert_array_equal(prelu(Tensor(x), Tensor(weight)).data, expected)


@pytest.mark.parametrize("order", [1, 2, 3])
@every_shape
def test_derivatives_of_prelu_agree_with_numerical_differentiation(shape, weights, order):
    arrays = [points(shape), np.full(weights, 0.3)]
    check_derivative(lambda x, weight: prelu(x, weight) ** 3, arrays, order)


@pytest.mark.peers
@every_shape
def test_prelu_agrees_with_pytorch(torch, shape, weights):
    arrays = [points(shape), np.full(weights, 0.3)]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = torch.nn.functional.prelu(*theirs)
    weight = np.linspace(1, 2, y.numel()).reshape(shape)
    y.backward(torch.tensor(weight))
    np.testing.assert_array_equal(prelu(*arrays), y.detach().numpy())
    for found, expected in zip(gradients(prelu, arrays, weight), theirs, strict=True):
        np.testing.assert_allclose(found, expected.grad.numpy(), rtol=1e-12)


def test_prelu_of_no_channels():
    x = np.zeros((2, 0, 3))
    assert prelu(x, np.zeros(0)).shape == x.shape


def test_prelu_at_zero_has_the_derivative_of_the_negative_side():
    x, weight = Tensor([0.0, np.inf], requires_grad=True), Tensor([0.25], requires_grad=True)
    prelu(x, weight).sum().backward()
    assert x.grad.tolist() == [0.25, 1]
    assert weight.grad.tolist() == [0]


def test_the_weight_of_prelu_is_a_parameter_with_the_name_and_value_of_pytorch():
    layer = PReLU(3, init=0.5)
    assert {name: p.tolist() for name, p in layer.named_parameters()} == {"weight": [0.5] * 3}
    load_torch_state(layer, {"weight": np.array([1.0, 2.0, 3.0])})
    assert torch_state(layer)["weight"].tolist() == [1, 2, 3]
    x = Tensor(-np.ones((2, 3), np.float32))
    out = copy.deepcopy(layer)(x)
    assert out.dtype == np.float32
    assert out.tolist() == [[-1, -2, -3]] * 2


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: prelu(X, np.ones(4)), ValueError, "weight has shape (4,), but an input of shape"),
        (lambda: prelu(X, np.ones((1, 3))), ValueError, "takes shape (1,) or (3,)"),
        (lambda: prelu(X[0, 0], np.ones(4)), ValueError, "takes shape (1,) or (1,)"),
        (lambda: PReLU(0), ValueError, "num_parameters of PReLU must be positive, not 0"),
        (lambda: PReLU(1.5), TypeError, "num_parameters of PReLU must be an integer, not 1.5"),
        (lambda: PReLU(init="x"), TypeError, "init must be a number, not str"),
        (lambda: PReLU(init=np.nan), ValueError, "init must be a number, not NaN"),
    ],
)
def test_prelu_refuses_wrong_arguments(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
