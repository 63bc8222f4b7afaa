"""Train a small network on handwritten digits: 1,797 images of 8 x 8 pixels.

    python examples/digits_mlp.py [FOLDER] [--epochs N]

Shows a progress bar, prints the accuracy on the test images, and writes FOLDER/digits_mlp.png: the
loss and accuracy during training, and every misclassified digit. The split and the seeds are fixed,
so every run gives the same result.

The test images are used once, at the end. The settings were chosen by five-fold cross-validation
on the training images, from learning rates 0.001 and 0.01, weight decays 0.01 and 0.1, widths 128
and 256, batch sizes 32 and 64, dropout 0, 0.3 and 0.5, and label smoothing 0, 0.1 and 0.2 (not all
combinations). The best accuracy was 98.5 %; the differences were small.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tinytorch_activations import ReLU
from tinytorch_layers import Linear, Sequential
from tinytorch_losses import CrossEntropyLoss
from tinytorch_training import (
    AdamW,
    CosineAnnealingLR,
    DataLoader,
    TensorDataset,
    Trainer,
    accuracy,
)

EPOCHS = 40
COLUMNS = 8


def load() -> list[np.ndarray]:
    """Return the training and test images, with pixels from 0 to 1, and the digits of both."""
    images, digits = load_digits(return_X_y=True)
    pixels = (images / 16).astype(np.float32)
    split = train_test_split(pixels, digits, test_size=0.2, random_state=0, stratify=digits)
    return list(split)


def network() -> Sequential:
    return Sequential(
        Linear(64, 128, generator=1),
        ReLU(),
        Linear(128, 64, generator=2),
        ReLU(),
        Linear(64, 10, generator=3),
    )


def main(folder: str | Path = ".", epochs: int = EPOCHS) -> float:
    """Train the network, write the picture, and return the accuracy on the test images."""
    train_x, test_x, train_y, test_y = load()
    model = network()
    print(f"{len(train_x)} training images, {len(test_x)} test images\n{model}\n")
    optimizer = AdamW(model.parameters(), lr=0.01, weight_decay=0.01)
    trainer = Trainer(
        model,
        CrossEntropyLoss(label_smoothing=0.1),
        optimizer,
        scheduler=CosineAnnealingLR(optimizer, epochs),
        metrics={"accuracy": accuracy},
    )
    train = DataLoader(TensorDataset(train_x, train_y), 32, shuffle=True, generator=0)
    start = time.perf_counter()
    history = trainer.fit(train, epochs)
    seconds = time.perf_counter() - start

    predicted = trainer.predict(test_x).argmax(axis=1)
    wrong = np.flatnonzero(predicted != test_y)
    test_accuracy = 1 - len(wrong) / len(test_y)
    print(
        f"{len(test_y) - len(wrong)} of {len(test_y)} test images correct: {test_accuracy:.2%}, "
        f"after {epochs} epochs in {seconds:.1f} s"
    )
    misclassified = [(test_x[i].reshape(8, 8), int(test_y[i]), int(predicted[i])) for i in wrong]
    picture = Path(folder) / "digits_mlp.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw(history, misclassified, test_accuracy).savefig(picture, dpi=150)
    print(f"Loss, accuracy and misclassified digits: {picture}\n")
    print(
        "Next: docs/training.md explains how to save and resume a run, docs/publish-an-op.md how\n"
        "to publish your own op. `tinytorch plugins` lists the active plugins."
    )
    return test_accuracy


def draw(
    history: dict[str, list[float]],
    misclassified: Sequence[tuple[np.ndarray, int, int]],
    test_accuracy: float,
) -> Any:
    """Draw the training curves, and below them the misclassified digits with both labels."""
    columns = min(max(len(misclassified), 1), COLUMNS)
    rows = math.ceil(len(misclassified) / columns) or 1
    figure: Any = Figure(figsize=(10, 4 + 1.6 * rows), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(4, 1.6 * rows))
    loss, correct = above.subplots(1, 2)
    curve(loss, history["loss"])
    loss.set(title="Loss: cross-entropy with label smoothing", xlabel="epoch")
    curve(correct, history["accuracy"])
    correct.axhline(
        test_accuracy, color="tab:orange", label=f"test images at the end, {test_accuracy:.2%}"
    )
    correct.legend(frameon=False)
    correct.set(title="Accuracy", xlabel="epoch")
    correct.set(ylim=(0.8, 1.005), yticks=[0.8, 0.85, 0.9, 0.95, 1])
    correct.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    below.suptitle("Misclassified digits" if misclassified else "No misclassified digits")
    grid = below.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, (image, digit, predicted) in zip(grid, misclassified, strict=False):
        axes.imshow(image, cmap="gray_r")
        axes.set_title(f"{digit}, predicted {predicted}", fontsize=9)
    return figure


def curve(axes: Any, training: list[float]) -> None:
    epochs = range(1, len(training) + 1)
    axes.plot(epochs, training, label="training", color="tab:blue")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "folder", nargs="?", default=".", help="folder for the picture (default: .)"
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="default: %(default)s")
    main(**vars(parser.parse_args()))
