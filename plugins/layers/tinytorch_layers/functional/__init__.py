"""The functions that the layers compute, on Tensors or arrays, named as in torch.nn.functional.

They have no state: the caller passes in the mask of `dropout`, and the running statistics of
`batch_norm`.
"""

from typing import TYPE_CHECKING

from tinytorch_core.extend import lazy_names

from tinytorch_layers.functional.affine import linear
from tinytorch_layers.functional.attention import scaled_dot_product_attention
from tinytorch_layers.functional.lookup import embedding
from tinytorch_layers.functional.masking import dropout
from tinytorch_layers.functional.normalization import layer_norm

if TYPE_CHECKING:
    from tinytorch_layers.functional.adaptive_pooling import (
        adaptive_avg_pool1d,
        adaptive_avg_pool2d,
        adaptive_max_pool1d,
        adaptive_max_pool2d,
    )
    from tinytorch_layers.functional.bags import embedding_bag
    from tinytorch_layers.functional.bilinear_map import bilinear
    from tinytorch_layers.functional.conv_functions import conv1d, conv2d
    from tinytorch_layers.functional.distances import cosine_similarity, pairwise_distance
    from tinytorch_layers.functional.group_normalization import group_norm, instance_norm, rms_norm
    from tinytorch_layers.functional.interpolation import interpolate
    from tinytorch_layers.functional.padding import pad
    from tinytorch_layers.functional.pixels import (
        channel_shuffle,
        fold,
        pixel_shuffle,
        pixel_unshuffle,
        unfold,
    )
    from tinytorch_layers.functional.pool_functions import (
        avg_pool1d,
        avg_pool2d,
        max_pool1d,
        max_pool2d,
    )
    from tinytorch_layers.functional.running_statistics import batch_norm
    from tinytorch_layers.functional.transposed_functions import conv_transpose1d, conv_transpose2d
    from tinytorch_layers.functional.unpooling import max_unpool1d, max_unpool2d

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "bilinear",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cosine_similarity",
    "dropout",
    "embedding",
    "embedding_bag",
    "fold",
    "group_norm",
    "instance_norm",
    "interpolate",
    "layer_norm",
    "linear",
    "max_pool1d",
    "max_pool2d",
    "max_unpool1d",
    "max_unpool2d",
    "pad",
    "pairwise_distance",
    "pixel_shuffle",
    "pixel_unshuffle",
    "rms_norm",
    "scaled_dot_product_attention",
    "unfold",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "adaptive_pooling": """
            adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d
        """,
        "bags": "embedding_bag",
        "bilinear_map": "bilinear",
        "conv_functions": "conv1d conv2d",
        "distances": "cosine_similarity pairwise_distance",
        "group_normalization": "group_norm instance_norm rms_norm",
        "interpolation": "interpolate",
        "padding": "pad",
        "pixels": "channel_shuffle fold pixel_shuffle pixel_unshuffle unfold",
        "pool_functions": "avg_pool1d avg_pool2d max_pool1d max_pool2d",
        "running_statistics": "batch_norm",
        "transposed_functions": "conv_transpose1d conv_transpose2d",
        "unpooling": "max_unpool1d max_unpool2d",
    },
)
