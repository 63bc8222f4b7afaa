"""Compiled convolutions and pooling agree with the kernels of tinytorch-layers."""

import numpy as np
import pytest

from tinytorch_layers.functional.convolution import convolve, convolve_transposed, correlate
from tinytorch_layers.functional.pooling import average, maxima, unpool
from tinytorch_layers.functional.windows import windows

from .replay import assert_close, calls_of_numpy, replay_of

pytest.importorskip("llvmlite", reason="the backend native needs llvmlite")

RNG = np.random.default_rng(0)
# (batch, channels, outputs, height, width, kernel, stride, padding)
CASES = [
    (64, 1, 6, 12, 12, 5, 1, 2),
    (16, 3, 4, 7, 9, 3, 1, 1),
    (32, 3, 5, 8, 8, (3, 2), 2, (1, 1)),
    (20, 2, 7, 6, 6, 3, 1, 0),
    (37, 2, 3, 5, 5, 1, 1, 0),
    (16, 2, 2, 3, 3, 5, 1, 2),
    (16, 1, 1, 2, 2, 5, 1, 2),
]
# What is left to NumPy in each case, at most.
LEFT = {
    "convolve_transposed (with a stride)",
    "correlate (a product, by BLAS)",
    "correlate (with elements that are always in the padding)",
}


def images(count, channels, height, width, dtype, batch_last=True):
    if not batch_last:
        return RNG.standard_normal((count, channels, height, width)).astype(dtype)
    return RNG.standard_normal((channels, height, width, count)).astype(dtype).transpose(3, 0, 1, 2)


def check(function, *arrays, only_numpy=frozenset()):
    assert calls_of_numpy(function, *arrays) <= only_numpy
    expected = function(*arrays)
    expected = expected if isinstance(expected, tuple) else (expected,)
    assert_close(replay_of(function, *arrays, backend="native")(*arrays), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolutions_agree_with_the_layers(case, dtype):
    count, channels, outputs, height, width, kernel, stride, padding = case
    geometry = windows("test", kernel, stride, padding)
    weight = RNG.standard_normal((outputs, channels, *geometry.kernel)).astype(dtype)
    bias = RNG.standard_normal(outputs).astype(dtype)
    for batch_last in (True, False):
        x = images(count, channels, height, width, dtype, batch_last)
        size = convolve(x, weight, bias, geometry, 1).shape[2:]
        grad = images(count, outputs, *size, dtype)
        check(lambda x, w, b: convolve(x, w, b, geometry, 1), x, weight, bias)
        check(lambda g, x: correlate(g, x, geometry, 1), grad, x, only_numpy=LEFT)
        check(
            lambda g, w: convolve_transposed(g, w, (height, width), geometry, 1),
            *(grad, weight),
            only_numpy=LEFT,
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4, 3, 6, 6, 2), (16, 2, 7, 9, (2, 3))], ids=str)
def test_pooling_agrees_with_the_layers(shape, dtype):
    *sizes, kernel = shape
    geometry = windows("test", kernel, kernel)
    x = images(*sizes, dtype)
    x[0, 0, 0, 0] = np.nan
    x[1] = 0  # the first of several maxima counts
    largest = maxima(x, geometry)
    grad = images(*largest.shape, dtype)
    check(lambda x: (maxima(x, geometry), average(x, geometry)), x)
    check(lambda g, x, m: unpool(g, x, m, geometry), grad, x, largest)


def test_other_convolutions_are_left_to_numpy():
    x, weight = images(16, 4, 6, 6, np.float32), np.ones((4, 2, 3, 3), np.float32)
    geometry = windows("test", 3)
    grouped = {"convolve (groups or dilation)"}
    check(lambda x, w: convolve(x, w, None, geometry, 2), x, weight, only_numpy=grouped)
    few = {"convolve (a product, by BLAS)"}
    check(lambda x, w: convolve(x, w, None, geometry, 1), x[:3, :2].copy(), weight, only_numpy=few)
