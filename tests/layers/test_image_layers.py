"""What images, sequences and single inputs have in common, positions of maxima, and resizing."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import grad
from tinytorch_devkit import StrictArray, values_of
from tinytorch_layers import (
    Conv1d,
    ConvTranspose1d,
    ConvTranspose2d,
    Fold,
    MaxPool2d,
    Unfold,
)
from tinytorch_layers import functional as F

from .cases import CASES, PUBLIC_NAMES, Case, mixed

X, SINGLE = mixed((2, 2, 5, 6)), mixed((2, 7))


@pytest.mark.parametrize("case", [c for c in CASES if not c.batched], ids=lambda case: case.id)
def test_an_input_without_a_batch_axis_is_a_batch_of_one(case):
    layer, x = case.layer(), case.x()
    np.testing.assert_array_equal(Tensor(layer(x)).data, Tensor(layer(x[None])).data[0])


@pytest.mark.parametrize(
    ("call", "function"),
    [
        ("Conv1d(2, 3, 3, 2, 1)", lambda x, m: F.conv1d(x, m.weight, m.bias, 2, 1)),
        (
            "ConvTranspose1d(2, 4, 3, 2, 1, 1, 2)",
            lambda x, m: F.conv_transpose1d(x, m.weight, m.bias, 2, 1, 1, 2),
        ),
        ("MaxPool1d(3, 2, 1, ceil_mode=True)", lambda x, m: F.max_pool1d(x, 3, 2, 1, 1, True)),
        ("AvgPool1d(3, 2, 1, True, False)", lambda x, m: F.avg_pool1d(x, 3, 2, 1, True, False)),
        ("AdaptiveAvgPool1d(3)", lambda x, m: F.adaptive_avg_pool1d(x, 3)),
        ("AdaptiveMaxPool1d(3)", lambda x, m: F.adaptive_max_pool1d(x, 3)),
        ("ReflectionPad1d((1, 2))", lambda x, m: F.pad(x, (1, 2), "reflect")),
    ],
)
def test_a_function_computes_the_same_as_its_layer(call, function):
    layer = eval(call, PUBLIC_NAMES)
    np.testing.assert_array_equal(Tensor(function(SINGLE, layer)).data, Tensor(layer(SINGLE)).data)


@pytest.mark.parametrize(
    ("layer", "shape", "fan_in"),
    [
        (Conv1d(4, 600, 5, groups=2, generator=0), (600, 2, 5), 10),
        (ConvTranspose1d(600, 4, 5, groups=2, generator=0), (600, 2, 5), 10),
        (ConvTranspose2d(600, 2, (2, 3), generator=0), (600, 2, 2, 3), 12),
    ],
)
def test_initial_weights_are_uniform_as_in_pytorch(layer, shape, fan_in):
    assert layer.weight.shape == shape
    assert np.abs(layer.weight.data).max() == pytest.approx(1 / np.sqrt(fan_in), rel=1e-2)
    assert np.abs(layer.bias.data).max() <= 1 / np.sqrt(fan_in)


def test_the_positions_of_maxima_select_them():
    out, indices = F.max_pool2d(X, 3, 2, 1, ceil_mode=True, return_indices=True)
    assert indices.dtype == np.int64
    assert indices.shape == out.shape == (2, 2, 3, 4)
    planes = X.reshape(2, 2, 30)
    found = np.take_along_axis(planes, indices.reshape(2, 2, -1), -1)
    np.testing.assert_array_equal(found.reshape(out.shape), out)


@pytest.mark.parametrize("size", [(2, 3), (3, 4)])
def test_the_positions_of_adaptive_maxima_select_them(size):
    out, indices = F.adaptive_max_pool2d(X[0], size, return_indices=True)
    found = np.take_along_axis(X[0].reshape(2, 30), indices.reshape(2, -1), -1)
    np.testing.assert_array_equal(found.reshape(out.shape), out)


def test_positions_are_of_the_kind_of_the_input():
    x = Tensor(X, requires_grad=True)
    layer = MaxPool2d(2, return_indices=True)
    out, indices = layer(x)
    assert type(indices) is Tensor
    assert not indices.requires_grad
    np.testing.assert_array_equal(indices.data, layer(X)[1])
    out.sum().backward()
    assert x.grad.sum() == out.size
    _, indices = layer(StrictArray(X))
    assert type(indices) is StrictArray
    np.testing.assert_array_equal(values_of(indices), layer(X)[1])


@pytest.mark.parametrize("kind", [np.asarray, StrictArray])
def test_unpooling_puts_each_maximum_back(kind):
    out, indices = F.max_pool2d(X, 2, return_indices=True)
    values = Tensor(kind(out), requires_grad=True)
    back = F.max_unpool2d(values, kind(indices), 2, output_size=X.shape)
    np.testing.assert_array_equal(values_of(back.data), np.where(np.isin(X, out), X, 0))
    back.backward(kind(X))
    np.testing.assert_array_equal(values_of(values.grad), out)


def test_unpooling_of_sequences_and_of_an_empty_batch():
    out, indices = F.max_pool1d(SINGLE, 3, 2, return_indices=True)
    assert F.max_unpool1d(out, indices, 3, 2).shape == (2, 7)
    empty = F.max_unpool1d(np.zeros((0, 2, 3)), np.zeros((0, 2, 3), int), 3, 2, output_size=8)
    assert empty.shape == (0, 2, 8)


@pytest.mark.parametrize("size", [(11, 17), (13, 18)])
def test_a_transposed_convolution_has_the_requested_size(size):
    layer = ConvTranspose2d(2, 3, 3, stride=(3, 2), padding=(2, 1), output_padding=(0, 1))
    x = np.ones((2, 5, 9), np.float32)
    assert layer(x).shape == (3, 11, 18)
    assert layer(x, size).shape == (3, *size)
    # A part of the largest output, because the size only selects where it ends.
    largest = layer(x, (13, 18)).data
    np.testing.assert_array_equal(layer(x, size).data, largest[:, : size[0], : size[1]])


def test_a_transposed_convolution_is_the_gradient_of_a_convolution():
    x = Tensor(X, requires_grad=True)
    weight = mixed((4, 2, 3, 2))
    out = F.conv2d(x, weight, None, 2, 1)
    out.backward(mixed(out.shape))
    # The first row of pixels that no window covers is at the end.
    back = F.conv_transpose2d(mixed(out.shape), weight, None, 2, 1, (0, 0))
    np.testing.assert_allclose(back, x.grad, rtol=1e-12, atol=1e-12)


def test_unfold_and_a_product_is_a_convolution_and_fold_counts_the_windows():
    weight = mixed((3, 2, 2, 3))
    columns = Unfold((2, 3), stride=2)(X)
    out = np.einsum("ok,nkl->nol", weight.reshape(3, -1), columns).reshape((2, 3, 2, 2))
    np.testing.assert_allclose(out, F.conv2d(X, weight, stride=2), rtol=1e-12, atol=1e-12)
    counts = Fold((3, 3), 2)(Unfold(2)(np.ones((1, 3, 3))))
    assert counts.tolist() == [[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]


def test_padding_and_copying_keep_whole_numbers():
    x = np.arange(3).reshape(1, 1, 3)
    assert F.pad(x, (1, 0), value=7).tolist() == [[[7, 0, 1, 2]]]
    doubled = F.interpolate(x, scale_factor=2)
    assert doubled.dtype == x.dtype
    assert doubled.tolist() == [[[0, 0, 1, 1, 2, 2]]]


def test_padding_with_zeros_returns_the_input_itself():
    assert F.pad(X, (0, 0, 0, 0)) is X


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("constant", [0, 0]), ("reflect", [3, 2]), ("replicate", [4, 4])],
)
def test_removed_elements_can_be_the_edge_that_padding_continues(mode, expected):
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert F.pad(x, (-4, 2), mode).tolist() == expected


def test_a_tuple_of_one_integer_is_for_both_axes():
    found = F.avg_pool2d(X, (2,), padding=(1,), divisor_override=-2)
    np.testing.assert_array_equal(found, -2 * F.avg_pool2d(X, 2, padding=1))


@pytest.mark.parametrize("shape", [(3, 4), (2, 2, 2)])
def test_padding_takes_pairs_for_the_last_axis_first(shape):
    x = mixed(shape)
    for mode, name in (("constant", "constant"), ("replicate", "edge"), ("circular", "wrap")):
        found = F.pad(x, (1, 2, 0, 1), mode)
        widths = [(0, 0)] * (x.ndim - 2) + [(0, 1), (1, 2)]
        np.testing.assert_array_equal(found, np.pad(x, widths, name))


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_copied_pixels_are_the_nearest_ones(mode):
    x = np.arange(5.0).reshape(1, 1, 5)
    shift = 0.5 if mode == "nearest-exact" else 0
    for size in (1, 3, 7, 10, 25):
        found = F.interpolate(x, size, mode=mode)[0, 0]
        expected = np.floor(np.float32((np.arange(size) + shift) * 5 / size))
        np.testing.assert_array_equal(found, expected)


def test_a_factor_that_is_rounded_to_2_counts_as_2_in_the_mode_nearest_as_in_pytorch():
    x = np.arange(4.0).reshape(1, 1, 1, 4)
    found = F.interpolate(x, scale_factor=(1, 2.2))
    assert found.tolist() == [[[[0, 0, 1, 1, 2, 2, 3, 3]]]]
    found = F.interpolate(x, scale_factor=(1, 2.2), mode="nearest-exact")
    assert found.tolist() == [[[[0, 0, 1, 1, 2, 2, 2, 3]]]]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_interpolation_keeps_a_constant_and_the_corners(mode):
    np.testing.assert_allclose(F.interpolate(np.ones((1, 1, 3, 4)), (5, 9), mode=mode), 1)
    corners = np.ix_([0, -1], [0, -1])
    found = F.interpolate(X, (8, 11), mode=mode, align_corners=True)
    np.testing.assert_allclose(found[0, 0][corners], X[0, 0][corners], atol=1e-12)


def test_convolution_of_sequences_copies_nothing_but_the_windows():
    x = Tensor(np.ones((2, 3, 8), np.float32), requires_grad=True)
    out = Conv1d(3, 4, 3)(x)
    names = [type(out.grad_fn).__name__, type(out.grad_fn.next_functions[0]).__name__]
    assert names == ["ReshapeBackward", "Conv2dBackward"]


TWICE = [
    Case("Conv1d(2, 3, 3, padding=1, padding_mode='circular')", (2, 7)),
    Case("Conv2d(2, 3, 2, padding=1, padding_mode='reflect')", (1, 2, 3, 3)),
    Case("ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1)", (1, 2, 2, 3)),
    Case("MaxPool1d(2, ceil_mode=True)", (2, 7)),
    Case("AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)", (1, 1, 4, 4)),
    Case("AdaptiveAvgPool2d((2, 3))", (1, 1, 3, 4)),
    Case("AdaptiveMaxPool2d((2, 3))", (1, 1, 3, 4)),
    Case("ReplicationPad2d((1, 0, 2, 1))", (1, 1, 2, 3)),
    Case("Upsample(scale_factor=2)", (1, 1, 2, 3)),
    Case("Upsample((3, 4), mode='nearest-exact')", (1, 1, 2, 3)),
    Case("Upsample((3, 5), mode='bicubic')", (1, 1, 2, 3)),
    Case("PixelShuffle(2)", (1, 4, 2, 1)),
    Case("Unfold(2, padding=1)", (1, 1, 2, 3)),
    Case("Fold((2, 3), 2)", (1, 4, 2)),
]


@pytest.mark.parametrize("case", TWICE, ids=lambda case: case.id)
def test_second_derivatives_of_foreign_arrays_agree_with_those_of_ndarrays(case):
    layer = case.layer()

    def second(kind):
        x = Tensor(kind(case.x()), requires_grad=True)
        (slope,) = grad((layer(np.exp(x / 2)) ** 3).sum(), [x], create_graph=True)
        return grad((slope * kind(mixed(x.shape))).sum(), [x])[0]

    found = second(StrictArray)
    assert type(found.data) is StrictArray
    np.testing.assert_allclose(
        values_of(found.data), second(np.asarray).data, rtol=1e-11, atol=1e-11
    )
