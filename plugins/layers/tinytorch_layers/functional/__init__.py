"""What the layers compute, as functions of Tensors or arrays, named as in torch.nn.functional.

They are pure: what a layer draws or remembers is handed in. So `dropout` takes a mask, and
`batch_norm` knows of no running values.
"""

from tinytorch_layers.functional.affine import linear
from tinytorch_layers.functional.convolution import conv2d
from tinytorch_layers.functional.lookup import embedding
from tinytorch_layers.functional.masking import dropout
from tinytorch_layers.functional.normalization import batch_norm, layer_norm
from tinytorch_layers.functional.pooling import avg_pool2d, max_pool2d

__all__ = [
    "avg_pool2d",
    "batch_norm",
    "conv2d",
    "dropout",
    "embedding",
    "layer_norm",
    "linear",
    "max_pool2d",
]
