"""Convolution and pooling for arbitrary geometries: compared with definitions and adjoints."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch_layers import AvgPool2d, Conv2d, MaxPool2d
from tinytorch_layers.functional import conv2d
from tinytorch_layers.functional.convolution import convolve, convolve_transposed, correlate
from tinytorch_layers.functional.pooling import average, maxima, select, spread, unpool
from tinytorch_layers.functional.products import inner_product, product
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


@settings(max_examples=60)
@given(geometries(), st.sampled_from([1, 2, 4]))
def test_convolution_agrees_with_its_definition_and_adjoints(geometry, groups):
    windows, x = geometry
    weight = mixed((2 * groups, 4 // groups, *windows.kernel))
    out = convolve(x, weight, None, windows, groups)
    views = window_pixels(windows, x, 0)
    for o in range(2 * groups):
        group = slice(o // 2 * (4 // groups), (o // 2 + 1) * (4 // groups))
        expected = np.einsum("nchwkl,ckl->nhw", views[:, group], weight[o])
        np.testing.assert_allclose(out[:, o], expected, rtol=1e-12, atol=1e-12)
    g = mixed(out.shape, -1, 1)
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


@pytest.mark.parametrize("outputs", [3, 30])
@pytest.mark.parametrize("kinds", [("f4", "f4"), ("f4", "f8"), ("f8", "f4")])
def test_products_in_parts_agree_with_matmul(outputs, kinds):
    left = mixed((2, outputs, 20)).astype(kinds[0])
    right = mixed((2, 20, 24)).astype(kinds[1])
    found, expected = product(left, right, 4), left @ right
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    found, expected = inner_product(right, found, 4), right @ found.mT
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_conv2d_defaults():
    x, weight = mixed((2, 3, 5, 5)), mixed((4, 3, 2, 2))
    expected = convolve(x, weight, None, Windows((2, 2)), 1)
    np.testing.assert_array_equal(conv2d(x, weight), expected)
    bias = mixed((4,))
    np.testing.assert_allclose(
        conv2d(x, weight, bias), expected + bias[:, None, None], rtol=1e-14, atol=1e-14
    )
