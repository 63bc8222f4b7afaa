"""Cases of layers with sliding windows and of other layers for images: calls and input shapes."""

IMAGE = (2, 2, 5, 6)
SEQUENCE = (2, 2, 7)

CASES = [
    ("Conv1d(2, 3, 3)", SEQUENCE),
    ("Conv1d(2, 4, 2, stride=2, padding=(1,), dilation=2, groups=2, bias=False)", SEQUENCE),
    ("Conv1d(2, 3, 4, padding='same', padding_mode='reflect')", SEQUENCE),
    ("Conv2d(2, 3, (2, 3), stride=2, padding=(2, 1), padding_mode='circular')", IMAGE),
    ("Conv2d(2, 3, 3, padding=2, padding_mode='replicate')", IMAGE),
    ("ConvTranspose1d(2, 3, 3)", SEQUENCE),
    ("ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1)", (2, 2, 3, 4)),
    ("ConvTranspose2d(2, 4, (3, 2), (1, 3), output_padding=(1, 2), groups=2, dilation=2)", IMAGE),
    ("MaxPool1d(3, stride=2, padding=1)", SEQUENCE),
    ("MaxPool2d(2, ceil_mode=True)", IMAGE),
    ("AvgPool1d(3, stride=2, padding=1)", SEQUENCE),
    ("AvgPool2d(3, stride=2, padding=1, count_include_pad=False)", IMAGE),
    ("AvgPool2d((3, 2), (3, 1), (1, 0), ceil_mode=True, divisor_override=5)", IMAGE),
    ("AdaptiveAvgPool1d(3)", SEQUENCE),
    ("AdaptiveAvgPool2d(1)", IMAGE),
    ("AdaptiveMaxPool1d(9)", SEQUENCE),
    ("AdaptiveMaxPool2d((1, 3))", IMAGE),
    ("ZeroPad1d(2)", SEQUENCE),
    ("ZeroPad2d((1, 2, 0, -3))", IMAGE),
    ("ConstantPad2d(1, -2.5)", IMAGE),
    ("ReflectionPad1d((2, 1))", SEQUENCE),
    ("ReflectionPad2d((1, 5, 4, 0))", IMAGE),
    ("ReplicationPad1d(3)", SEQUENCE),
    ("ReplicationPad2d((1, 0, 8, 2))", IMAGE),
    ("CircularPad1d((2, 7))", SEQUENCE),
    ("CircularPad2d((-1, 5, 5, 0))", IMAGE),
    ("Upsample(scale_factor=2)", SEQUENCE),
    ("Upsample((3, 12))", IMAGE),
    ("Upsample(9, mode='nearest-exact')", SEQUENCE),
    ("Upsample(scale_factor=1.5, mode='linear')", SEQUENCE),
    ("Upsample(scale_factor=(1.5, 0.7), mode='bilinear', recompute_scale_factor=True)", IMAGE),
    ("Upsample((8, 4), mode='bilinear', align_corners=True)", IMAGE),
    ("Upsample(scale_factor=(2, 0.7), mode='bicubic')", IMAGE),
    ("Upsample((1, 9), mode='bicubic', align_corners=True)", IMAGE),
    ("UpsamplingNearest2d(scale_factor=3)", IMAGE),
    ("UpsamplingBilinear2d((3, 8))", IMAGE),
    ("ChannelShuffle(2)", (2, 6, 3, 1)),
    ("PixelShuffle(2)", (2, 8, 2, 3)),
    ("PixelUnshuffle(2)", (2, 2, 4, 6)),
    ("Unfold((2, 3), dilation=(2, 1), padding=1, stride=2)", IMAGE),
    ("Fold((3, 4), 2, padding=1, stride=(1, 2))", (2, 8, 12)),
    ("Unflatten(1, (2, 3))", (2, 6, 2)),
    ("Unflatten(-1, (-1, 2))", (2, 6)),
    ("Identity(3, extra=True)", (2, 3)),
]

# Inputs without a batch axis.
UNBATCHED = [
    ("Conv1d(2, 3, 4, padding='same')", (2, 7)),
    ("Conv2d(2, 3, 3, padding=1)", (2, 5, 6)),
    ("ConvTranspose1d(2, 4, 3, 3, 1, 2, groups=2, bias=False)", (2, 7)),
    ("ConvTranspose2d(2, 3, 2, stride=(3, 1), bias=False)", (2, 3, 4)),
    ("MaxPool1d(2, dilation=2, ceil_mode=True)", (2, 7)),
    ("MaxPool2d((2, 3), stride=(3, 2), padding=1, ceil_mode=True)", (2, 5, 6)),
    ("AvgPool1d(3, padding=1, ceil_mode=True, count_include_pad=False)", (2, 7)),
    ("AvgPool2d(2, ceil_mode=True)", (2, 5, 6)),
    ("AdaptiveAvgPool2d((None, 4))", (2, 5, 6)),
    ("AdaptiveMaxPool2d((3, None))", (2, 5, 6)),
    ("ConstantPad1d((2, -1), 1.5)", (2, 7)),
]

# Many values of the inputs of these are equal.
TIES = [
    ("MaxPool1d(3, stride=1, padding=1)", SEQUENCE),
    ("AdaptiveMaxPool2d((3, 4))", IMAGE),
]
