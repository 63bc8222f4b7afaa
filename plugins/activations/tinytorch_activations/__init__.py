"""Activation functions for the TinyTorch Tensor: functions, Tensor methods and classes."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, including this one.
from tinytorch_core import Tensor
from tinytorch_core.extend import lazy_names

from tinytorch_activations.functional import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)

if TYPE_CHECKING:
    from tinytorch_activations.modules import (
        ELU,
        GELU,
        Activation,
        LeakyReLU,
        LogSoftmax,
        ReLU,
        Sigmoid,
        SiLU,
        Softmax,
        Softplus,
        Tanh,
    )

__version__ = "0.1.0"

__all__ = [
    "ELU",
    "GELU",
    "Activation",
    "LeakyReLU",
    "LogSoftmax",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "Tensor",
    "elu",
    "gelu",
    "leaky_relu",
    "log_softmax",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "modules": "ELU GELU Activation LeakyReLU LogSoftmax ReLU Sigmoid SiLU "
        "Softmax Softplus Tanh",
    },
)
