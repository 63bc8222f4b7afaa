"""The functions that the layers compute, on Tensors or arrays, named as in torch.nn.functional.

They have no state: the caller passes in the mask of `dropout`, and the running statistics of
`batch_norm`.
"""

from typing import TYPE_CHECKING

from tinytorch_core.extend import lazy_names

from tinytorch_layers.functional.affine import linear
from tinytorch_layers.functional.convolution import conv2d
from tinytorch_layers.functional.lookup import embedding
from tinytorch_layers.functional.masking import dropout
from tinytorch_layers.functional.normalization import layer_norm
from tinytorch_layers.functional.pooling import avg_pool2d, max_pool2d

if TYPE_CHECKING:
    from tinytorch_layers.functional.bags import embedding_bag
    from tinytorch_layers.functional.bilinear_map import bilinear
    from tinytorch_layers.functional.distances import cosine_similarity, pairwise_distance
    from tinytorch_layers.functional.group_normalization import (
        group_norm,
        instance_norm,
        rms_norm,
    )
    from tinytorch_layers.functional.running_statistics import batch_norm

__all__ = [
    "avg_pool2d",
    "batch_norm",
    "bilinear",
    "conv2d",
    "cosine_similarity",
    "dropout",
    "embedding",
    "embedding_bag",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "linear",
    "max_pool2d",
    "pairwise_distance",
    "rms_norm",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "bags": "embedding_bag",
        "bilinear_map": "bilinear",
        "distances": "cosine_similarity pairwise_distance",
        "group_normalization": "group_norm instance_norm rms_norm",
        "running_statistics": "batch_norm",
    },
)
