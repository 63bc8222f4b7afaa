"""Neural network layers and modules for the TinyTorch Tensor, as a plugin."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, including this one.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_layers import functional, init
    from tinytorch_layers.modules.convolution import Conv2d
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
    from tinytorch_layers.modules.pairs import Bilinear, CosineSimilarity, PairwiseDistance
    from tinytorch_layers.modules.pooling import AvgPool2d, MaxPool2d
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
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Bilinear",
    "Conv2d",
    "CosineSimilarity",
    "Dense",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "LayerNorm",
    "Linear",
    "MaxPool2d",
    "Module",
    "PairwiseDistance",
    "Parameter",
    "RMSNorm",
    "Residual",
    "Sequential",
    "functional",
    "init",
    "load_torch_state",
    "manual_seed",
    "summary",
    "torch_state",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "functional": "functional",
        "init": "init",
        "modules.convolution": "Conv2d",
        "modules.dropout": "Dropout",
        "modules.embedding": "Embedding EmbeddingBag",
        "modules.group_normalization": "GroupNorm InstanceNorm1d InstanceNorm2d RMSNorm",
        "modules.linear": "Dense Flatten Linear",
        "modules.normalization": "BatchNorm1d BatchNorm2d LayerNorm",
        "modules.pairs": "Bilinear CosineSimilarity PairwiseDistance",
        "modules.pooling": "AvgPool2d MaxPool2d",
        "tinytorch_modules": """
            Module Parameter Residual Sequential load_torch_state manual_seed summary torch_state
        """,
    },
)
