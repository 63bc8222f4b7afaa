"""The activations as functions, named as in torch.nn.functional.

Given a Tensor, each returns a Tensor; given an array, an array. None changes its input. float16,
float32 and float64 stay what they are, and integers and booleans are computed in float64, except
by `relu`, which leaves them integers, and `tanh`, which converts as np.tanh does.
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
