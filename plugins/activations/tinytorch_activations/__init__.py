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
    from tinytorch_activations.composed_modules import (
        CELU,
        GLU,
        SELU,
        Hardshrink,
        Hardsigmoid,
        Hardswish,
        Hardtanh,
        LogSigmoid,
        Mish,
        PReLU,
        ReLU6,
        Softmin,
        Softshrink,
        Softsign,
        Tanhshrink,
        Threshold,
    )
    from tinytorch_activations.functional.piecewise import (
        hardshrink,
        hardsigmoid,
        hardswish,
        hardtanh,
        prelu,
        relu6,
        softshrink,
        threshold,
    )
    from tinytorch_activations.functional.smooth import (
        celu,
        glu,
        logsigmoid,
        mish,
        selu,
        softmin,
        softsign,
        tanhshrink,
    )
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
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Activation",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Tensor",
    "Threshold",
    "celu",
    "elu",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "composed_modules": """
            CELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LogSigmoid Mish PReLU ReLU6 SELU
            Softmin Softshrink Softsign Tanhshrink Threshold
        """,
        "functional.piecewise": """
            hardshrink hardsigmoid hardswish hardtanh prelu relu6 softshrink threshold
        """,
        "functional.smooth": "celu glu logsigmoid mish selu softmin softsign tanhshrink",
        "modules": "ELU GELU Activation LeakyReLU LogSoftmax ReLU Sigmoid SiLU "
        "Softmax Softplus Tanh",
    },
)
