"""Errors of layers and functions for images and sequences: each names what was expected."""

import re

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_layers import functional as F

from .cases import PUBLIC_NAMES


def zeros(*shape):
    return np.zeros(shape)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ("Conv1d(1, 1, (3, 3))", TypeError, "kernel_size of Conv1d must be one integer, not (3, 3"),
        ("Conv1d(1, 1, 3, 2, 'same')", ValueError, "requires a stride of 1, not (2,)"),
        ("Conv1d(1, 1, 3, padding='all')", ValueError, "'same', 'valid', or an integer, not 'all'"),
        ("Conv1d(3, 2, 3, groups=2)", ValueError, "groups of Conv1d must divide in_channels"),
        ("Conv2d(1, 1, 3, padding_mode='edge')", ValueError, "'circular', not 'edge'"),
        ("ConvTranspose1d(0, 2, 3)", ValueError, "in_channels of ConvTranspose1d must be positive"),
        ("ConvTranspose2d(1, 2, 3, bias=1)", TypeError, "bias of ConvTranspose2d must be True or"),
        ("ConvTranspose2d(1, 2, 3, 2, output_padding=2)", ValueError, "2 is not less than 2 or 1"),
        ("ConvTranspose2d(1, 2, 3, padding=-1)", ValueError, "padding of ConvTranspose2d must be"),
        ("ConvTranspose2d(1, 2, 3, padding='same')", TypeError, "must be an integer, not 'same'"),
        ("MaxPool1d(3, padding=2)", ValueError, "at most half of the kernel, 3, not 2"),
        ("MaxPool2d(2, return_indices=1)", TypeError, "return_indices of MaxPool2d must be True"),
        ("AvgPool1d(2, ceil_mode='no')", TypeError, "ceil_mode of AvgPool1d must be True or False"),
        ("AvgPool2d(2, count_include_pad=0)", TypeError, "count_include_pad of AvgPool2d must be"),
        ("AvgPool2d(2, divisor_override=0)", ValueError, "divisor_override of AvgPool2d must not"),
        ("AdaptiveAvgPool2d((1, 2, 3))", TypeError, "output_size of AdaptiveAvgPool2d must be one"),
        ("AdaptiveMaxPool1d(0)", ValueError, "output_size of AdaptiveMaxPool1d must be positive"),
        ("AdaptiveMaxPool1d(2, None)", TypeError, "return_indices of AdaptiveMaxPool1d must be"),
        ("ZeroPad1d((1, 2, 3, 4))", ValueError, "padding of ZeroPad1d must be one integer or 2"),
        ("ZeroPad2d((1, 2, 3))", ValueError, "must have two integers for each axis, not (1, 2, 3)"),
        (
            "ReflectionPad2d(1.5)",
            TypeError,
            "padding of ReflectionPad2d must be an integer, not 1.5",
        ),
        ("ConstantPad1d(1, 'a')", TypeError, "value of ConstantPad1d must be a number, not 'a'"),
        ("Upsample()", ValueError, "Upsample needs either size or scale_factor, not None and None"),
        ("Upsample(2, 2)", ValueError, "needs either size or scale_factor, not 2 and 2"),
        ("Upsample(2, mode='cubic')", ValueError, "mode of Upsample must be one of 'nearest'"),
        ("Upsample(2, align_corners=True)", ValueError, "is not for the mode 'nearest'"),
        ("Upsample(2, mode='linear', align_corners=1)", TypeError, "align_corners of Upsample"),
        ("Upsample(2, recompute_scale_factor=True)", ValueError, "is for scale_factor, not for"),
        ("Upsample(0)", ValueError, "size of Upsample must be positive, not 0"),
        ("Upsample(1.5)", TypeError, "size of Upsample must be an integer, not 1.5"),
        ("Upsample(scale_factor='2')", TypeError, "scale_factor of Upsample must be a number"),
        ("PixelShuffle(0)", ValueError, "upscale_factor of PixelShuffle must be positive, not 0"),
        ("ChannelShuffle(0)", ValueError, "groups of ChannelShuffle must be positive, not 0"),
        ("UpsamplingNearest2d()", ValueError, "UpsamplingNearest2d needs either size or"),
        ("PixelUnshuffle(2.0)", TypeError, "downscale_factor of PixelUnshuffle must be an integer"),
        ("Unfold(0)", ValueError, "kernel_size of Unfold must be positive, not 0"),
        ("Fold((1, 2, 3), 2)", TypeError, "output_size of Fold must be one integer, or two"),
        ("Unflatten('a', (1, 2))", TypeError, "dim of Unflatten must be an integer, not 'a'"),
        ("Unflatten(1, 2)", TypeError, "unflattened_size of Unflatten must be a tuple of integers"),
        ("Unflatten(1, (2, -1, -1))", ValueError, "of which one may be -1, not (2, -1, -1)"),
        ("MaxUnpool2d(2, padding=2)", ValueError, "padding of MaxUnpool2d must be at most half"),
    ],
)
def test_invalid_layer_arguments_raise(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        eval(call, PUBLIC_NAMES)


@pytest.mark.parametrize(
    ("call", "shape", "message"),
    [
        ("Conv1d(2, 3, kernel_size=3)", (2, 3, 7), "(N, 2, L) or (2, L), got (2, 3, 7)"),
        ("Conv1d(2, 3, kernel_size=3)", (2, 2), "covers 3 elements, but the padded input has only"),
        ("ConvTranspose1d(2, 3, kernel_size=3)", (7,), "(N, 2, L) or (2, L), got (7,)"),
        ("ConvTranspose2d(2, 3, kernel_size=1, padding=2)", (2, 4, 6), "output of size 0 x 2;"),
        ("MaxPool1d(3)", (1, 2, 3, 4), "(N, C, L) or (C, L), got (1, 2, 3, 4)"),
        ("AvgPool1d(5)", (2, 3), "kernel of AvgPool1d(5) covers 5 elements, but"),
        ("MaxPool2d(9, stride=2, ceil_mode=True)", (1, 1, 1), "covers 9 x 9 pixels, but"),
        ("AdaptiveAvgPool2d(2)", (3, 4), "(N, C, H, W) or (C, H, W), got (3, 4)"),
        ("AdaptiveMaxPool1d(2)", (3, 0), "has no windows in an input of shape (3, 0)"),
        ("ReflectionPad1d(3)", (2, 3), "can add at most 2 elements to axis 1 of an input of shape"),
        ("CircularPad2d(4)", (3, 5), "can add at most 3 elements to axis 0 of an input of shape"),
        ("ReplicationPad1d(1)", (3, 0), "can add at most 0 elements to axis 1"),
        ("ZeroPad1d(-2)", (2, 3), "cannot remove 4 elements from axis 1 of an input of shape (2, "),
        ("ZeroPad2d(1)", (3,), "adds elements to 2 axes, but the input has shape (3,)"),
        (
            "Upsample(size=3, mode='linear')",
            (1, 2, 3, 4),
            "'linear' expects an input of shape (N, C, L)",
        ),
        (
            "Upsample(size=3)",
            (1, 2, 0),
            "'nearest' expects an input of shape (N, C, L) or (N, C, H, W)",
        ),
        ("Upsample(scale_factor=0.1)", (1, 2, 5), "too small for an input of size 5: no pixels"),
        (
            "Upsample(size=(1, 2))",
            (1, 2, 5),
            "size of Upsample(size=(1, 2)) must be one number or 1",
        ),
        ("Upsample(scale_factor=(1, 2, 3))", (1, 2, 5), "must be one number or 1, not (1, 2, 3)"),
        ("PixelShuffle(2)", (3, 1, 1), "(..., C · 2², H, W), got (3, 1, 1)"),
        ("PixelUnshuffle(2)", (3, 4), "(..., C, H · 2, W · 2), got (3, 4)"),
        ("ChannelShuffle(2)", (2, 3), "(N, C · 2, ...), got (2, 3)"),
        ("Unfold(3)", (1, 2, 5), "covers 3 x 3 pixels, but the padded input has only 2 x 5"),
        ("Fold((2, 3), 2)", (4, 3), "(N, C · 4, 2), or without N, got (4, 3)"),
        ("Unflatten(1, (2, 3))", (4, 5), "cannot split axis 1 of an input of shape (4, 5)"),
        ("Unflatten(2, (2, 3))", (4, 5), "needs axis 2 of an input of shape (4, 5)"),
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, Tensor], ids=["array", "Tensor"])
def test_input_of_wrong_shape_raises(kind, call, shape, message):
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        eval(call, PUBLIC_NAMES)(kind(np.zeros(shape)))
    assert call in str(raised.value)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.conv1d(zeros(2, 5), zeros(3, 1, 2)), ValueError, "with groups=1 cannot use"),
        (
            lambda: F.conv2d(zeros(2, 5, 5), zeros(3, 2, 1, 1), groups=0),
            ValueError,
            "groups of conv2d must be positive, not 0",
        ),
        (
            lambda: F.conv_transpose1d(zeros(2, 5), zeros(2, 1, 2), groups=1.0),
            TypeError,
            "groups of conv_transpose1d must be an integer, not 1.0",
        ),
        (lambda: F.conv1d(zeros(2, 5), zeros(3, 2, 6)), ValueError, "kernel of conv1d covers 6"),
        (
            lambda: F.conv_transpose1d(zeros(2, 5), zeros(3, 1, 2)),
            ValueError,
            "expected (C, O / groups, k) with C divisible by groups",
        ),
        (
            lambda: F.conv_transpose2d(zeros(2, 5, 5).astype(int), zeros(2, 1, 2, 2)),
            TypeError,
            "conv_transpose2d expects floating-point numbers, not int64",
        ),
        (lambda: F.pad(zeros(3), (1, 1), "edge"), ValueError, "mode of pad must be one of"),
        (lambda: F.pad(zeros(3), (1, 1), "reflect", 1), ValueError, "is for mode='constant'"),
        (lambda: F.pad(zeros(3), 1), TypeError, "pad of pad must be a tuple of integers, not 1"),
        (lambda: F.pad([1.0], (1, 1)), TypeError, "pad expects a Tensor or an array, not list"),
        (lambda: F.max_pool2d(zeros(1, 4, 4), 2, ceil_mode=1), TypeError, "ceil_mode of max_pool"),
        (lambda: F.adaptive_max_pool1d(zeros(1, 4), 2, 1), TypeError, "return_indices of adaptive"),
        (
            lambda: F.interpolate(zeros(1, 4), 2),
            ValueError,
            "interpolate in mode 'nearest' expects",
        ),
        (
            lambda: F.interpolate(zeros(1, 1, 4).astype(int), 2, mode="linear"),
            TypeError,
            "interpolate expects floating-point numbers, not int64",
        ),
        (
            lambda: F.interpolate(zeros(1, 1, 4), scale_factor=-1),
            ValueError,
            "scale_factor of interpolate must be in (0, inf), not -1",
        ),
        (lambda: F.pixel_shuffle(zeros(3, 1, 1), 2), ValueError, "(..., C · 2², H, W), got (3, 1"),
        (lambda: F.channel_shuffle(zeros(1, 3), 2), ValueError, "(N, C · 2, ...), got (1, 3)"),
        (lambda: F.channel_shuffle(zeros(1, 3), 1.0), TypeError, "groups of channel_shuffle must"),
        (lambda: F.pixel_unshuffle(zeros(3, 1, 1), 2), ValueError, "(..., C, H · 2, W · 2), got"),
        (lambda: F.pixel_shuffle([1], 2), TypeError, "pixel_shuffle expects a Tensor or an array"),
        (
            lambda: F.unfold(zeros(5, 5), 2),
            ValueError,
            "unfold expects an input of shape (N, C, H,",
        ),
        (lambda: F.fold(zeros(4, 3), 2, 2), ValueError, "(N, C · 4, 1), or without N, got (4, 3)"),
        (lambda: F.fold([1.0], 2, 2), TypeError, "fold expects a Tensor or an array, not list"),
        (
            lambda: F.max_unpool1d(zeros(1, 2), zeros(1, 2), 2),
            ValueError,
            "max_unpool1d expects whole numbers of shape (1, 2) as indices",
        ),
        (
            lambda: F.max_unpool1d(zeros(1, 2), np.array([[0, 4]]), 2),
            IndexError,
            "needs indices from 0 to 3 for an output of size 4, got 0 to 4",
        ),
        (
            lambda: F.max_unpool1d(zeros(1, 2), zeros(1, 2).astype(int), 2, output_size=6),
            ValueError,
            "must differ by less than (2,) from (4,) for an input of shape (1, 2), not be 6",
        ),
        (
            lambda: F.max_unpool2d(zeros(1, 1, 1), zeros(1, 1, 1).astype(int), 2, output_size="a"),
            TypeError,
            "output_size of max_unpool2d must be an integer, not 'a'",
        ),
    ],
)
def test_errors_of_functions_name_the_function_and_the_values(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.parametrize("size", [(6, 9), (4, 9), (5, 11)])
def test_output_size_out_of_range_raises(size):
    layer = eval("ConvTranspose2d(1, 1, 3, stride=(1, 2))", PUBLIC_NAMES)
    message = "from (5, 9) to (5, 10) for an input of shape (1, 3, 4), not"
    with pytest.raises(ValueError, match=re.escape(message)):
        layer(zeros(1, 3, 4), size)
