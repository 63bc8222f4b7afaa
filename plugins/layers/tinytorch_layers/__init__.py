"""Neural network layers and modules for the TinyTorch Tensor, as a plugin."""

# Imported first: importing the core imports the active plugins, including this one.
import tinytorch_core as _core  # noqa: F401

from tinytorch_layers import functional, init
from tinytorch_layers.module import Module
from tinytorch_layers.modules.containers import Residual, Sequential
from tinytorch_layers.modules.convolution import Conv2d
from tinytorch_layers.modules.dropout import Dropout
from tinytorch_layers.modules.embedding import Embedding
from tinytorch_layers.modules.linear import Dense, Flatten, Linear
from tinytorch_layers.modules.normalization import BatchNorm1d, BatchNorm2d, LayerNorm
from tinytorch_layers.modules.pooling import AvgPool2d, MaxPool2d
from tinytorch_layers.parameter import Parameter
from tinytorch_layers.torch_state import load_torch_state, torch_state

__version__ = "0.1.0"

__all__ = [
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "LayerNorm",
    "Linear",
    "MaxPool2d",
    "Module",
    "Parameter",
    "Residual",
    "Sequential",
    "functional",
    "init",
    "load_torch_state",
    "torch_state",
]
