"""The functions that the layers compute, on Tensors or arrays, named as in torch.nn.functional.

They have no state: the caller passes in the mask of `dropout`, and `batch_norm` always uses the
statistics of its batch.
"""

from tinytorch_layers.functional.affine import linear
from tinytorch_layers.functional.attention import scaled_dot_product_attention
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
    "scaled_dot_product_attention",
]
