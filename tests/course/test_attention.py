"""Attention with its weights, in one and in several heads."""

from __future__ import annotations

import numpy as np
import pytest

from .checks import close

pytestmark = pytest.mark.usefixtures("course")


def test_attention_returns_its_weights() -> None:
    from tinytorch.core.attention import MultiHeadAttention, scaled_dot_product_attention
    from tinytorch.core.tensor import Tensor
    from tinytorch.core.transformer import create_causal_mask

    x = Tensor(np.random.randn(2, 4, 8), requires_grad=True)
    output, weights = scaled_dot_product_attention(x, x, x)
    assert (output.shape, weights.shape) == ((2, 4, 8), (2, 4, 4))
    close(weights.sum(axis=-1), np.ones((2, 4)))
    mask = create_causal_mask(4)
    output, weights = scaled_dot_product_attention(x, x, x, mask)
    assert (weights.data[:, ~mask.data[0].astype(bool)] == 0).all()
    close(output[:, 0], x.data[:, 0])
    attention = MultiHeadAttention(8, 2)
    assert len(attention.parameters()) == 8
    for given in (None, mask, mask.data[0], mask.data[None]):
        y = attention.forward(x, given)
        assert y.shape == x.shape
    later = Tensor(x.data.copy())
    later.data[:, 3] += 1
    close(attention(later, mask)[:, :3], y.data[:, :3])
    y.sum().backward()
    assert x.grad.shape == x.shape
    with pytest.raises(ValueError, match="8 is not one of 3"):
        MultiHeadAttention(8, 3)
    with pytest.raises(ValueError, match=r"expects an input of shape \(N, T, 8\)"):
        attention(np.ones((2, 8)))


def test_each_example_can_have_its_mask() -> None:
    from tinytorch import MultiHeadAttention

    x = np.random.randn(3, 4, 8)
    masks = np.stack([np.tril(np.ones((4, 4))), np.ones((4, 4)), np.eye(4)])
    attention = MultiHeadAttention(8, 2)
    together = attention(x, masks)
    for i in range(3):
        close(together[i], attention(x[i : i + 1], masks[i]).data[0])


def test_shapes_that_do_not_match() -> None:
    from tinytorch import scaled_dot_product_attention

    with pytest.raises(ValueError, match="shapes"):
        scaled_dot_product_attention(np.ones((1, 2, 3)), np.ones((1, 2, 4)), np.ones((1, 2, 3)))
