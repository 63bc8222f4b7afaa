"""Neural network layers and modules for the TinyTorch Tensor, as a plugin."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, including this one.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_layers import functional, init
    from tinytorch_layers.modules.convolution import Conv2d
    from tinytorch_layers.modules.dropout import Dropout
    from tinytorch_layers.modules.embedding import Embedding
    from tinytorch_layers.modules.linear import Dense, Flatten, Linear
    from tinytorch_layers.modules.normalization import BatchNorm1d, BatchNorm2d, LayerNorm
    from tinytorch_layers.modules.pooling import AvgPool2d, MaxPool2d
    from tinytorch_layers.modules.recurrent import GRU, LSTM, RNN
    from tinytorch_layers.modules.recurrent_cells import GRUCell, LSTMCell, RNNCell
    from tinytorch_layers.packing import (
        PackedSequence,
        pack_padded_sequence,
        pack_sequence,
        pad_packed_sequence,
        pad_sequence,
        unpack_sequence,
        unpad_sequence,
    )
    from tinytorch_modules import (
        Module,
        Parameter,
        Residual,
        Sequential,
        load_torch_state,
        manual_seed,
        summary,
        torch_state,
    )

__version__ = "0.1.0"

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "LSTMCell",
    "LayerNorm",
    "Linear",
    "MaxPool2d",
    "Module",
    "PackedSequence",
    "Parameter",
    "RNNCell",
    "Residual",
    "Sequential",
    "functional",
    "init",
    "load_torch_state",
    "manual_seed",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "summary",
    "torch_state",
    "unpack_sequence",
    "unpad_sequence",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "functional": "functional",
        "init": "init",
        "modules.convolution": "Conv2d",
        "modules.dropout": "Dropout",
        "modules.embedding": "Embedding",
        "modules.linear": "Dense Flatten Linear",
        "modules.normalization": "BatchNorm1d BatchNorm2d LayerNorm",
        "modules.pooling": "AvgPool2d MaxPool2d",
        "modules.recurrent": "GRU LSTM RNN",
        "modules.recurrent_cells": "GRUCell LSTMCell RNNCell",
        "packing": """
            PackedSequence pack_padded_sequence pack_sequence pad_packed_sequence pad_sequence
            unpack_sequence unpad_sequence
        """,
        "tinytorch_modules": """
            Module Parameter Residual Sequential load_torch_state manual_seed summary torch_state
        """,
    },
)
