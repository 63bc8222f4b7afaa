"""Wrong arguments of the functions and layers for sequences, images and cells."""

import numpy as np
import pytest

from tinytorch_layers import (
    AdaptiveMaxPool2d,
    ChannelShuffle,
    ConstantPad2d,
    LayerNorm,
    MaxUnpool2d,
    PixelShuffle,
    RNNCell,
    TransformerEncoder,
    TransformerEncoderLayer,
    Unfold,
    pack_sequence,
)
from tinytorch_layers import functional as F

SIGNAL, IMAGE = np.ones((2, 3, 8)), np.ones((2, 4, 6, 6))
WHOLE_SIGNAL, WHOLE_IMAGE = SIGNAL.astype(int), IMAGE.astype(int)
POSITIONS, FAR = np.zeros((2, 3, 4), int), np.full((2, 4, 3, 3), 99)
LAYER = TransformerEncoderLayer(4, 2, 8)


@pytest.mark.parametrize(
    ("error", "function", "arguments"),
    [
        (TypeError, F.adaptive_avg_pool1d, (WHOLE_SIGNAL, 2)),
        (ValueError, F.adaptive_avg_pool1d, (SIGNAL, 0)),
        (TypeError, F.adaptive_avg_pool2d, (WHOLE_IMAGE, 2)),
        (ValueError, F.adaptive_avg_pool2d, (SIGNAL[0], 2)),
        (ValueError, F.adaptive_max_pool1d, (SIGNAL, 0)),
        (TypeError, F.adaptive_max_pool2d, (WHOLE_IMAGE, 2)),
        (ValueError, F.adaptive_max_pool2d, (IMAGE, 0)),
        (TypeError, F.conv1d, (WHOLE_SIGNAL, np.ones((5, 3, 2)))),
        (TypeError, F.pixel_unshuffle, (IMAGE, 1.5)),
        (TypeError, F.unfold, (IMAGE, 1.5)),
        (TypeError, F.avg_pool1d, (WHOLE_SIGNAL, 2)),
        (ValueError, F.avg_pool1d, (SIGNAL, 99)),
        (TypeError, F.avg_pool2d, (IMAGE, 2, None, 0, False, True, "3")),
        (TypeError, F.max_pool1d, (WHOLE_SIGNAL, 2)),
        (ValueError, F.max_pool1d, (SIGNAL, 99)),
        (ValueError, F.conv_transpose2d, (IMAGE, np.ones((3, 2, 2, 2)))),
        (TypeError, F.max_unpool1d, (np.ones((2, 3, 4), int), POSITIONS, 2)),
        (IndexError, F.max_unpool2d, (np.ones((2, 4, 3, 3)), FAR, 2)),
        (ValueError, F.max_unpool2d, (np.ones((2, 4, 3, 3)), POSITIONS, 2)),
        (TypeError, AdaptiveMaxPool2d, ("2",)),
        (ValueError, AdaptiveMaxPool2d, (0,)),
        (TypeError, ConstantPad2d, ("2", 0.0)),
        (ValueError, ConstantPad2d, (1, np.nan)),
        (TypeError, MaxUnpool2d, (1.5,)),
        (TypeError, RNNCell, (3, 2.5)),
        (TypeError, ChannelShuffle, (1.5,)),
        (TypeError, PixelShuffle, (1.5,)),
        (TypeError, Unfold, (1.5,)),
        (ValueError, TransformerEncoder, (LAYER, 0)),
        (TypeError, TransformerEncoder, (LayerNorm, 2)),
        (TypeError, pack_sequence, (["text"],)),
    ],
)
def test_wrong_arguments(error, function, arguments):
    with pytest.raises(error):
        function(*arguments)
