"""The error function used by GELU: accuracy, dtypes, shapes and derivatives."""

import math

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_activations import gelu
from tinytorch_activations.functional.error_function import erf
from tinytorch_autograd.debug.numerical import check_derivative

# The ends of each interval of the approximation, the points between, and large values.
ENDS = [s * v for v in (0.46875, 4.0, 6.0) for s in (0.9999999, 1.0, 1.0000001)]
POSITIVE = np.concatenate(
    [ENDS, np.linspace(0, 8, 40_001), np.geomspace(1e-308, 1e300, 5_001), [np.inf]]
)


def test_values_agree_with_the_standard_library():
    expected = np.array([math.erf(v) for v in POSITIVE])
    np.testing.assert_allclose(erf(POSITIVE), expected, rtol=2e-15)
    np.testing.assert_array_equal(erf(-POSITIVE), -erf(POSITIVE))


@pytest.mark.peers("scipy")
def test_values_agree_with_scipy():
    from scipy.special import erf as expected

    random = np.random.default_rng(0).normal(0, 3, 100_000)
    np.testing.assert_allclose(erf(random), expected(random), rtol=2e-15)


def test_special_values():
    np.testing.assert_array_equal(erf(np.array([np.nan, -np.inf, 0.0])), [np.nan, -1, 0])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_float16_and_float32_are_accurate_and_keep_their_dtype(dtype):
    x = np.linspace(-7, 7, 2_001).astype(dtype)
    expected = [math.erf(v) for v in x]
    assert erf(x).dtype == dtype
    np.testing.assert_allclose(erf(x), expected, rtol=4 * float(np.finfo(dtype).eps))
    node = erf(Tensor(x, requires_grad=True)).grad_fn
    assert node.apply(np.ones_like(x))[0].dtype == dtype
    assert node.apply(Tensor(np.ones_like(x)))[0].dtype == dtype


def test_float32_is_within_its_bound():
    x = np.linspace(-4, 4, 200_001, dtype=np.float32)
    error = np.abs(erf(x).astype(np.float64) - [math.erf(v) for v in x])
    assert error.max() <= 4e-7
    assert np.abs(erf(x)).max() <= 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("function", [erf, gelu])
def test_blocks_of_a_large_array_do_not_change_the_result(function, order, dtype):
    # More than two blocks, the last of which is not full.
    x = np.random.default_rng(0).normal(0, 3, (70, 1001)).astype(dtype, order=order)
    x[3, 5] = 0
    rows = np.stack([function(row) for row in x])
    np.testing.assert_array_equal(function(x), rows)
    x, weights = Tensor(x, requires_grad=True), np.cos(x)
    function(x).backward(weights)
    for row, weight, grad in zip(x.data, weights, x.grad, strict=True):
        row = Tensor(row, requires_grad=True)
        function(row).backward(weight)
        np.testing.assert_array_equal(grad, row.grad)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1, 3)])
def test_shape_is_kept(shape):
    assert erf(np.full(shape, 0.5)).shape == shape


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivative_agrees_with_numerical_differentiation(order):
    # 0.46875 and 4 are ends of intervals.
    check_derivative(erf, [np.array([-5.0, -4.0, -1.0, 0.0, 0.3, 0.46875, 2.0, 4.5])], order)
