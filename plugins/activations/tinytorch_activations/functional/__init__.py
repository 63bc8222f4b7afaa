"""The activations as functions, named as in torch.nn.functional.

Each function returns a Tensor for a Tensor and an array for an array, and does not change its
input. float16, float32 and float64 keep their dtype; integers and booleans are converted to
float64. Exceptions: `relu` keeps integers, and `tanh` converts integers as np.tanh does.
"""

from tinytorch_activations.functional.gaussian import gelu
from tinytorch_activations.functional.rectifiers import elu, leaky_relu, relu
from tinytorch_activations.functional.sigmoids import sigmoid, silu, softplus, tanh
from tinytorch_activations.functional.softmaxes import log_softmax, softmax

__all__ = [
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
