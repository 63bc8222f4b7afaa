"""The embeddings of the course."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_course.layers import Layer
from tinytorch_course.tensor import Tensor, to_tensor
from tinytorch_layers import functional

__all__ = [
    "Embedding",
    "EmbeddingLayer",
    "PositionalEncoding",
    "create_sinusoidal_embeddings",
]


class Embedding(Layer):
    """A row of a table for each index, which may be float32.

    Args:
        vocab_size: the number of rows.
        embed_dim: their length.

    >>> Embedding(10, 4)(Tensor([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(self, vocab_size: int, embed_dim: int) -> None:
        self.vocab_size, self.embed_dim = vocab_size, embed_dim
        limit = math.sqrt(6 / (vocab_size + embed_dim))
        table = np.random.uniform(-limit, limit, (vocab_size, embed_dim))
        self.weight = Tensor(table, requires_grad=True)

    def forward(self, indices: Any) -> Tensor:
        return functional.embedding(to_tensor(indices), self.weight)

    def parameters(self) -> list[Tensor]:
        return [self.weight]


class PositionalEncoding(Layer):
    """Adds a learned vector for each position, to an input of shape (N, T, embed_dim).

    Args:
        max_seq_len: the largest number of positions.
        embed_dim: the length of the vectors.
    """

    def __init__(self, max_seq_len: int, embed_dim: int) -> None:
        self.max_seq_len, self.embed_dim = max_seq_len, embed_dim
        limit = math.sqrt(2 / embed_dim)
        table = np.random.uniform(-limit, limit, (max_seq_len, embed_dim))
        self.position_embeddings = Tensor(table, requires_grad=True)

    def forward(self, x: Any) -> Tensor:
        """Return the input plus the vectors of its positions.

        Raises:
            ValueError: the shape is not (N, T, embed_dim), or T is above `max_seq_len`.
        """
        x = to_tensor(x)
        if x.ndim != 3 or x.shape[1] > self.max_seq_len or x.shape[2] != self.embed_dim:
            raise ValueError(
                f"PositionalEncoding({self.max_seq_len}, {self.embed_dim}) expects an input of "
                f"shape (N, T, {self.embed_dim}) with T up to {self.max_seq_len}, not {x.shape}"
            )
        return x + self.position_embeddings[: x.shape[1]]

    def parameters(self) -> list[Tensor]:
        return [self.position_embeddings]


def create_sinusoidal_embeddings(max_seq_len: int, embed_dim: int) -> Tensor:
    """Return a sine and a cosine of each position, for several wavelengths.

    Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762, section 3.5.

    Returns:
        A Tensor of shape (max_seq_len, embed_dim), with sines in the even columns.

    >>> create_sinusoidal_embeddings(8, 4)[0]
    Tensor([0., 1., 0., 1.])
    """
    columns = np.arange(embed_dim)
    rates = 10_000.0 ** (-(columns - columns % 2) / embed_dim)
    angles = np.arange(max_seq_len)[:, None] * rates
    return Tensor(np.where(columns % 2, np.cos(angles), np.sin(angles)))


class EmbeddingLayer(Layer):
    """An embedding of tokens and of their positions.

    Args:
        vocab_size: the number of tokens.
        embed_dim: the length of the vectors.
        max_seq_len: the largest number of positions.
        pos_encoding: "learned", "sinusoidal" or None.
        scale_embeddings: whether to multiply the vectors of the tokens by √embed_dim.

    Raises:
        ValueError: `pos_encoding` is unknown.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int,
        max_seq_len: int = 512,
        pos_encoding: str | None = "learned",
        scale_embeddings: bool = False,
    ) -> None:
        if pos_encoding not in ("learned", "sinusoidal", None):
            raise ValueError(
                "pos_encoding of EmbeddingLayer must be 'learned', 'sinusoidal' or None, not "
                f"{pos_encoding!r}"
            )
        self.vocab_size, self.embed_dim, self.max_seq_len = vocab_size, embed_dim, max_seq_len
        self.pos_encoding_type, self.scale_embeddings = pos_encoding, scale_embeddings
        self.token_embedding = Embedding(vocab_size, embed_dim)
        self.pos_encoding: Any = None
        if pos_encoding == "learned":
            self.pos_encoding = PositionalEncoding(max_seq_len, embed_dim)
        elif pos_encoding == "sinusoidal":
            self.pos_encoding = create_sinusoidal_embeddings(max_seq_len, embed_dim)

    def forward(self, tokens: Any) -> Tensor:
        """Return vectors of shape (N, T, embed_dim), or (T, embed_dim) for tokens of shape (T,).

        Raises:
            ValueError: T is above `max_seq_len`, and the positions are encoded.
        """
        tokens = to_tensor(tokens)
        single = tokens.ndim == 1
        x: Any = self.token_embedding(tokens.reshape(1, -1) if single else tokens)
        if self.scale_embeddings:
            x = x * math.sqrt(self.embed_dim)
        if isinstance(self.pos_encoding, PositionalEncoding):
            x = self.pos_encoding(x)
        elif self.pos_encoding is not None:
            if x.shape[1] > self.max_seq_len:
                raise ValueError(
                    f"EmbeddingLayer expects at most {self.max_seq_len} tokens, not {x.shape[1]}; "
                    "increase max_seq_len"
                )
            x = x + self.pos_encoding[: x.shape[1]]
        return x[0] if single else x

    def parameters(self) -> list[Tensor]:
        learned = isinstance(self.pos_encoding, PositionalEncoding)
        return self.token_embedding.parameters() + (
            self.pos_encoding.parameters() if learned else []
        )
