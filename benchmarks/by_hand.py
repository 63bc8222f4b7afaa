"""The training step as a person writes it in NumPy for one network: the limit to compare with."""

from __future__ import annotations

import numpy as np

from benchmarks.frameworks import RATE, Arrays, Task


def train(parameters: Arrays, x: np.ndarray, y: np.ndarray) -> Task:
    """One step of gradient descent on the cross-entropy of a ReLU network, in place."""
    state = [p.copy() for p in parameters]
    weights, biases = state[::2], state[1::2]
    rows = np.arange(len(y))

    def task() -> list[np.ndarray]:
        inputs = [x]
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            inputs.append(np.maximum(inputs[-1] @ w + b, 0))
        logits = inputs[-1] @ weights[-1] + biases[-1]
        # The loss itself is computed too, as a person who watches training does.
        shifted = logits - logits.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        totals = exponentials.sum(axis=1, keepdims=True)
        _loss = (np.log(totals[:, 0]) - shifted[rows, y]).mean()
        grad = exponentials / totals
        grad[rows, y] -= 1
        grad /= len(y)
        for i in reversed(range(len(weights))):
            for_weights, for_bias = inputs[i].T @ grad, grad.sum(axis=0)
            if i > 0:
                grad = (grad @ weights[i].T) * (inputs[i] > 0)
            weights[i] -= RATE * for_weights
            biases[i] -= RATE * for_bias
        return state

    return task
