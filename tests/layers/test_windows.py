"""Convolution and pooling for arbitrary geometries: compared with definitions and adjoints."""

import tracemalloc
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch_layers import AvgPool2d, Conv2d, MaxPool2d
from tinytorch_layers.functional import conv2d, unfolding
from tinytorch_layers.functional.convolution import convolve, convolve_transposed, correlate
from tinytorch_layers.functional.pooling import average, maxima, select, spread, unpool
from tinytorch_layers.functional.windows import Windows

from .cases import mixed

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def geometries(draw):
    """Draw Windows and images with 4 channels that are large enough for one window."""
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    padding = draw(st.tuples(*[st.integers(0, 2)] * 4))
    windows = Windows(kernel, stride, padding, dilation)
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    padded = [e + draw(st.integers(0, 3)) for e in extent]
    size = [max(n - padding[2 * i] - padding[2 * i + 1], 1) for i, n in enumerate(padded)]
    return windows, mixed((draw(st.integers(0, 2)), 4, *size))


def window_pixels(windows, x, value):
    """Return the pixels of all windows, copied one window at a time: (N, C, h, w, kh, kw)."""
    top, bottom, left, right = windows.padding
    border = ((0, 0), (0, 0), (top, bottom), (left, right))
    padded = np.pad(x, border, constant_values=value)
    (kh, kw), (down, right) = windows.kernel, windows.dilation
    size = windows.size("the test", x.shape[2:])
    out = np.empty((*x.shape[:2], *size, kh, kw))
    for i in range(size[0]):
        for j in range(size[1]):
            row, column = i * windows.stride[0], j * windows.stride[1]
            rows, columns = row + down * np.arange(kh), column + right * np.arange(kw)
            out[:, :, i, j] = padded[:, :, rows[:, None], columns]
    return out


def dot(a, b):
    return float((a * b).sum())


# Values that the choices by shape depend on, so that small images lead to each of them.
choices = st.fixed_dictionaries(
    {
        "_BUFFER": st.sampled_from([1, 1000, 1 << 20]),
        "_UNPACKED": st.sampled_from([1, 100, 1_000_000]),
        "_LONGEST": st.sampled_from([1, 3, 256]),
        "_SHORTEST": st.sampled_from([1, 48]),
        "_WIDE": st.sampled_from([0, 32]),
        "_MANY": st.sampled_from([0, 8]),
    }
)


def in_memory_as(order, x):
    """Return `x` unchanged in value, with its axes in the given order in memory."""
    return x.transpose(order).copy().transpose(np.argsort(order))


@settings(max_examples=120)
@given(geometries(), st.sampled_from([1, 2, 4]), choices, st.permutations(range(4)), st.booleans())
def test_convolution_agrees_with_its_definition_and_adjoints(
    geometry, groups, choice, order, reverse
):
    windows, x = geometry
    x = in_memory_as(order, x)[:, :, :, :: -1 if reverse else 1]
    with mock.patch.multiple(unfolding, **choice):
        check_convolution(windows, x, groups, order)


def check_convolution(windows, x, groups, order):
    weight = mixed((2 * groups, 4 // groups, *windows.kernel))
    out = convolve(x, weight, None, windows, groups)
    views = window_pixels(windows, x, 0)
    for o in range(2 * groups):
        group = slice(o // 2 * (4 // groups), (o // 2 + 1) * (4 // groups))
        expected = np.einsum("nchwkl,ckl->nhw", views[:, group], weight[o])
        np.testing.assert_allclose(out[:, o], expected, rtol=1e-12, atol=1e-12)
    g = in_memory_as(order, mixed(out.shape, -1, 1))
    back = convolve_transposed(g, weight, x.shape[2:], windows, groups)
    assert back.shape == x.shape
    assert dot(back, x) == pytest.approx(dot(g, out), rel=1e-10, abs=1e-10)
    by_weight = correlate(g, x, windows, groups)
    assert by_weight.shape == weight.shape
    assert dot(by_weight, weight) == pytest.approx(dot(g, out), rel=1e-10, abs=1e-10)


@settings(max_examples=60)
@given(geometries())
def test_pooling_agrees_with_its_definition_and_adjoints(geometry):
    windows, x = geometry
    out = average(x, windows)
    expected = window_pixels(windows, x, 0).mean(axis=(4, 5))
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)
    g = mixed(out.shape, -1, 1)
    assert dot(spread(g, x.shape[2:], windows), x) == pytest.approx(dot(g, out), abs=1e-10)
    out = maxima(x, windows)
    np.testing.assert_array_equal(out, window_pixels(windows, x, -np.inf).max(axis=(4, 5)))
    back = unpool(g, x, out, windows)
    y = mixed(x.shape, -3, 2)
    assert dot(back, y) == pytest.approx(dot(g, select(y, x, out, windows)), abs=1e-10)
    if np.isfinite(out).all():
        np.testing.assert_array_equal(select(x, x, out, windows), out)


@pytest.mark.parametrize("layer", [Conv2d(4, 4, 3, padding=1), MaxPool2d(2), AvgPool2d(2)])
def test_batch_is_the_innermost_axis_in_memory_between_layers(layer):
    images = np.ones((5, 1, 8, 8), np.float32)
    x = Conv2d(1, 4, 3)(images)
    for output in (x, layer(x)):
        assert output.data.transpose(1, 2, 3, 0).flags.c_contiguous


def test_conv2d_defaults():
    x, weight = mixed((2, 3, 5, 5)), mixed((4, 3, 2, 2))
    expected = convolve(x, weight, None, Windows((2, 2)), 1)
    np.testing.assert_array_equal(conv2d(x, weight), expected)
    bias = mixed((4,))
    np.testing.assert_allclose(
        conv2d(x, weight, bias), expected + bias[:, None, None], rtol=1e-14, atol=1e-14
    )


class ForeignArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An immutable array that implements NumPy's protocols and is not an ndarray."""

    def __init__(self, array):
        self.array = array

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)
    size = property(lambda self: self.array.size)

    def __len__(self):
        return len(self.array)

    def __getitem__(self, key):
        return ForeignArray(self.array[key])

    def reshape(self, shape):
        return ForeignArray(self.array.reshape(shape))

    def transpose(self, axes):
        return ForeignArray(self.array.transpose(axes))

    def swapaxes(self, first, second):
        return ForeignArray(self.array.swapaxes(first, second))

    def __array__(self, dtype=None, copy=None):
        raise TypeError("converted to an ndarray")

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        assert "out" not in options
        return ForeignArray(getattr(ufunc, method)(*map(unwrap, inputs), **options))

    def __array_function__(self, function, types, args, options):
        return ForeignArray(function(*map(unwrap, args), **options))


def unwrap(value):
    if isinstance(value, list | tuple):
        return type(value)(map(unwrap, value))
    return value.array if isinstance(value, ForeignArray) else value


@settings(max_examples=30)
@given(geometries(), st.sampled_from([1, 2, 4]))
def test_convolution_of_foreign_arrays_agrees_with_that_of_ndarrays(geometry, groups):
    windows, x = geometry
    weight, bias = mixed((2 * groups, 4 // groups, *windows.kernel)), mixed((2 * groups,))
    out = convolve(x, weight, bias, windows, groups)
    g = mixed(out.shape, -1, 1)
    for function, arrays, options in (
        (convolve, (x, weight, bias), (windows, groups)),
        (convolve_transposed, (g, weight), (x.shape[2:], windows, groups)),
        (correlate, (g, x), (windows, groups)),
    ):
        found = function(*map(ForeignArray, arrays), *options)
        assert isinstance(found, ForeignArray)
        np.testing.assert_allclose(found.array, function(*arrays, *options), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kinds", [("f4", "f4", "f4"), ("f4", "f8", "f4"), ("f4", "f4", "f8")])
def test_convolution_has_the_common_dtype_of_its_arguments(kinds):
    shapes = ((2, 3, 5, 5), (4, 3, 2, 2), (4,))
    arrays = [mixed(shape).astype(kind) for shape, kind in zip(shapes, kinds, strict=True)]
    assert conv2d(*arrays).dtype == np.result_type(*arrays)
    g = mixed((2, 4, 4, 4)).astype("f4")
    windows = Windows((2, 2))
    back = convolve_transposed(g, arrays[1], (5, 5), windows, 1)
    assert back.dtype == np.result_type(g, arrays[1])
    assert correlate(g, arrays[0], windows, 1).dtype == np.result_type(g, arrays[0])


@pytest.mark.parametrize("groups", [1, 16])
@pytest.mark.parametrize("count", [1, 4, 16])
def test_convolution_needs_little_memory_besides_its_result(count, groups):
    x = np.ones((count, 16, 512 // count, 64), np.float32)  # 2 MiB
    weight = np.ones((16, 16 // groups, 5, 5), np.float32)
    windows = Windows((5, 5), padding=(2, 2, 2, 2))
    for function, arrays in (
        (convolve, (x, weight, None, windows, groups)),
        (convolve_transposed, (x, weight, x.shape[2:], windows, groups)),
        (correlate, (x, x, windows, groups)),
    ):
        function(*arrays)
        tracemalloc.start()
        function(*arrays)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 * 2**20  # all windows together have 50 MiB
