"""Neural network layers and modules for the TinyTorch Tensor, as a plugin."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, including this one.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_layers import functional, init
    from tinytorch_layers.modules.adaptive_pooling import (
        AdaptiveAvgPool1d,
        AdaptiveAvgPool2d,
        AdaptiveMaxPool1d,
        AdaptiveMaxPool2d,
    )
    from tinytorch_layers.modules.attention import MultiheadAttention
    from tinytorch_layers.modules.cache import KeyValueCache
    from tinytorch_layers.modules.convolution import (
        Conv1d,
        Conv2d,
        ConvTranspose1d,
        ConvTranspose2d,
    )
    from tinytorch_layers.modules.dropout import Dropout
    from tinytorch_layers.modules.embedding import Embedding, EmbeddingBag
    from tinytorch_layers.modules.group_normalization import (
        GroupNorm,
        InstanceNorm1d,
        InstanceNorm2d,
        RMSNorm,
    )
    from tinytorch_layers.modules.linear import Dense, Flatten, Linear
    from tinytorch_layers.modules.normalization import BatchNorm1d, BatchNorm2d, LayerNorm
    from tinytorch_layers.modules.padding import (
        CircularPad1d,
        CircularPad2d,
        ConstantPad1d,
        ConstantPad2d,
        ReflectionPad1d,
        ReflectionPad2d,
        ReplicationPad1d,
        ReplicationPad2d,
        ZeroPad1d,
        ZeroPad2d,
    )
    from tinytorch_layers.modules.pairs import Bilinear, CosineSimilarity, PairwiseDistance
    from tinytorch_layers.modules.pooling import (
        AvgPool1d,
        AvgPool2d,
        MaxPool1d,
        MaxPool2d,
        MaxUnpool1d,
        MaxUnpool2d,
    )
    from tinytorch_layers.modules.positions import PositionalEncoding
    from tinytorch_layers.modules.recurrent import GRU, LSTM, RNN
    from tinytorch_layers.modules.recurrent_cells import GRUCell, LSTMCell, RNNCell
    from tinytorch_layers.modules.reshaping import (
        ChannelShuffle,
        Fold,
        Identity,
        PixelShuffle,
        PixelUnshuffle,
        Unflatten,
        Unfold,
    )
    from tinytorch_layers.modules.transformer import (
        Transformer,
        TransformerDecoder,
        TransformerEncoder,
    )
    from tinytorch_layers.modules.transformer_layers import (
        TransformerDecoderLayer,
        TransformerEncoderLayer,
    )
    from tinytorch_layers.modules.upsampling import (
        Upsample,
        UpsamplingBilinear2d,
        UpsamplingNearest2d,
    )
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
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Bilinear",
    "ChannelShuffle",
    "CircularPad1d",
    "CircularPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CosineSimilarity",
    "Dense",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "Fold",
    "GRUCell",
    "GroupNorm",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "KeyValueCache",
    "LSTMCell",
    "LayerNorm",
    "Linear",
    "MaxPool1d",
    "MaxPool2d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "Module",
    "MultiheadAttention",
    "PackedSequence",
    "PairwiseDistance",
    "Parameter",
    "PixelShuffle",
    "PixelUnshuffle",
    "PositionalEncoding",
    "RMSNorm",
    "RNNCell",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "Residual",
    "Sequential",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Unflatten",
    "Unfold",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
    "ZeroPad1d",
    "ZeroPad2d",
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
        "modules.adaptive_pooling": """
            AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d
        """,
        "modules.attention": "MultiheadAttention",
        "modules.cache": "KeyValueCache",
        "modules.convolution": "Conv1d Conv2d ConvTranspose1d ConvTranspose2d",
        "modules.dropout": "Dropout",
        "modules.embedding": "Embedding EmbeddingBag",
        "modules.group_normalization": "GroupNorm InstanceNorm1d InstanceNorm2d RMSNorm",
        "modules.linear": "Dense Flatten Linear",
        "modules.normalization": "BatchNorm1d BatchNorm2d LayerNorm",
        "modules.padding": """
            CircularPad1d CircularPad2d ConstantPad1d ConstantPad2d ReflectionPad1d ReflectionPad2d
            ReplicationPad1d ReplicationPad2d ZeroPad1d ZeroPad2d
        """,
        "modules.pairs": "Bilinear CosineSimilarity PairwiseDistance",
        "modules.pooling": "AvgPool1d AvgPool2d MaxPool1d MaxPool2d MaxUnpool1d MaxUnpool2d",
        "modules.positions": "PositionalEncoding",
        "modules.recurrent": "GRU LSTM RNN",
        "modules.recurrent_cells": "GRUCell LSTMCell RNNCell",
        "modules.reshaping": """
            ChannelShuffle Fold Identity PixelShuffle PixelUnshuffle Unflatten Unfold
        """,
        "modules.transformer": "Transformer TransformerDecoder TransformerEncoder",
        "modules.transformer_layers": "TransformerDecoderLayer TransformerEncoderLayer",
        "modules.upsampling": "Upsample UpsamplingBilinear2d UpsamplingNearest2d",
        "packing": """
            PackedSequence pack_padded_sequence pack_sequence pad_packed_sequence pad_sequence
            unpack_sequence unpad_sequence
        """,
        "tinytorch_modules": """
            Module Parameter Residual Sequential load_torch_state manual_seed summary torch_state
        """,
    },
)
