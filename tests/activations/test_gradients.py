"""The derivatives of the activations: orders 1 to 3, large inputs, kinks, narrow dtypes."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tests.together import together
from tinytorch_activations import (
    celu,
    elu,
    gelu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    relu,
    relu6,
    selu,
    softplus,
    softshrink,
    softsign,
    threshold,
)
from tinytorch_autograd import grad
from tinytorch_autograd.debug.numerical import check_derivative, gradients, random_weights

from .cases import CASES, EXTREMES, POINTS, every_case, every_op


@pytest.mark.parametrize("order", [1, 2, 3])
@every_case
def test_derivative_agrees_with_numerical_differentiation(case, order):
    check_derivative(case, [POINTS], order)


@pytest.mark.parametrize("order", [1, 2, 3])
@every_case
def test_derivative_of_the_cube_agrees_with_numerical_differentiation(case, order):
    # The cube makes higher derivatives of piecewise linear activations nonzero.
    check_derivative(lambda x: case(x) ** 3, [POINTS], order)


@pytest.mark.peers
@every_case
def test_derivatives_agree_with_pytorch(torch, case):
    def ours(x):
        return case(x) * case(x)

    # PyTorch has only the first derivative of hardsigmoid.
    for order in (1,) if case.function_name == "hardsigmoid" else (1, 2, 3):
        weight, directions = random_weights(ours, [POINTS], order - 1)
        found = gradients(ours, [POINTS], weight, directions)
        x = torch.tensor(POINTS, requires_grad=True)
        y = case.in_torch(torch, x) * case.in_torch(torch, x)
        for w in [weight, *(d for (d,) in directions)]:
            (y,) = torch.autograd.grad(y, x, torch.from_numpy(w), create_graph=True)
        tolerance = max(1e-10, case.torch_precision)
        np.testing.assert_allclose(found[0], y.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.peers
@every_case
def test_gradient_of_large_inputs_agrees_with_pytorch(torch, case):
    weight = np.linspace(1, 2, EXTREMES.size)
    (found,) = gradients(case, [EXTREMES], weight)
    x = torch.tensor(EXTREMES, requires_grad=True)
    case.in_torch(torch, x).backward(torch.from_numpy(weight))
    tolerance = case.torch_precision
    np.testing.assert_allclose(found, x.grad.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_case
def test_derivatives_of_large_inputs_are_finite_and_keep_the_dtype(case, dtype):
    points = np.array([*EXTREMES, -1e30, -800, -88, 1e-30, 88, 800, 1e30], dtype)
    weight = np.ones_like(points)
    for order in (1, 2, 3):
        with np.errstate(over="ignore"):  # the square of 1e30
            (found,) = gradients(case, [points], weight, [[weight]] * (order - 1))
        assert found.dtype == dtype
        assert np.isfinite(found).all()


@together("shape", [(), (1,), (0,), (2, 0, 3), (3, 4)])
@together("dtype", [np.float16, np.float32])
@every_case
def test_gradients_keep_a_narrow_dtype_for_arrays_and_tensors(case, dtype, shape):
    x = Tensor(np.full(shape, 0.5, dtype), requires_grad=True)
    ones = np.ones(shape, dtype)
    case(x).backward(ones)
    on_arrays = x.grad
    on_tensors = grad(case(x), x, Tensor(ones), create_graph=True)
    for found in (on_arrays, on_tensors):
        assert (found.shape, found.dtype) == (shape, dtype)
    np.testing.assert_allclose(on_tensors.data, on_arrays, rtol=1e-2)


@pytest.mark.parametrize("name", ["negative_slope", "alpha", "beta", "threshold"])
def test_a_numpy_scalar_parameter_does_not_change_the_dtype(name):
    for case in CASES:
        if name in case.parameters:
            function = type(case)(
                case.function_name,
                case.class_name,
                case.formula,
                {k: np.float64(v) for k, v in case.parameters.items()},
            )
            x = Tensor(POINTS.astype(np.float32), requires_grad=True)
            out = function(x)
            assert out.dtype == np.float32
            out.backward(np.ones_like(x.data))
            assert x.grad.dtype == np.float32


def derivative_at(function, point, order=1):
    """Return the derivative of a function at one point."""
    x = Tensor([point], requires_grad=True)
    out = function(x)
    for i in range(order):
        out = grad(out, x, create_graph=i < order - 1)
    return out.item()


@pytest.mark.parametrize(
    ("function", "point", "expected"),
    [
        (relu, 0.0, 0.0),
        (relu, -0.0, 0.0),
        (leaky_relu, 0.0, 0.01),
        (lambda x: leaky_relu(x, 0.5), 0.0, 0.5),
        (elu, 0.0, 1.0),
        (lambda x: elu(x, 0.5), 0.0, 0.5),
        (lambda x: softplus(x, threshold=0.0), 0.0, 0.5),
        (lambda x: softplus(x, threshold=0.0), 1e-3, 1.0),
        *((hardtanh, end, 0.0) for end in (-1.0, 1.0)),
        *((relu6, end, 0.0) for end in (0.0, 6.0)),
        *((hardsigmoid, end, 0.0) for end in (-3.0, 3.0)),
        (hardswish, -3.0, 0.0),
        (hardswish, 3.0, 1.0),
        *((hardshrink, end, 0.0) for end in (-0.5, 0.5)),
        *((softshrink, end, 0.0) for end in (-0.5, 0.0, 0.5)),
        (lambda x: threshold(x, 1.0, 7.0), 1.0, 0.0),
        (selu, 0.0, 1.7580993),
        (lambda x: celu(x, 2.0), 0.0, 1.0),
        (softsign, 0.0, 1.0),
    ],
)
def test_derivative_at_a_kink_is_as_documented(function, point, expected):
    assert derivative_at(function, point) == pytest.approx(expected, rel=1e-6)


def test_higher_derivatives_of_elu_at_zero_are_those_from_the_left():
    for order in (2, 3):
        assert derivative_at(lambda x: elu(x, 0.5), 0.0, order) == 0.5


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_gelu_handles_inputs_whose_square_overflows(dtype):
    x = Tensor(np.array([-0.9, 0.9], dtype) * np.finfo(dtype).max, requires_grad=True)
    out = gelu(x)
    out.backward(np.ones(2, dtype))
    np.testing.assert_array_equal(out.data, [0, x.data[1]])
    np.testing.assert_array_equal(x.grad, [0, 1])


def test_relu_passes_an_infinite_gradient_only_where_it_is_positive():
    x = Tensor([-1.0, 2.0], requires_grad=True)
    x.relu().backward([1.0, np.inf])
    np.testing.assert_array_equal(x.grad, [0, np.inf])


def test_gradient_of_softmax_at_minus_infinity_is_zero():
    x = Tensor(np.array([0.0, -np.inf, 1.0]), requires_grad=True)
    x.softmax().backward([1.0, 2.0, 3.0])
    assert np.isfinite(x.grad).all()
    assert x.grad[1] == 0


@every_op
def test_node_is_named_after_the_op(case):
    out = case(Tensor(POINTS, requires_grad=True))
    parts = case.function_name.split("_")
    assert type(out.grad_fn).__name__ == "".join(p.capitalize() for p in parts) + "Backward"


@every_case
def test_gradient_does_not_share_memory_with_the_incoming_gradient(case):
    x = Tensor(POINTS, requires_grad=True)
    weight = np.ones_like(POINTS)
    case(x).backward(weight)
    x.grad += 1
    np.testing.assert_array_equal(weight, 1)
