"""Trains a small network on handwritten digits: 1,797 real images of 8 x 8 pixels.

    python examples/digits_mlp.py

The images come with scikit-learn. The split and the seed are fixed, so every run is the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tinytorch_core import Tensor

from tinytorch_activations import relu
from tinytorch_autograd import no_grad
from tinytorch_losses import CrossEntropyLoss

SIZES = (64, 128, 64, 10)
EPOCHS = 40
BATCH = 32
SHADES = " .:-=+*#%@"

Parameters = list[tuple[Tensor, Tensor]]
Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def load() -> Split:
    """The pixels as numbers from 0 to 1, and the digits: for training, and for testing."""
    images, digits = load_digits(return_X_y=True)
    pixels = (images / 16).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        pixels, digits, test_size=0.2, random_state=0, stratify=digits
    )
    return train_x, train_y, test_x, test_y


def make_parameters(rng: np.random.Generator) -> Parameters:
    """Weights and biases of each layer, initialised as in He et al. (2015)."""
    layers = []
    for fan_in, fan_out in pairwise(SIZES):
        weights = rng.standard_normal((fan_in, fan_out)) * np.sqrt(2 / fan_in)
        layers.append(
            (
                Tensor(weights.astype(np.float32), requires_grad=True),
                Tensor(np.zeros(fan_out, np.float32), requires_grad=True),
            )
        )
    return layers


def network(x: Tensor, layers: Parameters) -> Tensor:
    """The scores of the ten classes for each image."""
    *hidden, (weights, bias) = layers
    for w, b in hidden:
        x = relu(x @ w + b)
    return x @ weights + bias


def batches(count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    order = rng.permutation(count)
    return (order[start : start + BATCH] for start in range(0, count, BATCH))


def step(layers: Parameters, velocity: list[np.ndarray], rate: float) -> None:
    """Gradient descent with momentum; `data` is the array, so nothing here is recorded."""
    parameters = [p for layer in layers for p in layer]
    for p, v in zip(parameters, velocity, strict=True):
        v *= 0.9
        v += p.grad
        p.data -= rate * v
        p.zero_grad()


def predict(pixels: np.ndarray, layers: Parameters) -> np.ndarray:
    with no_grad():
        return network(Tensor(pixels), layers).argmax(axis=1).numpy()


def draw(pixels: np.ndarray, titles: list[str]) -> str:
    """Images side by side, as characters."""
    width = 18
    rows = ["".join(title.ljust(width) for title in titles)]
    for row in range(8):
        line = ""
        for image in pixels.reshape(-1, 8, 8):
            shades = (SHADES[int(v * (len(SHADES) - 1))] * 2 for v in image[row])
            line += "".join(shades).ljust(width)
        rows.append(line)
    return "\n".join(rows)


def main(epochs: int = EPOCHS) -> float:
    """Trains, prints what a person wants to see, and returns the accuracy on the test images."""
    rng = np.random.default_rng(0)
    train_x, train_y, test_x, test_y = load()
    layers = make_parameters(rng)
    velocity = [np.zeros_like(p.data) for layer in layers for p in layer]
    loss_of = CrossEntropyLoss(label_smoothing=0.05)
    print(f"{len(train_x)} images to learn from, {len(test_x)} to be tested on")
    print(f"a network of {' -> '.join(map(str, SIZES))}, {epochs} epochs\n")
    start = time.perf_counter()
    for epoch in range(1, epochs + 1):
        rate = 0.05 * (1 + np.cos(np.pi * (epoch - 1) / epochs)) / 2
        total = 0.0
        for chosen in batches(len(train_x), rng):
            loss = loss_of(network(Tensor(train_x[chosen]), layers), train_y[chosen])
            loss.backward()
            step(layers, velocity, float(rate))
            total += loss.item() * len(chosen)
        if epoch == 1 or epoch % 5 == 0:
            accuracy = float((predict(test_x, layers) == test_y).mean())
            done = "#" * round(20 * epoch / epochs)
            print(
                f"[{done:<20}] epoch {epoch:3d}  loss {total / len(train_x):.4f}  "
                f"test accuracy {accuracy:.1%}"
            )
    predicted = predict(test_x, layers)
    right = predicted == test_y
    print(f"\n{right.sum()} of {len(test_y)} test images right: {right.mean():.2%}, ", end="")
    print(f"after {time.perf_counter() - start:.1f} s\n")
    shown = np.concatenate([np.flatnonzero(right)[:2], np.flatnonzero(~right)[:2]])
    print(draw(test_x[shown], [f"{test_y[i]}, read as {predicted[i]}" for i in shown]))
    print(
        "\nWhere to go next: README.md shows how gradients are switched off and on again, and "
        "how to\npublish an op of your own; `tinytorch plugins` tells what is active."
    )
    return float(right.mean())


if __name__ == "__main__":
    main()
