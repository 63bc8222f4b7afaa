"""Linear, Dropout and their initial values."""

from __future__ import annotations

import numpy as np
import pytest

from .checks import close

pytestmark = pytest.mark.usefixtures("course")


def test_a_seed_decides_the_initial_values() -> None:
    from tinytorch.core.embeddings import Embedding
    from tinytorch.core.layers import Linear
    from tinytorch.core.spatial import Conv2d

    np.random.seed(5)
    expected = np.random.randn(4, 3) * np.sqrt(1 / 4)
    kernel = np.random.normal(0, np.sqrt(2 / (3 * 2 * 5)), (6, 3, 2, 5))
    limit = np.sqrt(6 / (7 + 2))
    table = np.random.uniform(-limit, limit, (7, 2))
    np.random.seed(5)
    linear, conv, embedding = Linear(4, 3), Conv2d(3, 6, (2, 5)), Embedding(7, 2)
    close(linear.weight, expected)
    close(linear.bias, np.zeros(3))
    close(conv.weight, kernel)
    close(conv.bias, np.zeros(6))
    close(embedding.weight, table)


def test_a_linear_layer() -> None:
    from tinytorch import Linear, Tensor

    layer, other = Linear(3, 2), Linear(2, 1, bias=False)
    assert [p.shape for p in layer.parameters() + other.parameters()] == [(3, 2), (2,), (2, 1)]
    assert all(p.requires_grad and isinstance(p, Tensor) for p in layer.parameters())
    x = Tensor(np.random.randn(4, 3))
    close(layer(x), x.data @ layer.weight.data)
    other(layer.forward(x)).sum().backward()
    assert layer.weight.grad.shape == (3, 2)
    assert isinstance(layer.weight.grad, np.ndarray)
    assert "3" in repr(layer)


def test_a_layer_must_define_forward() -> None:
    from tinytorch import Layer

    with pytest.raises(NotImplementedError, match="Layer must define forward"):
        Layer()(1)
    assert Layer().parameters() == []


def test_dropout_gets_its_mode_with_each_call() -> None:
    from tinytorch import Dropout, Tensor

    x = Tensor(np.ones(1000))
    dropout = Dropout(0.25)
    np.random.seed(1)
    first = dropout(x)
    np.random.seed(1)
    close(dropout.forward(x, training=True), first.data)
    assert np.unique(first.data).round(3).tolist() == pytest.approx([0, 1.333])
    assert 200 < (first.data == 0).sum() < 300
    close(dropout(x, training=False), x.data)
    close(Dropout(1.0)(x), np.zeros(1000))
    with pytest.raises(ValueError, match="p of Dropout must be from 0 to 1, not 2"):
        Dropout(2)
