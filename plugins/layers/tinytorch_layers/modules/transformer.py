"""Stacks of transformer layers, and the encoder-decoder Transformer.

Arguments, names of parameters and initial values are those of PyTorch.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_layers import init
from tinytorch_layers.modules.cache import KeyValueCache
from tinytorch_layers.modules.normalization import LayerNorm
from tinytorch_layers.modules.transformer_layers import (
    Activation,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
)
from tinytorch_modules import Module, random_generator
from tinytorch_modules.arguments import integer

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any


class _Stack(Module):
    """Copies of a layer, one after the other, and optionally a norm at the end."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None = None) -> None:
        name = type(self).__name__
        self.num_layers = integer(name, "num_layers", num_layers)
        if not isinstance(layer, Module):
            raise TypeError(f"the layer of {name} must be a Module, not {layer!r:.60}")
        self.layers = [_copied(layer) for _ in range(self.num_layers)]
        self.norm = norm

    def _run(self, x: Array, *args: Any, **options: Any) -> Array:
        for layer in self.layers:
            x = layer(x, *args, **options)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """A stack of encoder layers.

    Args:
        encoder_layer: a layer; each layer of the stack is a copy of it, with the same initial
            parameters, as in PyTorch. The copies share its random generator, so that their dropout
            masks differ.
        num_layers: the number of layers.
        norm: a module applied at the end, or None.

    Raises:
        TypeError, ValueError: `encoder_layer` is not a Module, or `num_layers` not a positive
            integer.

    >>> model = TransformerEncoder(TransformerEncoderLayer(8, 2, 16, batch_first=True), 3)
    >>> model(np.ones((5, 3, 8), np.float32)).shape
    (5, 3, 8)
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self,
        src: Array,
        mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool | None = None,
        *,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Return the output of the last layer; see `TransformerEncoderLayer.forward`."""
        return self._run(src, mask, src_key_padding_mask, bool(is_causal), cache=cache)


class TransformerDecoder(_Stack):
    """A stack of decoder layers.

    Args:
        decoder_layer: a layer; each layer of the stack is a copy of it, as in
            `TransformerEncoder`.
        num_layers: the number of layers.
        norm: a module applied at the end, or None.

    Raises:
        TypeError, ValueError: `decoder_layer` is not a Module, or `num_layers` not a positive
            integer.

    >>> model = TransformerDecoder(TransformerDecoderLayer(8, 2, 16, batch_first=True), 3)
    >>> x = np.ones((5, 3, 8), np.float32)
    >>> model(x, x).shape
    (5, 3, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Array,
        memory: Array,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
        *,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Return the output of the last layer; see `TransformerDecoderLayer.forward`."""
        return self._run(
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            bool(tgt_is_causal),
            memory_is_causal,
            cache=cache,
        )


class Transformer(Module):
    """An encoder and a decoder, as for translation.

    Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762. Embeddings, positional
    encodings and the last linear layer are not included.

    Args:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, dtype, generator: those of `TransformerEncoderLayer`. All weights
            with two axes have the initial values of `init.xavier_uniform`.
        num_encoder_layers, num_decoder_layers: the numbers of layers.
        custom_encoder, custom_decoder: modules to use instead, or None.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.

    >>> model = Transformer(8, 2, 1, 1, 16, batch_first=True)
    >>> source, target = np.ones((5, 4, 8), np.float32), np.ones((5, 3, 8), np.float32)
    >>> model(source, target, tgt_is_causal=True).shape
    (5, 3, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        rng = random_generator(generator)
        shared = (dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first)

        def stack(kind: Any, layer: Any, count: int) -> Module:
            one = layer(d_model, nhead, *shared, bias, dtype=dtype, generator=rng)
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
            return kind(one, count, norm)

        self.encoder = custom_encoder or stack(
            TransformerEncoder, TransformerEncoderLayer, num_encoder_layers
        )
        self.decoder = custom_decoder or stack(
            TransformerDecoder, TransformerDecoderLayer, num_decoder_layers
        )
        for parameter in self.parameters():
            if parameter.ndim > 1:
                shape = parameter.shape
                parameter.data = init.xavier_uniform(shape, dtype=dtype, generator=rng)

    def forward(
        self,
        src: Array,
        tgt: Array,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the output of the decoder, of the shape of `tgt`.

        Args:
            src, tgt: Tensors or arrays of shape (N, S, E) and (N, L, E), with the batch as the
                second axis if not `batch_first`, or without one.
            src_mask, src_key_padding_mask, src_is_causal: for the encoder; see
                `MultiheadAttention.forward`.
            tgt_mask, tgt_key_padding_mask, tgt_is_causal: for the self-attention of the decoder.
            memory_mask, memory_key_padding_mask, memory_is_causal: for its other attention.
        """
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            tgt_is_causal,
            memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, *, dtype: Any = np.float32) -> Array:
        """Return a causal mask of shape (sz, sz): −∞ for later positions, and 0 elsewhere.

        Raises:
            TypeError, ValueError: `sz` is not a positive integer.

        >>> Transformer.generate_square_subsequent_mask(2)
        array([[  0., -inf],
               [  0.,   0.]], dtype=float32)
        """
        size = integer("generate_square_subsequent_mask()", "sz", sz)
        return np.triu(np.full((size, size), -math.inf, dtype), 1)


def _copied(layer: Module) -> Module:
    """Return a copy of a layer with the same random generators, not copies that draw the same."""
    found = (getattr(module, "generator", None) for module in layer.modules())
    return copy.deepcopy(layer, {id(g): g for g in found if g is not None})
