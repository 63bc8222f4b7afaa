"""Transformers and a GPT that generates tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .checks import close

pytestmark = pytest.mark.usefixtures("course")


def test_parts_of_a_transformer() -> None:
    from tinytorch.core.transformer import MLP, LayerNorm, TransformerBlock

    x = np.random.randn(2, 3, 8)
    norm = LayerNorm(8)
    close(norm(x).data.std(axis=-1), np.ones((2, 3)), 1e-3)
    close(norm.gamma, np.ones(8))
    close(norm.beta, np.zeros(8))
    assert LayerNorm((3, 8))(x).shape == x.shape
    assert [p.shape for p in MLP(8).parameters()] == [(8, 32), (32,), (32, 8), (8,)]
    assert MLP(8, 5)(x).shape == x.shape
    block = TransformerBlock(8, 2, mlp_ratio=2)
    assert block(x).shape == x.shape
    assert len(block.parameters()) == 16


def test_a_gpt_generates_tokens() -> None:
    from tinytorch.models.transformer import GPT, Tensor

    model = GPT(vocab_size=11, embed_dim=8, num_layers=2, num_heads=2, max_seq_len=6)
    assert model(Tensor([[1, 2, 3]])).shape == (1, 3, 11)
    assert len(model.parameters()) == 2 + 2 * 16 + 2 + 1

    def generated() -> Any:
        np.random.seed(3)
        return model.generate(Tensor([[1, 2], [3, 4]]), max_new_tokens=8, temperature=0.7)

    tokens = generated()
    assert tokens.shape == (2, 10)
    close(tokens, generated().data)
    close(tokens[:, :2], [[1, 2], [3, 4]])
    assert (tokens.data < 11).all()
    assert (tokens.data % 1 == 0).all()
    with pytest.raises(ValueError, match="with T up to 6"):
        model(np.zeros((1, 7)))
    with pytest.raises(ValueError, match="temperature of generate must be above 0, not 0"):
        model.generate(Tensor([[1]]), temperature=0)
    for prompt in ([1, 2], [[]]):
        with pytest.raises(ValueError, match=r"put a single prompt into a list: Tensor\(\[tokens"):
            model.generate(Tensor(prompt))


def test_a_gpt_does_not_see_later_tokens() -> None:
    from tinytorch import GPT

    model = GPT(11, 8, 2, 2, max_seq_len=6)
    close(model([[1, 2, 3, 4]])[:, :2], model([[1, 2, 9, 9]]).data[:, :2])


def test_a_low_temperature_chooses_the_likeliest_token() -> None:
    from tinytorch import GPT

    model = GPT(11, 8, 1, 2, max_seq_len=6)
    likeliest = model([[1, 2]]).data[0, -1].argmax()
    drawn = [model.generate([[1, 2]], 1, temperature=t).data[0, -1] for t in [1e-3] * 9 + [1e3] * 9]
    assert set(drawn[:9]) == {likeliest}
    assert len(set(drawn[9:])) > 1
