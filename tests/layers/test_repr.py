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
        "Embedding(5, 3)",
        "Embedding(5, 3, padding_idx=0)",
        "Conv2d(1, 6, kernel_size=5, padding=2)",
        "Conv2d(2, 4, kernel_size=(3, 1), stride=2, padding='valid', dilation=2, groups=2,"
        " bias=False)",
        "MaxPool2d(2)",
        "MaxPool2d(3, stride=2, padding=1, dilation=2)",
        "AvgPool2d((2, 3), stride=1)",
        "RNN(3, 5, bias=False, nonlinearity='relu')",
        "LSTM(3, 5, num_layers=2, batch_first=True, dropout=0.25, bidirectional=True)",
        "GRU(3, 5)",
        "RNNCell(3, 5, nonlinearity='relu')",
        "LSTMCell(3, 5, bias=False)",
    ],
)
def test_repr_of_a_layer_is_the_call_that_creates_it(text):
    assert repr(eval(text, PUBLIC_NAMES)) == text
