"""Embeddings of tokens and positions."""

from __future__ import annotations

import numpy as np
import pytest

from .checks import close

pytestmark = pytest.mark.usefixtures("course")


def test_embeddings() -> None:
    from tinytorch import Embedding, EmbeddingLayer, PositionalEncoding, Tensor
    from tinytorch.core.embeddings import create_sinusoidal_embeddings

    tokens = Tensor([[1, 2, 1]])
    embedding = Embedding(5, 4)
    embedding(tokens).sum().backward()
    close(embedding.weight.grad[:, 0], [0, 2, 1, 0, 0])
    with pytest.raises(IndexError):
        embedding(Tensor([5]))
    positions = PositionalEncoding(6, 4)
    x = np.random.randn(2, 3, 4)
    close(positions(x), x + positions.position_embeddings.data[:3])
    with pytest.raises(ValueError, match=r"expects an input of shape \(N, T, 4\)"):
        positions(np.ones((1, 7, 4)))
    close(create_sinusoidal_embeddings(3, 4)[:, 0], np.sin([0, 1, 2]))
    close(create_sinusoidal_embeddings(3, 4)[:, 3], np.cos([0, 0.01, 0.02]))
    for kind, count in [("learned", 2), ("sinusoidal", 1), (None, 1)]:
        layer = EmbeddingLayer(5, 4, max_seq_len=8, pos_encoding=kind, scale_embeddings=True)
        assert layer(tokens).shape == (1, 3, 4)
        assert layer(Tensor([1, 2])).shape == (2, 4)
        assert len(layer.parameters()) == count
    close(layer(tokens), layer.token_embedding(tokens).data * 2)
    for kind in ("learned", "sinusoidal"):
        with pytest.raises(ValueError, match=r"expects .*2"):
            EmbeddingLayer(5, 4, max_seq_len=2, pos_encoding=kind)(tokens)
    with pytest.raises(ValueError, match="pos_encoding of EmbeddingLayer must be"):
        EmbeddingLayer(5, 4, pos_encoding="rotary")
