"""The transformer of the course."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinytorch_activations
from tinytorch_autograd import no_grad
from tinytorch_course.attention import MultiHeadAttention
from tinytorch_course.embeddings import Embedding
from tinytorch_course.layers import Dropout, Layer, Linear
from tinytorch_course.tensor import Tensor, to_tensor
from tinytorch_layers import functional

__all__ = ["GPT", "MLP", "LayerNorm", "TransformerBlock", "create_causal_mask"]


def create_causal_mask(seq_len: int) -> Tensor:
    """Return a mask with which each position uses only itself and those before it.

    >>> create_causal_mask(2)
    Tensor([[[1., 0.],
             [1., 1.]]])
    """
    return Tensor(np.tril(np.ones((1, seq_len, seq_len))))


class LayerNorm(Layer):
    """The last axis standardized, times gamma, plus beta.

    Args:
        normalized_shape: the length of the last axis, or the lengths of the last axes.
        eps: added to the variance.
    """

    def __init__(self, normalized_shape: Any, eps: float = 1e-5) -> None:
        self.normalized_shape, self.eps = normalized_shape, eps
        self.gamma = Tensor(np.ones(normalized_shape), requires_grad=True)
        self.beta = Tensor(np.zeros(normalized_shape), requires_grad=True)

    def forward(self, x: Any) -> Tensor:
        return functional.layer_norm(
            to_tensor(x), self.gamma.shape, self.gamma, self.beta, self.eps
        )

    def parameters(self) -> list[Tensor]:
        return [self.gamma, self.beta]


class MLP(Layer):
    """Two linear layers with GELU between them.

    Args:
        embed_dim: the length of the last axis of the input and of the output.
        hidden_dim: the length between the layers; by default four times as much.
        dropout_prob: the probability of dropout, with which the course does not train.
    """

    def __init__(
        self, embed_dim: int, hidden_dim: int | None = None, dropout_prob: float = 0.1
    ) -> None:
        hidden_dim = 4 * embed_dim if hidden_dim is None else hidden_dim
        self.linear1, self.linear2 = Linear(embed_dim, hidden_dim), Linear(hidden_dim, embed_dim)
        self.dropout = Dropout(dropout_prob)

    def forward(self, x: Any) -> Tensor:
        return self.linear2(tinytorch_activations.gelu(self.linear1(x)))

    def parameters(self) -> list[Tensor]:
        return self.linear1.parameters() + self.linear2.parameters()


class TransformerBlock(Layer):
    """Attention and an MLP, each after a layer norm and added to its input.

    Args:
        embed_dim: the length of the vectors.
        num_heads: the number of heads.
        mlp_ratio: the size of the MLP relative to `embed_dim`.
        dropout_prob: as for `MLP`.
    """

    def __init__(
        self, embed_dim: int, num_heads: int, mlp_ratio: int = 4, dropout_prob: float = 0.1
    ) -> None:
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.attention = MultiHeadAttention(embed_dim, num_heads)
        self.ln1, self.ln2 = LayerNorm(embed_dim), LayerNorm(embed_dim)
        self.mlp = MLP(embed_dim, int(embed_dim * mlp_ratio), dropout_prob)

    def forward(self, x: Any, mask: Any = None) -> Tensor:
        x = to_tensor(x)
        x = x + self.attention(self.ln1(x), mask)
        return x + self.mlp(self.ln2(x))

    def parameters(self) -> list[Tensor]:
        parts = (self.attention, self.ln1, self.ln2, self.mlp)
        return [p for part in parts for p in part.parameters()]


class GPT(Layer):
    """A transformer that predicts the next token at each position.

    Args:
        vocab_size: the number of tokens.
        embed_dim: the length of the vectors.
        num_layers: the number of blocks.
        num_heads: the number of heads of each block.
        max_seq_len: the largest number of positions.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int,
        num_layers: int,
        num_heads: int,
        max_seq_len: int = 1024,
    ) -> None:
        self.vocab_size, self.embed_dim, self.max_seq_len = vocab_size, embed_dim, max_seq_len
        self.num_layers, self.num_heads = num_layers, num_heads
        self.token_embedding = Embedding(vocab_size, embed_dim)
        self.position_embedding = Embedding(max_seq_len, embed_dim)
        self.blocks = [TransformerBlock(embed_dim, num_heads) for _ in range(num_layers)]
        self.ln_f = LayerNorm(embed_dim)
        self.lm_head = Linear(embed_dim, vocab_size, bias=False)

    def forward(self, tokens: Any) -> Tensor:
        """Return the scores of the next tokens, of shape (N, T, vocab_size).

        Args:
            tokens: the numbers of tokens, of shape (N, T).

        Raises:
            ValueError: the shape is another one, or T is above `max_seq_len`.
        """
        tokens = to_tensor(tokens)
        if tokens.ndim != 2 or tokens.shape[1] > self.max_seq_len:
            raise ValueError(
                f"GPT expects tokens of shape (N, T) with T up to {self.max_seq_len}, not "
                f"{tokens.shape}"
            )
        length = tokens.shape[1]
        x = self.token_embedding(tokens) + self.position_embedding(np.arange(length))
        mask = create_causal_mask(length)
        for block in self.blocks:
            x = block(x, mask)
        return self.lm_head(self.ln_f(x))

    def generate(
        self, prompt_tokens: Any, max_new_tokens: int = 50, temperature: float = 1.0
    ) -> Tensor:
        """Return the prompt with tokens that `np.random` draws with the model's probabilities.

        Args:
            prompt_tokens: the numbers of tokens, of shape (N, T).
            max_new_tokens: how many tokens are added. Those that no longer fit into
                `max_seq_len` positions are not seen by the model.
            temperature: the divisor of the scores; small values prefer likely tokens.

        Raises:
            ValueError: the temperature is not above 0, or the prompt has another shape or no
                tokens.
        """
        if temperature <= 0:
            raise ValueError(f"temperature of generate must be above 0, not {temperature}")
        tokens = to_tensor(prompt_tokens).data
        if tokens.ndim != 2 or not tokens.shape[1]:
            raise ValueError(
                f"generate expects prompts of shape (N, T) with T at least 1, not {tokens.shape}; "
                "put a single prompt into a list: Tensor([tokens])"
            )
        with no_grad():
            for _ in range(max_new_tokens):
                scores = self.forward(tokens[:, -self.max_seq_len :])[:, -1]
                chances = tinytorch_activations.softmax(scores / temperature, -1)
                drawn = [_draw(row) for row in chances.data]
                tokens = np.concatenate([tokens, np.array(drawn, np.float32)[:, None]], axis=1)
        return Tensor(tokens)

    def parameters(self) -> list[Tensor]:
        parts = (self.token_embedding, self.position_embedding, *self.blocks, self.ln_f)
        return [p for part in (*parts, self.lm_head) for p in part.parameters()]


def _draw(chances: Any) -> int:
    """Return an index with these probabilities, whose sum is rounded."""
    chances = chances.astype(np.float64)
    return int(np.random.choice(len(chances), p=chances / chances.sum()))
