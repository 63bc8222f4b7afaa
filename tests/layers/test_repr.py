"""The repr of a layer is the call that creates it."""

import pytest

from .cases import PUBLIC_NAMES


@pytest.mark.parametrize(
    "text",
    [
        "Linear(4, 3)",
        "Linear(4, 3, bias=False)",
        "Flatten()",
        "Flatten(start_dim=0, end_dim=2)",
        "Dropout(0.25)",
        "LayerNorm(4)",
        "LayerNorm((2, 3), eps=0.1, elementwise_affine=False)",
        "LayerNorm(4, bias=False)",
        "BatchNorm1d(3)",
        "BatchNorm2d(3, eps=0.1, momentum=None, affine=False)",
        "BatchNorm1d(3, affine=False, track_running_stats=False)",
        "BatchNorm2d(3, bias=False)",
        "InstanceNorm1d(3)",
        "InstanceNorm2d(3, eps=0.1, affine=True, track_running_stats=True, bias=False)",
        "GroupNorm(2, 4)",
        "GroupNorm(1, 4, eps=0.1, affine=False)",
        "RMSNorm((2, 3), eps=0.1, elementwise_affine=False)",
        "Embedding(5, 3)",
        "Embedding(5, 3, padding_idx=0)",
        "EmbeddingBag(5, 3)",
        "EmbeddingBag(5, 3, mode='max', include_last_offset=True, padding_idx=0)",
        "Bilinear(2, 3, 4)",
        "Bilinear(2, 3, 4, bias=False)",
        "CosineSimilarity(dim=0, eps=0.1)",
        "PairwiseDistance(p=1.0, keepdim=True)",
        "Conv2d(1, 6, kernel_size=5, padding=2)",
        "Conv2d(2, 4, kernel_size=(3, 1), stride=2, padding='valid', dilation=2, groups=2,"
        " bias=False)",
        "MaxPool2d(2)",
        "MaxPool2d(3, stride=2, padding=1, dilation=2)",
        "AvgPool2d((2, 3), stride=1)",
        "Conv1d(2, 4, kernel_size=3, padding=1, padding_mode='circular')",
        "ConvTranspose1d(2, 4, kernel_size=3, bias=False)",
        "ConvTranspose2d(2, 4, kernel_size=3, stride=2, output_padding=1, dilation=2, groups=2)",
        "MaxPool1d(2, return_indices=True, ceil_mode=True)",
        "AvgPool1d(3, padding=1, count_include_pad=False)",
        "AvgPool2d(2, ceil_mode=True, divisor_override=3)",
        "AdaptiveAvgPool2d((None, 7))",
        "AdaptiveMaxPool1d(4, return_indices=True)",
        "MaxUnpool2d((2, 3), stride=1)",
        "ZeroPad2d((1, 2, 0, -3))",
        "ConstantPad1d(2, value=1.5)",
        "CircularPad1d((1, 2))",
        "Upsample(scale_factor=2, mode='bilinear', align_corners=True)",
        "Upsample(size=(4, 5))",
        "UpsamplingNearest2d(size=3)",
        "UpsamplingBilinear2d(scale_factor=2)",
        "ChannelShuffle(3)",
        "PixelShuffle(2)",
        "PixelUnshuffle(3)",
        "Unfold(2, dilation=2, padding=1, stride=(1, 2))",
        "Fold((4, 5), 2)",
        "Unflatten(1, (2, -1))",
        "Identity()",
    ],
)
def test_repr_of_a_layer_is_the_call_that_creates_it(text):
    assert repr(eval(text, PUBLIC_NAMES)) == text
