"""Convolution and pooling for any geometry: by their definition, and as each other's adjoints."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch_layers import AvgPool2d, Conv2d, MaxPool2d
from tinytorch_layers.functional import conv2d
from tinytorch_layers.functional.convolution import convolve, convolve_back, correlate
from tinytorch_layers.functional.pooling import average, maxima, pick, spread, unpool
from tinytorch_layers.functional.products import inner_product, product
from tinytorch_layers.functional.windows import Windows

from .cases import mixed

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def geometries(draw):
    """Windows, and images with 4 channels on which there is at least one."""
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    padding = draw(st.tuples(*[st.integers(0, 2)] * 4))
    windows = Windows(kernel, stride, padding, dilation)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    padded = [r + draw(st.integers(0, 3)) for r in reach]
    size = [max(n - padding[2 * i] - padding[2 * i + 1], 1) for i, n in enumerate(padded)]
    return windows, mixed((draw(st.integers(0, 2)), 4, *size))


def seen(windows, x, value):
    """What each window sees, taken one by one: an array (N, C, h, w, kh, kw)."""
    top, below, left, right = windows.padding
    around = ((0, 0), (0, 0), (top, below), (left, right))
    padded = np.pad(x, around, constant_values=value)
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
def test_convolution_is_its_definition_and_has_its_adjoints(geometry, groups):
    windows, x = geometry
    weight = mixed((2 * groups, 4 // groups, *windows.kernel))
    out = convolve(x, weight, None, windows, groups)
    views = seen(windows, x, 0)
    for o in range(2 * groups):
        mine = slice(o // 2 * (4 // groups), (o // 2 + 1) * (4 // groups))
        expected = np.einsum("nchwkl,ckl->nhw", views[:, mine], weight[o])
        np.testing.assert_allclose(out[:, o], expected, rtol=1e-12, atol=1e-12)
    g = mixed(out.shape, -1, 1)
    back = convolve_back(g, weight, x.shape[2:], windows, groups)
    assert back.shape == x.shape
    assert dot(back, x) == pytest.approx(dot(g, out), rel=1e-10, abs=1e-10)
    by_weight = correlate(g, x, windows, groups)
    assert by_weight.shape == weight.shape
    assert dot(by_weight, weight) == pytest.approx(dot(g, out), rel=1e-10, abs=1e-10)


@settings(max_examples=60)
@given(geometries())
def test_pooling_is_its_definition_and_has_its_adjoints(geometry):
    windows, x = geometry
    out = average(x, windows)
    np.testing.assert_allclose(out, seen(windows, x, 0).mean(axis=(4, 5)), rtol=1e-12, atol=1e-12)
    g = mixed(out.shape, -1, 1)
    assert dot(spread(g, x.shape[2:], windows), x) == pytest.approx(dot(g, out), abs=1e-10)
    out = maxima(x, windows)
    np.testing.assert_array_equal(out, seen(windows, x, -np.inf).max(axis=(4, 5)))
    back = unpool(g, x, out, windows)
    y = mixed(x.shape, -3, 2)
    assert dot(back, y) == pytest.approx(dot(g, pick(y, x, out, windows)), abs=1e-10)
    if np.isfinite(out).all():
        np.testing.assert_array_equal(pick(x, x, out, windows), out)


@pytest.mark.parametrize("layer", [Conv2d(4, 4, 3, padding=1), MaxPool2d(2), AvgPool2d(2)])
def test_between_layers_the_batch_is_innermost_in_memory(layer):
    images = np.ones((5, 1, 8, 8), np.float32)
    x = Conv2d(1, 4, 3)(images)
    for made in (x, layer(x)):
        assert made.data.transpose(1, 2, 3, 0).flags.c_contiguous


@pytest.mark.parametrize("outputs", [3, 30])
@pytest.mark.parametrize("kinds", [("f4", "f4"), ("f4", "f8"), ("f8", "f4")])
def test_products_in_parts_are_products(outputs, kinds):
    left = mixed((2, outputs, 20)).astype(kinds[0])
    right = mixed((2, 20, 24)).astype(kinds[1])
    found, expected = product(left, right, 4), left @ right
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    found, expected = inner_product(right, found, 4), right @ found.mT
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_convolution_that_is_told_nothing_else_is_a_plain_one():
    x, weight = mixed((2, 3, 5, 5)), mixed((4, 3, 2, 2))
    expected = convolve(x, weight, None, Windows((2, 2)), 1)
    np.testing.assert_array_equal(conv2d(x, weight), expected)
    bias = mixed((4,))
    np.testing.assert_allclose(
        conv2d(x, weight, bias), expected + bias[:, None, None], rtol=1e-14, atol=1e-14
    )
