"""The checks of chapter 5."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_learn.framework import activations, losses
from tinytorch_learn.report import expect


def relu_rule(answer: Any) -> None:
    """Check both sides, 0, and gradients other than 1."""
    grad, out = np.array([5.0, 6.0, 7.0]), np.array([0.0, 0.0, 2.0])
    call = "relu_rule(grad, out) with grad = [5, 6, 7], out = [0, 0, 2]"
    hint = "Where relu returned 0, the derivative is 0. Elsewhere it is 1."
    expect(answer(grad, out), [0.0, 0.0, 7.0], call, hint)


def softmax(answer: Any) -> None:
    """Check the values, several rows, and large numbers."""
    hint = "Divide np.exp(x) by its sum along the last axis."
    expect(answer(np.array([0.0, 0.0])), [0.5, 0.5], "softmax([0, 0])", hint)
    hint = "Sum along axis=-1 with keepdims=True, so that each row is divided by its own sum."
    rows = np.array([[0.0, np.log(3.0)], [5.0, 5.0]])
    expect(answer(rows), [[0.25, 0.75], [0.5, 0.5]], "softmax([[0, log 3], [5, 5]])", hint)
    hint = "e¹⁰⁰⁰ overflows. Subtract the largest element of the row first; the shares stay equal."
    with np.errstate(all="ignore"):
        found = answer(np.array([1000.0, 1000.0]))
    expect(found, [0.5, 0.5], "softmax([1000, 1000])", hint)


def softmax_rule(answer: Any) -> None:
    """Check the rule against a numerical derivative."""
    x, grad = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, 0.0]]), np.array([[1.0, 2.0, 4.0], [0, 1, 0]])

    def function(x: Any) -> Any:
        powers = np.exp(x)
        return (grad * powers / powers.sum(axis=-1, keepdims=True)).sum()

    expected = _numerical(function, x)
    out = np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)
    hint = "It is p (g - Σ g p). The sum runs along the last axis, with keepdims=True."
    call = "softmax_rule(grad, out) for out of shape (2, 3)"
    expect(answer(grad, out), expected, call, hint, tolerance=1e-5)


def cross_entropy_rule(answer: Any) -> None:
    """Check the rule at a point where the shares are known."""
    x, targets = np.log(np.array([[1.0, 3.0], [1.0, 1.0]])), np.array([0, 1])
    expected = np.array([[-0.375, 0.375], [0.25, -0.25]])
    call = "cross_entropy_rule(1, log [[1, 3], [1, 1]], targets=[0, 1])"
    hint = "It is (p - y) / N, where y is 1 for the right class, and N the number of rows."
    expect(answer(np.array(1.0), x, targets), expected, call, hint)
    hint = "The chain rule: multiply by grad."
    expect(answer(np.array(2.0), x, targets), 2 * expected, call.replace("(1", "(2"), hint)


def _numerical(function: Any, x: Any, step: float = 1e-6) -> Any:
    out = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        move = np.zeros_like(x)
        move[index] = step
        out[index] = (function(x + move) - function(x - move)) / (2 * step)
    return out


EXERCISES = (
    (relu_rule, activations.relu_rule),
    (softmax, activations.softmax),
    (softmax_rule, activations.softmax_rule),
    (cross_entropy_rule, losses.cross_entropy_rule),
)
