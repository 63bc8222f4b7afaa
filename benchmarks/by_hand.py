"""A training step written by hand in NumPy: the baseline for training steps."""

from __future__ import annotations

import numpy as np

from benchmarks.frameworks import RATE, Arrays, Task


def train(parameters: Arrays, x: np.ndarray, y: np.ndarray) -> Task:
    """Return a task that makes one step of gradient descent on a ReLU network, in place.

    The loss is the cross-entropy, averaged over the batch.
    """
    state = [p.copy() for p in parameters]
    weights, biases = state[::2], state[1::2]
    rows = np.arange(len(y))

    def task() -> list[np.ndarray]:
        inputs = [x]
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            inputs.append(np.maximum(inputs[-1] @ w + b, 0))
        logits = inputs[-1] @ weights[-1] + biases[-1]
        # The gradients do not need the loss, but a training loop reports it.
        shifted = logits - logits.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        totals = exponentials.sum(axis=1, keepdims=True)
        _loss = (np.log(totals[:, 0]) - shifted[rows, y]).mean()
        grad = exponentials / totals
        grad[rows, y] -= 1
        grad /= len(y)
        for i in reversed(range(len(weights))):
            weight_grad, bias_grad = inputs[i].T @ grad, grad.sum(axis=0)
            if i > 0:
                grad = (grad @ weights[i].T) * (inputs[i] > 0)
            weights[i] -= RATE * weight_grad
            biases[i] -= RATE * bias_grad
        return state

    return task
