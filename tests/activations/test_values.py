"""The values of the activations, as functions, methods and classes."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tests.together import together
from tinytorch_activations import relu, sigmoid, softmax

from .cases import EXTREMES, POINTS, every_case


@every_case
def test_values_agree_with_the_formula(case):
    np.testing.assert_allclose(case(POINTS), case.expected(POINTS), rtol=1e-13, atol=1e-15)


@every_case
def test_function_method_and_class_agree(case):
    expected = case(POINTS)
    x = Tensor(POINTS)
    assert type(expected) is np.ndarray
    assert type(case.as_class()(POINTS)) is np.ndarray
    methods = [case.as_method(x)] if case.is_op else []
    for found in (case(x), *methods, case.as_class()(x), case.as_class().forward(x)):
        assert type(found) is Tensor
        np.testing.assert_array_equal(found.data, expected)


@every_case
def test_input_is_not_modified(case):
    x = POINTS.copy()
    case(x)
    case(Tensor(x))
    np.testing.assert_array_equal(x, POINTS)


@pytest.mark.peers
@pytest.mark.parametrize("points", [POINTS, EXTREMES, POINTS.reshape(2, 3, 2), np.array(0.5)])
@every_case
def test_values_agree_with_pytorch(torch, case, points):
    expected = case.in_torch(torch, torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(case(Tensor(points)).data, expected, rtol=1e-12, atol=1e-12)


@together("shape", [(), (1,), (0,), (3, 4), (2, 0, 3), (2, 3, 2)])
@together("dtype", [np.float16, np.float32, np.float64])
@every_case
def test_shape_and_floating_dtype_are_kept(case, dtype, shape):
    out = case(Tensor(np.ones(shape, dtype)))
    assert (out.shape, out.dtype) == (shape, dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@every_case
def test_float16_and_float32_are_accurate(case, dtype):
    x = POINTS.astype(dtype)
    expected = case.expected(x.astype(np.float64))
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(case(x), expected, rtol=8 * eps, atol=2 * eps)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
@every_case
def test_integers_become_floating(case, dtype):
    x = np.array([[0, 1, 3], [2, 5, 4]], dtype)
    out = case(Tensor(x))
    if case.function_name == "relu":
        assert out.dtype == np.maximum(x, 0).dtype
    elif case.function_name == "tanh":
        assert out.dtype == np.tanh(x).dtype
    else:
        assert out.dtype == np.float64
    tolerance = 1e-2 if out.dtype == np.float16 else 1e-12
    np.testing.assert_allclose(out.data, case.expected(x.astype(float)), rtol=tolerance)


@every_case
def test_numbers_and_lists_are_converted_to_arrays(case):
    np.testing.assert_array_equal(case([0.5, 2.0]), case(np.array([0.5, 2.0])))
    if "dim" not in case.parameters:
        assert case(0.5) == case(np.array(0.5))


@every_case
def test_nan_gives_nan(case):
    out = case(np.array([[np.nan, 1.0], [2.0, 3.0]]))
    assert np.isnan(out[0, 0])
    assert np.isfinite(out[1, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_case
def test_large_inputs_give_finite_values(case, dtype):
    out = case(Tensor(EXTREMES.astype(dtype)))
    assert np.isfinite(out.data).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_sigmoid_of_large_inputs_is_accurate(dtype):
    x = np.array([-np.inf, -1000, 0, 1000, np.inf], dtype)
    np.testing.assert_array_equal(sigmoid(x), np.array([0, 0, 0.5, 1, 1], dtype))
    tail = np.array([-8.0], dtype)
    np.testing.assert_allclose(sigmoid(tail), np.exp(-8.0) / (1 + np.exp(-8.0)), rtol=1e-3)
    if dtype is np.float64:
        np.testing.assert_allclose(sigmoid(np.array(-40.0)), np.exp(-40.0), rtol=1e-14)


def test_softmax_of_minus_infinity_is_zero():
    x = Tensor([[0.0, -np.inf, 0.0]])
    assert x.softmax().tolist() == [[0.5, 0.0, 0.5]]
    assert x.log_softmax().data[0, 1] == -np.inf


def test_log_softmax_is_finite_where_softmax_underflows():
    x = np.array([0.0, -1e4])
    assert Tensor(x).softmax().data[1] == 0
    assert Tensor(x).log_softmax().data[1] == -1e4


def test_the_axis_of_softmax_can_be_named_as_in_numpy():
    x = np.array([[0.0, 1.0], [2.0, 5.0]])
    expected = softmax(x, dim=0)
    np.testing.assert_array_equal(softmax(x, axis=0), expected)
    np.testing.assert_array_equal(softmax(Tensor(x), axis=0).data, expected)
    np.testing.assert_array_equal(Tensor(x).softmax(axis=0).data, expected)
    with pytest.raises(TypeError, match="dim and axis are two names of one argument"):
        softmax(x, 0, axis=1)


def test_softmax_of_a_number_is_one():
    assert softmax(Tensor(3.0)).item() == 1
    assert softmax(Tensor(3.0), dim=0).item() == 1


def test_relu_of_infinities():
    np.testing.assert_array_equal(relu(np.array([-np.inf, np.inf])), [0, np.inf])
