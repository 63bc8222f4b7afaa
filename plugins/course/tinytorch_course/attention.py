"""The attention of the course, which also returns its weights."""

from __future__ import annotations

import math
from typing import Any

import tinytorch_activations
from tinytorch_course.layers import Layer, Linear
from tinytorch_course.tensor import Tensor, to_array, to_tensor

__all__ = ["MultiHeadAttention", "scaled_dot_product_attention"]

# Added to the scores that a mask excludes; finite, so that a row without keys has no NaN.
_EXCLUDED = -1e9


def scaled_dot_product_attention(Q: Any, K: Any, V: Any, mask: Any = None) -> tuple[Tensor, Tensor]:
    """Return softmax(Q K^T / √d) V, and the weights softmax(Q K^T / √d).

    Args:
        Q, K, V: queries, keys and values of shape (..., T, d).
        mask: None, or 1 where a query may use a key and 0 elsewhere, of a shape that broadcasts to
            the weights. For inputs with heads, (N, H, T, d), it may be of shape (N, T, T).

    Raises:
        ValueError: the shapes do not match.

    >>> x = Tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> output, weights = scaled_dot_product_attention(x, x, x, mask=[[1, 0], [1, 1]])
    >>> weights[0, 0]
    Tensor([1., 0.])
    """
    Q, K, V = to_tensor(Q), to_tensor(K), to_tensor(V)
    scores = Q @ K.transpose(-2, -1) * (1 / math.sqrt(Q.shape[-1]))
    if mask is not None:
        allowed = to_array(mask)
        if allowed.ndim == 3 and scores.ndim == 4:
            allowed = allowed[:, None]
        scores = scores + (1 - allowed) * _EXCLUDED
    weights = tinytorch_activations.softmax(scores, -1)
    return weights @ V, weights


class MultiHeadAttention(Layer):
    """Attention in several heads, each of which sees a linear map of the input.

    Args:
        embed_dim: the length of the vectors, a multiple of `num_heads`.
        num_heads: the number of heads.

    Raises:
        ValueError: `embed_dim` is not a multiple of `num_heads`.

    >>> MultiHeadAttention(8, 2)(Tensor([[[1.0] * 8] * 3])).shape
    (1, 3, 8)
    """

    def __init__(self, embed_dim: int, num_heads: int) -> None:
        if num_heads < 1 or embed_dim % num_heads:
            raise ValueError(
                f"embed_dim of MultiHeadAttention must be a multiple of num_heads, but "
                f"{embed_dim} is not one of {num_heads}"
            )
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.head_dim = embed_dim // num_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            Linear(embed_dim, embed_dim) for _ in range(4)
        )

    def forward(self, x: Any, mask: Any = None) -> Tensor:
        """Return the output, of the shape of the input: (N, T, embed_dim).

        Args:
            x: the input.
            mask: as for `scaled_dot_product_attention`.

        Raises:
            ValueError: the input has another shape.
        """
        x = to_tensor(x)
        if x.ndim != 3 or x.shape[-1] != self.embed_dim:
            raise ValueError(
                f"MultiHeadAttention expects an input of shape (N, T, {self.embed_dim}), not "
                f"{x.shape}"
            )
        Q, K, V = (self._split(proj(x)) for proj in (self.q_proj, self.k_proj, self.v_proj))
        out, _ = scaled_dot_product_attention(Q, K, V, mask)
        return self.out_proj(out.transpose(1, 2).reshape(*x.shape))

    def _split(self, x: Tensor) -> Any:
        """Return (N, T, embed_dim) as (N, H, T, head_dim)."""
        return x.reshape(*x.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)

    def parameters(self) -> list[Tensor]:
        projections = (self.q_proj, self.k_proj, self.v_proj, self.out_proj)
        return [p for projection in projections for p in projection.parameters()]
