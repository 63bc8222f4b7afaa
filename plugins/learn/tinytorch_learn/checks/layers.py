"""The checks of chapter 6."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import Tensor, plugins

from tinytorch_learn.framework import activations, layers
from tinytorch_learn.report import expect, expect_that
from tinytorch_learn.trying import with_engine


def embedding_rule(answer: Any) -> None:
    """Check rows that are used several times, once and never."""
    grad = np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
    call = "embedding_rule(grad, table_shape=(3, 2), numbers=[0, 2, 0])"
    hint = (
        "Row 0 was used twice, so it gets the sum of both gradients. out[numbers] += grad keeps "
        "only one of them; np.add.at(out, numbers, grad) adds all."
    )
    found = answer(grad, (3, 2), np.array([0, 2, 0]))
    expect(found, [[5.0, 5.0], [0.0, 0.0], [2.0, 2.0]], call, hint)
    found = answer(np.ones((2, 2, 2)), (3, 2), np.array([[0, 1], [1, 1]]))
    call = "embedding_rule(ones of shape (2, 2, 2), (3, 2), [[0, 1], [1, 1]])"
    expect(found, [[1.0, 1.0], [3.0, 3.0], [0.0, 0.0]], call)


def linear(answer: Any) -> None:
    """Check the shapes, the size of the initial numbers, the values and the parameters."""
    with with_engine():
        layer = answer(400, 100, np.random.default_rng(0))
        if not hasattr(layer, "weight") or not hasattr(layer, "bias"):
            raise NotImplementedError
        expect(np.zeros(layer.weight.shape), np.zeros((400, 100)), "Linear(400, 100).weight")
        expect(layer.bias, np.zeros(100), "Linear(400, 100).bias", "The bias starts at 0.")
        size = float(layer.weight.data.std())
        hint = "Divide the normal numbers by √inputs; otherwise the outputs are √400 too large."
        expect_that(
            0.04 < size < 0.06,
            "the standard deviation of the weight of Linear(400, 100)",
            "about 1 / √400 = 0.05",
            f"{size:.3f}",
            hint,
        )
        x = Tensor(np.ones((2, 400), np.float32))
        layer.bias.data = np.arange(100, dtype=np.float32)
        expected = np.ones((2, 400)) @ layer.weight.data + layer.bias.data
        expect(layer(x), expected, "layer(x)", "It is x @ weight + bias.", tolerance=1e-4)
        count = len(layer.parameters())
        hint = "Create both with parameter(...), and derive the class from Module."
        call = "len(layer.parameters())"
        expect_that(count == 2, call, "2, the weight and the bias", str(count), hint)


def layer_norm(answer: Any) -> None:
    """Check mean and variance of each row, a row of equal numbers, and the learned numbers."""
    with with_engine():
        layer = answer(3)
        if not hasattr(layer, "weight"):
            raise NotImplementedError
        x = Tensor([[1.0, 2.0, 3.0], [10.0, 10.0, 40.0]])
        rows = x.data - x.data.mean(axis=-1, keepdims=True)
        expected = rows / np.sqrt((rows * rows).mean(axis=-1, keepdims=True) + 1e-5)
        hint = "Mean and variance belong to each row: axis=-1, keepdims=True."
        call = "LayerNorm(3)([[1, 2, 3], [10, 10, 40]])"
        expect(layer(x), expected, call, hint, tolerance=1e-4)
        hint = "Add 1e-5 to the variance before the root, or a row of equal numbers divides by 0."
        with np.errstate(all="ignore"):
            found = layer(Tensor([[2.0, 2.0, 2.0]]))
        expect(found, np.zeros((1, 3)), "LayerNorm(3)([[2, 2, 2]])", hint)
        layer.weight.data, layer.bias.data = 2 * layer.weight.data, 1 + layer.bias.data
        hint = "Multiply by self.weight and add self.bias at the end."
        call = "the same with weight 2 and bias 1"
        expect(layer(x), 2 * expected + 1, call, hint, tolerance=1e-4)


def attention(answer: Any) -> None:
    """Check equal scores, the order of time, and the scale of the scores."""
    if "softmax" not in plugins.surface().ops:
        plugins.register(activations.Activations(), name="my-activations")
        try:
            return _attention(answer)
        finally:
            plugins.unregister("my-activations")
    return _attention(answer)


def _attention(answer: Any) -> None:
    zeros = Tensor(np.zeros((3, 2), np.float32))
    v = Tensor([[0.0, 0.0], [2.0, 4.0], [4.0, 8.0]])
    hint = (
        "Position 0 sees only itself, position 1 sees 0 and 1: add -1e9 to the scores of later "
        "positions, np.triu(np.full((length, length), -1e9), k=1)."
    )
    call = "attention(0, 0, [[0, 0], [2, 4], [4, 8]])"
    expect(answer(zeros, zeros, v), [[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]], call, hint)
    q = Tensor([[0.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]])
    k = Tensor([[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    share = 1 / (1 + np.exp(-1.0))
    hint = "Divide q @ kᵀ by the root of the width, here √4 = 2, before the softmax."
    found = answer(q, k, Tensor([[0.0], [1.0]]))
    expect(found, [[0.0], [share]], "attention(q, k, v) with q · k = 2 and width 4", hint)
    stack = Tensor(np.zeros((2, 3, 2), np.float32))
    expect(answer(stack, stack, stack), stack.data, "attention of stacks of shape (2, 3, 2)")


EXERCISES = (
    (embedding_rule, layers.embedding_rule),
    (linear, layers.Linear),
    (layer_norm, layers.LayerNorm),
    (attention, layers.attention),
)
