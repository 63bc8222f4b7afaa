"""Train a network on handwritten digits twice, the second time with compiled steps.

    python examples/compiled_digits.py [--epochs N]

Both runs give the same losses and weights, bit by bit. The compiled steps take about half the time,
because a small network spends most of its time in Python code between the calls of NumPy. The first
epoch includes the time for capturing. The last lines report what was captured.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from tinytorch_core import Tensor

from tinytorch_activations import ReLU
from tinytorch_compile import compile
from tinytorch_layers import Dropout, LayerNorm, Linear, Sequential
from tinytorch_losses import cross_entropy
from tinytorch_training import AdamW, CosineAnnealingLR, DataLoader, TensorDataset

EPOCHS = 20

Step = Callable[[Tensor, Tensor], Tensor]


def network() -> Sequential:
    return Sequential(
        Linear(64, 32, generator=1),
        LayerNorm(32),
        ReLU(),
        Dropout(0.1, generator=2),
        Linear(32, 10, generator=3),
    )


def train(
    epochs: int, change: Callable[[Step], Any]
) -> tuple[list[float], dict[str, np.ndarray], list[float], Any]:
    """Train a new network with a step that `change` may compile.

    Returns:
        The loss of each epoch, the weights, the seconds of each epoch, and the step.
    """
    images, digits = load_digits(return_X_y=True)
    data = TensorDataset((images / 16).astype(np.float32), digits)
    loader = DataLoader(data, 32, shuffle=True, drop_last=True, generator=0)
    model = network()
    optimizer = AdamW(model.parameters(), lr=0.01)
    schedule = CosineAnnealingLR(optimizer, epochs)

    def step(inputs: Tensor, targets: Tensor) -> Tensor:
        loss: Tensor = cross_entropy(model(inputs), targets, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run = change(step)
    losses, seconds = [], []
    for _ in range(epochs):
        start = time.perf_counter()
        losses.append(float(np.mean([run(*batch).item() for batch in loader])))
        seconds.append(time.perf_counter() - start)
        schedule.step()
    return losses, model.state_dict(), seconds, run


def main(epochs: int = EPOCHS) -> bool:
    """Train with and without compiled steps, and return whether the results are equal."""
    losses, weights, seconds, _ = train(epochs, lambda step: step)
    found, others, compiled_seconds, step = train(epochs, compile)
    for name, times in (("as it is", seconds), ("compiled", compiled_seconds)):
        print(f"{name}: first epoch {times[0] * 1e3:4.0f} ms, fastest {min(times) * 1e3:4.1f} ms")
    equal = found == losses and all(np.array_equal(others[n], w) for n, w in weights.items())
    print(f"loss {losses[0]:.4f} to {losses[-1]:.4f} in both runs, weights equal: {equal}\n")
    print(step.explain())
    return equal


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    main(**vars(parser.parse_args()))
