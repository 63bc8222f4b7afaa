"""Train a network on exclusive or, which a single linear layer cannot learn.

    python examples/xor.py

Prints the network's answers during training.
"""

from __future__ import annotations

import numpy as np

from tinytorch_core import Tensor

from tinytorch_activations import Sigmoid, Tanh
from tinytorch_layers import Linear, Sequential
from tinytorch_losses import BinaryCrossEntropyLoss
from tinytorch_training import Adam

STEPS = 256

INPUTS = Tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
TARGETS = Tensor([[0], [1], [1], [0]])


def train(model: Sequential, optimizer: Adam) -> tuple[Tensor, Tensor]:
    """Make one step of training, and return the network's answers and their loss before it."""
    answers = model(INPUTS)
    loss = BinaryCrossEntropyLoss()(answers, TARGETS)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return answers, loss


def main(steps: int = STEPS) -> np.ndarray:
    """Train the network, print its progress, and return its answers."""
    model = Sequential(Linear(2, 4, generator=0), Tanh(), Linear(4, 1, generator=1), Sigmoid())
    optimizer = Adam(model.parameters(), lr=0.05)

    print("   step    loss   0 xor 0   0 xor 1   1 xor 0   1 xor 1")
    for step in range(steps + 1):
        answers, loss = train(model, optimizer)
        # Print steps 0, 1, 2, 4, 8, ...
        if step & (step - 1) == 0:
            row = "".join(f"{answer:10.3f}" for answer in answers.data[:, 0])
            print(f"{step:7d}{loss.item():8.4f}{row}")

    learned = ", ".join(
        f"{int(a)} xor {int(b)} = {round(float(answer))}"
        for (a, b), answer in zip(INPUTS.tolist(), answers.data[:, 0], strict=True)
    )
    print(f"\nLearned: {learned}")
    return np.asarray(answers.data)


if __name__ == "__main__":
    main()
