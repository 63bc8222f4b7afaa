"""The layers of transformers.

Arguments, names of parameters and initial values are those of PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_layers.modules.attention import MultiheadAttention
from tinytorch_layers.modules.cache import KeyValueCache
from tinytorch_layers.modules.dropout import Dropout
from tinytorch_layers.modules.linear import Linear
from tinytorch_layers.modules.normalization import LayerNorm
from tinytorch_modules import Module, random_generator
from tinytorch_modules.arguments import flag, integer

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any
Activation = str | Callable[[Array], Array]

_ACTIVATIONS = ("relu", "gelu")


class _TransformerLayer(Module):
    """What encoder and decoder layers share: self-attention, the feed-forward part, residuals."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        name = type(self).__name__
        width = integer(name, "d_model", d_model)
        hidden = integer(name, "dim_feedforward", dim_feedforward)
        rng = random_generator(generator)
        self.norm_first = flag(name, "norm_first", norm_first)
        for attention in self._attentions:
            layer = MultiheadAttention(
                width, nhead, dropout, bias, batch_first=batch_first, dtype=dtype, generator=rng
            )
            setattr(self, attention, layer)
        self.linear1 = Linear(width, hidden, bias, dtype=dtype, generator=rng)
        self.dropout = Dropout(dropout, generator=rng)
        self.linear2 = Linear(hidden, width, bias, dtype=dtype, generator=rng)
        numbers = range(1, len(self._attentions) + 2)
        for i in numbers:
            setattr(self, f"norm{i}", LayerNorm(width, layer_norm_eps, bias=bias, dtype=dtype))
        for i in numbers:
            setattr(self, f"dropout{i}", Dropout(dropout, generator=rng))
        self.activation = _function(name, activation)

    _attentions: tuple[str, ...]

    def _feed_forward(self, x: Array) -> Array:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))

    def _residual(self, x: Array, number: int, function: Callable[[Array], Array]) -> Array:
        """Return x + dropout(function(x)), normalized before the function or at the end."""
        norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        if self.norm_first:
            return x + dropout(function(norm(x)))
        return norm(x + dropout(function(x)))

    def extra_repr(self) -> str:
        return "norm_first=True" if self.norm_first else ""


class TransformerEncoderLayer(_TransformerLayer):
    """Self-attention and a feed-forward network, each with a residual and a layer norm.

    Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762. With a causal mask it is a
    layer of a decoder-only model such as GPT.

    Args:
        d_model: the number of features.
        nhead: the number of heads of the attention.
        dim_feedforward: the number of hidden features of the feed-forward network.
        dropout: the probability in training mode that a value is set to zero, in [0, 1).
        activation: that of the feed-forward network: "relu", "gelu" or a function. The names
            require tinytorch-activations.
        layer_norm_eps: added to the variances in the layer norms.
        batch_first: whether inputs have the axes (N, L, E) instead of (L, N, E).
        norm_first: whether to normalize before each part, inside of the residual, not after it.
        bias: whether the linear layers and the layer norms have biases.
        dtype: the dtype of the parameters.
        generator: a `numpy.random.Generator`, or a seed for one, for the initial parameters and
            for dropout. With None, every run differs.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.
        ImportError: the activation is a name, and tinytorch-activations is not installed.

    >>> layer = TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> layer(np.ones((5, 3, 8), np.float32), is_causal=True).shape
    (5, 3, 8)
    """

    _attentions = ("self_attn",)
    self_attn: MultiheadAttention

    def forward(
        self,
        src: Array,
        src_mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool = False,
        *,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Return the output, of the shape of `src`.

        Args:
            src: a Tensor or array of shape (N, L, E), (L, N, E) if not `batch_first`, or (L, E).
            src_mask, src_key_padding_mask, is_causal, cache: see `MultiheadAttention.forward`.
        """

        def attend(x: Array) -> Array:
            return self.self_attn(
                x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal, cache=cache
            )[0]

        return self._residual(self._residual(src, 1, attend), 2, self._feed_forward)


class TransformerDecoderLayer(_TransformerLayer):
    """Self-attention, attention to the output of an encoder, and a feed-forward network.

    Each has a residual and a layer norm. Arguments are those of `TransformerEncoderLayer`.

    >>> layer = TransformerDecoderLayer(8, 2, 16, batch_first=True)
    >>> target, memory = np.ones((5, 3, 8), np.float32), np.ones((5, 4, 8), np.float32)
    >>> layer(target, memory, tgt_is_causal=True).shape
    (5, 3, 8)
    """

    _attentions = ("self_attn", "multihead_attn")
    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention

    def forward(
        self,
        tgt: Array,
        memory: Array,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
        *,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Return the output, of the shape of `tgt`.

        Args:
            tgt: a Tensor or array of shape (N, L, E), (L, N, E) if not `batch_first`, or (L, E).
            memory: the output of the encoder, with S instead of L.
            tgt_mask, tgt_key_padding_mask, tgt_is_causal, cache: for the self-attention; see
                `MultiheadAttention.forward`.
            memory_mask, memory_key_padding_mask, memory_is_causal: for the other attention.
        """

        def attend(x: Array) -> Array:
            return self.self_attn(
                x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal, cache=cache
            )[0]

        def attend_to_memory(x: Array) -> Array:
            return self.multihead_attn(
                x,
                memory,
                memory,
                memory_key_padding_mask,
                False,
                memory_mask,
                is_causal=memory_is_causal,
            )[0]

        x = self._residual(tgt, 1, attend)
        return self._residual(self._residual(x, 2, attend_to_memory), 3, self._feed_forward)


def _function(owner: str, activation: Activation) -> Callable[[Array], Array]:
    """Return the activation as a function."""
    if isinstance(activation, str):
        if activation not in _ACTIVATIONS:
            known = " or ".join(map(repr, _ACTIVATIONS))
            raise ValueError(
                f"activation of {owner} must be {known}, or a function, not {activation!r:.60}"
            )
        return _named(activation)
    if not callable(activation) or isinstance(activation, type):
        raise TypeError(
            f"activation of {owner} must be 'relu', 'gelu' or a function, not {activation!r:.60}"
        )
    return activation


def _named(activation: str) -> Callable[[Array], Array]:
    # Imported here, because a layer with another activation does not need this package.
    try:
        import tinytorch_activations
    except ImportError as error:
        raise ImportError(
            f"the activation {activation!r} of transformers is in tinytorch-activations, which is "
            "not installed: pip install tinytorch-activations, or pass a function"
        ) from error
    return getattr(tinytorch_activations, activation)
