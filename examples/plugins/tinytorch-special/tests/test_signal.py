"""Convolution, compared with SciPy and with numerical differentiation."""

import numpy as np
import pytest
import scipy.signal

from tinytorch_core import Tensor

from tinytorch_special import signal

RANDOM = np.random.default_rng(0)
SHAPES = [
    ((5,), (3,)),
    ((3,), (5,)),
    ((4,), (4,)),
    ((4, 5), (3, 2)),
    ((2, 3, 4), (1, 2, 3)),
    ((1,), (1,)),
]


@pytest.mark.parametrize("method", ["auto", "direct", "fft"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(("one", "other"), SHAPES)
def test_values_and_derivatives(check_derivatives, one, other, mode, method):
    a, b = RANDOM.normal(size=one), RANDOM.normal(size=other)
    found = signal.convolve(Tensor(a), Tensor(b), mode, method=method)
    np.testing.assert_array_equal(found.data, scipy.signal.convolve(a, b, mode, method))
    check_derivatives(lambda a, b: signal.convolve(a, b, mode, method), a, b)


def test_complex_signals(check_derivatives):
    a, b = RANDOM.normal(size=(2, 5)) + 1j * RANDOM.normal(size=(2, 5))
    check_derivatives(lambda a, b: signal.convolve(a, b, "same"), a, b)
    check_derivatives(lambda a: signal.convolve(a, b.real, "valid"), a)


def test_arrays_and_lists_give_arrays():
    np.testing.assert_array_equal(signal.convolve([1.0, 2.0], np.array([1.0, 1.0])), [1, 3, 2])


def test_float32_stays_float32():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    for method in ("direct", "fft"):
        y = signal.convolve(x, [1.0, 1.0], mode="same", method=method)
        assert y.dtype == np.float32


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        (np.ones(3), np.ones((2, 2)), {}, "dimension"),
        (np.ones((3, 2)), np.ones((2, 3)), {"mode": "valid"}, "valid"),
        (np.ones(3), np.ones(2), {"mode": "half"}, "mode"),
    ],
)
def test_wrong_arguments(a, b, options, message):
    with pytest.raises(ValueError, match=message):
        signal.convolve(Tensor(a), b, **options)
